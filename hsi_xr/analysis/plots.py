"""Plots of `.hsi.plot`: spectra, three bands as RGB, and maps."""

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
"""Half-width, in standard deviations, of the 90 % interval of a normal distribution."""


@dataclass(frozen=True)
class Plots:
    """Methods of `.hsi.plot`; each draws into `ax` or new axes, and returns the axes."""

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
        """Plots the spectrum at a location; see `plot_spectrum`."""
        return plot_spectrum(self.cube, x, y, crs=crs, size=size, ax=ax, label=label)

    def rgb(
        self,
        *,
        wavelengths: tuple[float, float, float] = (650, 550, 450),
        ax: "Axes | None" = None,
    ) -> "Axes":
        """Plots three bands as red, green and blue; see `plot_rgb`."""
        return plot_rgb(self.cube, wavelengths=wavelengths, ax=ax)

    def map(self, *, cmap: str = "viridis", ax: "Axes | None" = None) -> "Axes":
        """Plots an array (y, x) with a colour bar; see `plot_map`."""
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
    """Plots the spectrum at a location over wavelength.

    If the cube has `reflectance_std`, a shaded interval of 1.645 standard deviations to either
    side is drawn, the 90 % interval of a normal distribution. The comment of `reflectance_std` and
    the card of the model state how many of the true values it contains.

    Args:
        obj: Cube: Dataset with `reflectance`, or DataArray (band, y, x).
        x, y: Location in the CRS of the cube, or in `crs`.
        crs: CRS of the location; see `spectrum`.
        size: Side of a square to average; see `spectrum`.
        ax: Axes to draw into; None creates new ones.
        label: Label in the legend; None uses the location.

    Raises:
        UsageError: matplotlib is not installed, or the location is not on the cube.
    """
    require("matplotlib")
    pixel = spectrum(obj, x, y, crs=crs, size=size)
    mean = pixel["reflectance"] if isinstance(pixel, xr.Dataset) else pixel
    bands, order = sorted_bands(mean, "the cube")
    values, nm = np.asarray(mean.values)[order], list(bands.centres)
    axes = axes_or_new(ax)
    marker = "o" if len(nm) < 20 else ""  # few bands do not form a curve
    name = label or f"{x:.10g}, {y:.10g}"
    (line,) = axes.plot(nm, values, linewidth=2, marker=marker, label=name)
    if isinstance(pixel, xr.Dataset) and "reflectance_std" in pixel:
        half_width = _NINETY * np.asarray(pixel["reflectance_std"].values)[order]
        interval = f"± {_NINETY} standard deviations"
        listed = {text.get_label() for text in axes.collections}
        axes.fill_between(
            nm, values - half_width, values + half_width,
            color=line.get_color(), alpha=0.2, linewidth=0,
            label=f"_{interval}" if interval in listed else interval,
        )  # fmt: skip
    relative = "relative" in str(mean.attrs.get("long_name"))
    axes.set(
        xlabel="wavelength (nm)",
        ylabel="relative reflectance" if relative else "reflectance",
        title=str(mean.attrs.get("comment", "")),
    )
    axes.autoscale_view()
    axes.set_ylim(bottom=min(0.0, axes.dataLim.ymin), auto=True)  # a later spectrum may be higher
    axes.grid(color="#e3e3e3", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    intervals = [c for c in axes.collections if not str(c.get_label()).startswith("_")]
    axes.legend(handles=[*axes.lines, *intervals], frameon=False)
    return axes
