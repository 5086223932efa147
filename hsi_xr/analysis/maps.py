"""Plots of three bands and of maps, in map coordinates."""

from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.analysis.select import three_bands
from hsi_xr.errors import UsageError
from hsi_xr.extras import require
from hsi_xr.io.cube import Cube, cube_of
from hsi_xr.io.georef import crs_of, transform_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST = 1024
"""Largest number of pixels drawn along the longer side."""
_CUT = (2, 98)
"""Percentiles at the ends of a colour scale."""
_GAMMA = 1 / 2.2
_LINE = 45
"""Characters per line of a label."""


def plot_rgb(
    obj: Cube,
    *,
    wavelengths: tuple[float, float, float] = (650, 550, 450),
    ax: "Axes | None" = None,
) -> "Axes":
    """Plots the bands nearest to three wavelengths as red, green and blue.

    All three bands share one contrast stretch between the 2nd and 98th percentile, so that hues are
    preserved. For a large cube, only every n-th pixel is computed and drawn; pixels without data
    are transparent.

    Args:
        obj: Cube: Dataset with `reflectance`, or DataArray (band, y, x).
        wavelengths: Wavelengths of red, green and blue, nm.
        ax: Axes to draw into; None creates new ones.

    Raises:
        UsageError: matplotlib is not installed.
        BandMismatch: The cube has no wavelengths.
    """
    require("matplotlib")
    cube = cube_of(obj)
    drawn = _thin(three_bands(cube, wavelengths))
    axes = axes_or_new(ax)
    axes.imshow(_stretch(np.asarray(drawn.values)), extent=_extent(cube), interpolation="nearest")
    bands = ", ".join(f"{nm:g}" for nm in drawn["wavelength"].values)
    axes.set_title(_title(cube, f"{bands} nm"))
    _label_axes(axes, cube)
    return axes


def plot_map(obj: Cube, *, cmap: str = "viridis", ax: "Axes | None" = None) -> "Axes":
    """Plots a map of one value per pixel, such as an angle, an index or an uncertainty.

    The colour scale spans the 2nd to 98th percentile. For a large map, only every n-th pixel is
    computed and drawn; pixels that are not finite are transparent.

    Args:
        obj: DataArray (y, x).
        cmap: Name of a matplotlib colour map.
        ax: Axes to draw into; None creates new ones.

    Raises:
        UsageError: matplotlib is not installed, or the array has other dimensions.
    """
    require("matplotlib")
    if isinstance(obj, xr.Dataset) or {*obj.dims} != {"y", "x"}:
        others = [f"{dim}=0" for dim in obj.dims if dim not in ("y", "x")]
        raise UsageError(
            f"a map must be a DataArray (y, x); got {', '.join(map(str, obj.dims)) or 'no'} "
            f"dimensions. Select one map, e.g. `array.isel({', '.join(others) or 'spectrum=0'})`"
        )
    values = np.asarray(_thin(obj.transpose("y", "x")).values, np.float64)
    drawn = np.ma.masked_invalid(values)
    ends = np.percentile(drawn.compressed(), _CUT) if drawn.count() else (0.0, 1.0)
    axes = axes_or_new(ax)
    image = axes.imshow(
        drawn, extent=_extent(obj), interpolation="nearest", cmap=cmap, vmin=ends[0], vmax=ends[1]
    )
    unit = str(obj.attrs.get("units", "1"))
    name = str(obj.attrs.get("long_name", obj.name or ""))
    label = name if unit == "1" else f"{name} ({unit})"
    axes.figure.colorbar(image, ax=axes, label=fill(label, _LINE), extend="both", shrink=0.8)
    axes.set_title(_title(obj, *_selection(obj)))
    _label_axes(axes, obj)
    return axes


def axes_or_new(ax: "Axes | None") -> "Axes":
    """Returns `ax`, or the axes of a new figure."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]


def _title(array: xr.DataArray, *words: str) -> str:
    """Joins words and the first clause of the array's comment; there is no room for more."""
    clause = str(array.attrs.get("comment", "")).split(";")[0]
    return "\n".join([*words, *filter(None, [fill(clause, _LINE)])])


def _selection(array: xr.DataArray) -> list[str]:
    """Returns the labels that select this map from a stack."""
    names = [str(array[dim].values) for dim in ("spectrum", "index") if dim in array.coords]
    wavelength = array.coords.get("wavelength")
    return names if wavelength is None else [*names, f"{float(wavelength):g} nm"]


def _thin(array: xr.DataArray) -> xr.DataArray:
    step = -(-max(array.sizes["y"], array.sizes["x"]) // _LONGEST)
    return array.isel(y=slice(None, None, step), x=slice(None, None, step))


def _stretch(values: NDArray[Any]) -> NDArray[np.float64]:
    """(3, rows, columns) -> RGBA (rows, columns, 4) in [0, 1]; alpha is 0 without data."""
    known = np.isfinite(values).all(0)
    image = np.zeros((*known.shape, 4))
    if known.any():
        low, high = np.percentile(values[:, known], _CUT)
        light = ((values[:, known] - low) / max(high - low, 1e-6)).clip(0, 1) ** _GAMMA
        image[known] = np.vstack([light, np.ones(light.shape[1])]).T
    return image


def _label_axes(axes: "Axes", array: xr.DataArray) -> None:
    """Labels the axes with the unit of the CRS; hides them if the array has no x and y."""
    if not _is_north_up(array):
        axes.set_axis_off()
        return
    crs = crs_of(array)
    unit = "" if crs is None else f" ({crs.units_factor[0]})"
    axes.set(xlabel=f"x{unit}", ylabel=f"y{unit}")
    axes.ticklabel_format(useOffset=False, style="plain")
    axes.tick_params(axis="x", rotation=30)


def _is_north_up(array: xr.DataArray) -> bool:
    """True if rows and columns run along y and x of the CRS."""
    return {"x", "y"} <= {*array.coords}


def _extent(cube: xr.DataArray) -> tuple[float, float, float, float] | None:
    """Returns left, right, bottom, top of the outer pixels; None if there are no x and y."""
    if not _is_north_up(cube) or (transform := transform_of(cube)) is None:
        return None
    left, top = transform @ (0, 0)
    right, bottom = transform @ (cube.sizes["x"], cube.sizes["y"])
    return left, right, bottom, top
