"""Plots of a cube: the spectrum of a pixel, and its picture in natural colours."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.analysis.pixels import spectrum
from hsi_xr.extras import require
from hsi_xr.raster.cube import Cube, cube_of, sorted_bands
from hsi_xr.raster.quicklook import three_bands

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NINETY = 1.645
"""Standard deviations to either side that hold 90 per cent of a normal distribution."""
_LONGEST = 1024
"""Pixels of a picture's longer side."""
_CUT = (2, 98)
"""Percentiles, of all three bands together, that become black and white."""
_GAMMA = 1 / 2.2


@dataclass(frozen=True)
class Plots:
    """What `.hsi.plot` offers; each draws into `ax`, or into axes that it makes, and gives them."""

    cube: Cube

    def spectrum(
        self, x: float, y: float, *, ax: "Axes | None" = None, label: str | None = None
    ) -> "Axes":
        """Reflectance over wavelength of the pixel that a place lies in; see `plot_spectrum`."""
        return plot_spectrum(self.cube, x, y, ax=ax, label=label)

    def rgb(
        self,
        *,
        wavelengths: tuple[float, float, float] = (650, 550, 450),
        ax: "Axes | None" = None,
    ) -> "Axes":
        """The picture of three bands; see `plot_rgb`."""
        return plot_rgb(self.cube, wavelengths=wavelengths, ax=ax)


def plot_spectrum(
    obj: Cube, x: float, y: float, *, ax: "Axes | None" = None, label: str | None = None
) -> "Axes":
    """The spectrum at a place in the cube's CRS, as a line over nm.

    Where there is `reflectance_std`, a band of 1.645 standard deviations to either side: it would
    hold 90 per cent of normally spread samples, and is not calibrated against the truth.

    Raises:
        UsageError: matplotlib is not installed, or the place is not on the cube.
    """
    require("matplotlib")
    pixel = spectrum(obj, x, y)
    mean = pixel["reflectance"] if isinstance(pixel, xr.Dataset) else pixel
    bands, order = sorted_bands(mean, "the cube")
    values, nm = np.asarray(mean.values)[order], list(bands.centres)
    axes = _axes(ax)
    (line,) = axes.plot(nm, values, linewidth=2, label=label or f"{x:.10g}, {y:.10g}")
    if isinstance(pixel, xr.Dataset) and "reflectance_std" in pixel:
        spread = _NINETY * np.asarray(pixel["reflectance_std"].values)[order]
        low, high = values - spread, values + spread
        name = f"± {_NINETY} sd"
        told = {text.get_label() for text in axes.collections}
        axes.fill_between(
            nm, low, high,
            color=line.get_color(), alpha=0.2, linewidth=0,
            label=f"_{name}" if name in told else name,
        )  # fmt: skip
    axes.set(xlabel="wavelength (nm)", ylabel=_quantity(mean), title=_title(mean))
    axes.autoscale_view()
    axes.set_ylim(bottom=min(0.0, axes.dataLim.ymin), auto=True)  # a next one may be higher
    axes.grid(color="#e3e3e3", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return axes


def plot_rgb(
    obj: Cube,
    *,
    wavelengths: tuple[float, float, float] = (650, 550, 450),
    ax: "Axes | None" = None,
) -> "Axes":
    """The bands nearest to three wavelengths in nm as red, green and blue.

    One stretch for all three, so that hues stay, between percentiles 2 and 98 of what is drawn; of
    large cubes every n-th pixel. Computes those pixels; what has no data stays transparent.

    Raises:
        UsageError: matplotlib is not installed.
        BandMismatch: The cube has no wavelengths.
    """
    require("matplotlib")
    cube = cube_of(obj)
    step = -(-max(cube.sizes["y"], cube.sizes["x"]) // _LONGEST)
    few = three_bands(cube, wavelengths).isel(y=slice(None, None, step), x=slice(None, None, step))
    axes = _axes(ax)
    axes.imshow(_stretched(np.asarray(few.values)), extent=_extent(cube), interpolation="nearest")
    shown = ", ".join(f"{nm:g}" for nm in few["wavelength"].values)
    axes.set_title(f"{_title(cube)}\n{shown} nm".lstrip("\n"))
    axes.set(xlabel="x", ylabel="y") if "x" in cube.coords else axes.set_axis_off()
    axes.ticklabel_format(useOffset=False, style="plain")
    axes.tick_params(axis="x", rotation=30)
    return axes


def _axes(ax: "Axes | None") -> "Axes":
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]


def _stretched(values: NDArray[Any]) -> NDArray[np.float64]:
    """(3, rows, columns) -> (rows, columns, 4) in [0, 1]; the last is 0 where there is no data."""
    known = np.isfinite(values).all(0)
    image = np.zeros((*known.shape, 4))
    if known.any():
        low, high = np.percentile(values[:, known], _CUT)
        light = ((values[:, known] - low) / max(high - low, 1e-6)).clip(0, 1) ** _GAMMA
        image[known] = np.vstack([light, np.ones(light.shape[1])]).T
    return image


def _extent(cube: xr.DataArray) -> tuple[float, float, float, float] | None:
    """Edges of the outer pixels: left, right, bottom, top; None where they have no x and y."""
    if not {"x", "y"} <= {*cube.coords}:
        return None
    edges = []
    for dim in ("x", "y"):
        places = np.asarray(cube[dim].values, np.float64)
        half = (places[-1] - places[0]) / max(len(places) - 1, 1) / 2
        edges.append((places[0] - half, places[-1] + half))
    (left, right), (top, bottom) = edges
    return left, right, bottom, top


def _quantity(cube: xr.DataArray) -> str:
    return (
        "relative reflectance" if "relative" in str(cube.attrs.get("long_name")) else "reflectance"
    )


def _title(cube: xr.DataArray) -> str:
    return str(cube.attrs.get("comment", ""))
