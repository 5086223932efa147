"""`.hsi.plot`: the spectrum of a place, the picture of a cube, maps of what is made of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from hsi_xr.analysis.maps import axes_or_new, plot_map, plot_rgb
from hsi_xr.analysis.select import spectrum
from hsi_xr.extras import require
from hsi_xr.io.cube import Cube, sorted_bands

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NINETY = 1.645
"""Standard deviations to either side that hold 90 per cent of a normal distribution."""


@dataclass(frozen=True)
class Plots:
    """What `.hsi.plot` offers; each draws into `ax`, or into axes that it makes, and gives them."""

    cube: Cube

    def spectrum(
        self,
        x: float,
        y: float,
        *,
        crs: str | None = None,
        size: float | None = None,
        ax: "Axes | None" = None,
        label: str | None = None,
    ) -> "Axes":
        """Reflectance over wavelength at a place; see `plot_spectrum`."""
        return plot_spectrum(self.cube, x, y, crs=crs, size=size, ax=ax, label=label)

    def rgb(
        self,
        *,
        wavelengths: tuple[float, float, float] = (650, 550, 450),
        ax: "Axes | None" = None,
    ) -> "Axes":
        """The picture of three bands; see `plot_rgb`."""
        return plot_rgb(self.cube, wavelengths=wavelengths, ax=ax)

    def map(self, *, cmap: str = "viridis", ax: "Axes | None" = None) -> "Axes":
        """One number a pixel, of an array (y, x), with its scale; see `plot_map`."""
        return plot_map(self.cube, cmap=cmap, ax=ax)


def plot_spectrum(
    obj: Cube,
    x: float,
    y: float,
    *,
    crs: str | None = None,
    size: float | None = None,
    ax: "Axes | None" = None,
    label: str | None = None,
) -> "Axes":
    """The spectrum at a place, as a line over nm; see `spectrum` for `crs` and `size`.

    Where there is `reflectance_std`, a band of 1.645 standard deviations to either side, which
    would hold 90 per cent of a normal distribution. Whether it holds as much of the truth is told
    by the comment of `reflectance_std` and by the card of the model.

    Raises:
        UsageError: matplotlib is not installed, or the place is not on the cube.
    """
    require("matplotlib")
    pixel = spectrum(obj, x, y, crs=crs, size=size)
    mean = pixel["reflectance"] if isinstance(pixel, xr.Dataset) else pixel
    bands, order = sorted_bands(mean, "the cube")
    values, nm = np.asarray(mean.values)[order], list(bands.centres)
    axes = axes_or_new(ax)
    marker = "o" if len(nm) < 20 else ""  # the bands of a sensor are no curve
    name = label or f"{x:.10g}, {y:.10g}"
    (line,) = axes.plot(nm, values, linewidth=2, marker=marker, label=name)
    if isinstance(pixel, xr.Dataset) and "reflectance_std" in pixel:
        spread = _NINETY * np.asarray(pixel["reflectance_std"].values)[order]
        told = f"± {_NINETY} standard deviations"
        there = {text.get_label() for text in axes.collections}
        axes.fill_between(
            nm, values - spread, values + spread,
            color=line.get_color(), alpha=0.2, linewidth=0,
            label=f"_{told}" if told in there else told,
        )  # fmt: skip
    relative = "relative" in str(mean.attrs.get("long_name"))
    axes.set(
        xlabel="wavelength (nm)",
        ylabel="relative reflectance" if relative else "reflectance",
        title=str(mean.attrs.get("comment", "")),
    )
    axes.autoscale_view()
    axes.set_ylim(bottom=min(0.0, axes.dataLim.ymin), auto=True)  # a next one may be higher
    axes.grid(color="#e3e3e3", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    spreads = [each for each in axes.collections if not str(each.get_label()).startswith("_")]
    axes.legend(handles=[*axes.lines, *spreads], frameon=False)
    return axes
