"""Plots of `.hsi.plot`: spectra, three bands as RGB, and maps."""

from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.analysis.maps import axes_or_new, plot_map, plot_rgb
from hsi_xr.analysis.select import spectrum
from hsi_xr.extras import require
from hsi_xr.io.cube import Cube, sorted_bands
from hsi_xr.level_interval import LEVEL_VARIABLES, LevelInterval
from hsi_xr.output_variables import quantile_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINE = 60
"""Characters per line of a title."""
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

    Of joint draws, the line is the mean, and the range from the 5 % to the 95 % quantile is shaded.
    Otherwise, if the cube has the quantiles 0.05 and 0.95, or else `reflectance_std`, the 90 %
    interval given the level of the scene is shaded; without quantiles it is 1.645 standard
    deviations to either side. The comment of `reflectance_std` and the card of the model state how
    many of the true values it contains. If the level is uncertain, an error bar at the last band
    states its 90 % interval: all of the spectrum may be off by that factor.

    Args:
        obj: Cube: Dataset with `reflectance`, or DataArray ([sample,] band, y, x).
        x, y: Location in the CRS of the cube, or in `crs`.
        crs: CRS of the location; see `spectrum`.
        size: Side of a square to average; see `spectrum`.
        ax: Axes to draw into; None creates new ones.
        label: Label in the legend; None uses the location.

    Raises:
        UsageError: matplotlib is not installed, or the location is not on the cube.
    """
    require("matplotlib")
    from matplotlib.colors import to_hex

    pixel = spectrum(obj, x, y, crs=crs, size=size)
    estimate = pixel["reflectance"] if isinstance(pixel, xr.Dataset) else pixel
    bands, order = sorted_bands(estimate, "the cube")
    drawn = np.asarray(estimate.transpose(..., "wavelength").values)[..., order]
    values, nm = drawn if drawn.ndim == 1 else drawn.mean(0), list(bands.centres)
    axes = axes_or_new(ax)
    marker = "o" if len(nm) < 20 else ""  # few bands do not form a curve
    name = label or f"{x:.10g}, {y:.10g}"
    (line,) = axes.plot(nm, values, linewidth=2, marker=marker, label=name)
    if (interval := _interval(pixel, drawn, order)) is not None:
        low, high, text = interval
        listed = {each.get_label() for each in axes.collections}
        axes.fill_between(
            nm, low, high, color=line.get_color(), alpha=0.2, linewidth=0,
            label=f"_{text}" if text in listed else text,
        )  # fmt: skip
    if (level := _level(obj)) is not None:
        _draw_level(axes, (nm[-1], float(values[-1])), level, to_hex(line.get_color()))
    relative = "relative" in str(estimate.attrs.get("long_name"))
    axes.set(
        xlabel="wavelength (nm)",
        ylabel="relative reflectance" if relative else "reflectance",
        title=fill(str(estimate.attrs.get("comment", "")).split(";")[0], _LINE),
    )
    axes.autoscale_view()
    axes.set_ylim(bottom=min(0.0, axes.dataLim.ymin), auto=True)  # a later spectrum may be higher
    axes.grid(color="#e3e3e3", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles, labels, frameon=False)
    return axes


def _interval(
    pixel: Cube, drawn: NDArray[np.floating], order: NDArray[np.intp]
) -> tuple[NDArray[np.floating], NDArray[np.floating], str] | None:
    """Returns the ends of the 90 % interval given the level, and how they are called."""
    if drawn.ndim == 2:
        low, high = np.quantile(drawn, (0.05, 0.95), axis=0)
        return low, high, f"90 % interval of {len(drawn)} draws"
    if not isinstance(pixel, xr.Dataset):
        return None
    names = [quantile_name(p) for p in (0.05, 0.95)]
    if all(name in pixel for name in names):
        low, high = (np.asarray(pixel[name].values)[order] for name in names)
        return low, high, "90 % interval given the level"
    if "reflectance_std" not in pixel:
        return None
    half = _NINETY * np.asarray(pixel["reflectance_std"].values)[order]
    values = np.asarray(pixel["reflectance"].values)[order]
    return np.clip(values - half, 0, None), values + half, f"± {_NINETY} standard deviations"


def _level(obj: Cube) -> LevelInterval | None:
    """Returns the level that a cube states, as scalars or as attributes."""
    names = LEVEL_VARIABLES if isinstance(obj, xr.Dataset) else ()
    scalars = {name: obj[name] for name in names if name in obj}
    return LevelInterval.from_scalars(scalars) or LevelInterval.from_attributes(obj.attrs)


def _draw_level(axes: "Axes", at: tuple[float, float], level: LevelInterval, colour: str) -> None:
    """Draws the 90 % interval of a value that is due to the level, as an error bar."""
    nm, value = at
    low, high = level.factor
    text = "90 % interval of the level"
    listed = {bar.get_label() for bar in axes.containers}
    axes.errorbar(
        [nm], [value], yerr=[[(1 - low) * value], [(high - 1) * value]],
        fmt="none", ecolor=colour, elinewidth=1.6, capsize=4,
        label=f"_{text}" if text in listed else text,
    )  # fmt: skip
