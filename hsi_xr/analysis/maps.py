"""Pictures of a cube and maps of what is made of it, where they lie on the ground."""

from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.analysis.quicklook import three_bands
from hsi_xr.errors import UsageError
from hsi_xr.extras import require
from hsi_xr.io.cube import Cube, cube_of
from hsi_xr.io.georef import crs_of, transform_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST = 1024
"""Pixels of a picture's longer side."""
_CUT = (2, 98)
"""Percentiles that become the ends of a scale."""
_GAMMA = 1 / 2.2
_LINE = 45
"""Letters of a line."""


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
    few = _thinned(three_bands(cube, wavelengths))
    axes = axes_or_new(ax)
    axes.imshow(_stretched(np.asarray(few.values)), extent=_extent(cube), interpolation="nearest")
    shown = ", ".join(f"{nm:g}" for nm in few["wavelength"].values)
    axes.set_title(_title(cube, f"{shown} nm"))
    _place(axes, cube)
    return axes


def plot_map(obj: Cube, *, cmap: str = "viridis", ax: "Axes | None" = None) -> "Axes":
    """One number a pixel, such as an angle, an index or a deviation, with its scale beside it.

    The scale reaches from percentile 2 to 98 of what is drawn; of large maps every n-th pixel.
    Computes those pixels; what is not finite stays transparent.

    Args:
        obj: An array (y, x).
        cmap: Name of a colour map of matplotlib.
        ax: Axes to draw into; new ones by default.

    Raises:
        UsageError: matplotlib is not installed, or the array has other axes.
    """
    require("matplotlib")
    if isinstance(obj, xr.Dataset) or {*obj.dims} != {"y", "x"}:
        others = [f"{dim}=0" for dim in obj.dims if dim not in ("y", "x")]
        raise UsageError(
            f"a map is an array (y, x); this has {', '.join(map(str, obj.dims)) or 'no axes'}. "
            f"Choose one, e.g. `array.isel({', '.join(others) or 'spectrum=0'})`"
        )
    few = np.asarray(_thinned(obj.transpose("y", "x")).values, np.float64)
    shown = np.ma.masked_invalid(few)
    ends = np.percentile(shown.compressed(), _CUT) if shown.count() else (0.0, 1.0)
    axes = axes_or_new(ax)
    image = axes.imshow(
        shown, extent=_extent(obj), interpolation="nearest", cmap=cmap, vmin=ends[0], vmax=ends[1]
    )
    unit = str(obj.attrs.get("units", "1"))
    name = str(obj.attrs.get("long_name", obj.name or ""))
    label = name if unit == "1" else f"{name} ({unit})"
    axes.figure.colorbar(image, ax=axes, label=fill(label, _LINE), extend="both", shrink=0.8)
    axes.set_title(_title(obj, *_chosen(obj)))
    _place(axes, obj)
    return axes


def axes_or_new(ax: "Axes | None") -> "Axes":
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]


def _title(array: xr.DataArray, *words: str) -> str:
    """Of a long comment the first clause: there is no room for more."""
    clause = str(array.attrs.get("comment", "")).split(";")[0]
    return "\n".join([*words, *filter(None, [fill(clause, _LINE)])])


def _chosen(array: xr.DataArray) -> list[str]:
    """What was chosen of a stack of maps."""
    names = [str(array[dim].values) for dim in ("spectrum", "index") if dim in array.coords]
    told = array.coords.get("wavelength")
    return names if told is None else [*names, f"{float(told):g} nm"]


def _thinned(array: xr.DataArray) -> xr.DataArray:
    step = -(-max(array.sizes["y"], array.sizes["x"]) // _LONGEST)
    return array.isel(y=slice(None, None, step), x=slice(None, None, step))


def _stretched(values: NDArray[Any]) -> NDArray[np.float64]:
    """(3, rows, columns) -> (rows, columns, 4) in [0, 1]; the last is 0 where there is no data."""
    known = np.isfinite(values).all(0)
    image = np.zeros((*known.shape, 4))
    if known.any():
        low, high = np.percentile(values[:, known], _CUT)
        light = ((values[:, known] - low) / max(high - low, 1e-6)).clip(0, 1) ** _GAMMA
        image[known] = np.vstack([light, np.ones(light.shape[1])]).T
    return image


def _place(axes: "Axes", array: xr.DataArray) -> None:
    """Names the axes by the CRS, or hides them where pixels have no x and y of their own."""
    if not _is_placed(array):
        axes.set_axis_off()
        return
    crs = crs_of(array)
    unit = "" if crs is None else f" ({crs.units_factor[0]})"
    axes.set(xlabel=f"x{unit}", ylabel=f"y{unit}")
    axes.ticklabel_format(useOffset=False, style="plain")
    axes.tick_params(axis="x", rotation=30)


def _is_placed(array: xr.DataArray) -> bool:
    """Whether rows and columns run along y and x of the ground."""
    return {"x", "y"} <= {*array.coords}


def _extent(cube: xr.DataArray) -> tuple[float, float, float, float] | None:
    """Edges of the outer pixels: left, right, bottom, top; None where they have no x and y."""
    if not _is_placed(cube) or (transform := transform_of(cube)) is None:
        return None
    left, top = transform @ (0, 0)
    right, bottom = transform @ (cube.sizes["x"], cube.sizes["y"])
    return left, right, bottom, top
