"""Parts of a cube by place and by wavelength."""

from typing import Any, TypeVar

import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray

from hsi_xr.calibration.sites import Box
from hsi_xr.calibration.sites_from_points import box_around, to_crs_of
from hsi_xr.errors import NotGeoreferenced, UsageError
from hsi_xr.io import grid
from hsi_xr.io.cube import cube_of, sorted_bands
from hsi_xr.io.georef import transform_of

Given = TypeVar("Given", bound=xr.Dataset | xr.DataArray)

_EDGE = 1e-6
"""Pixels: a place that is this close to the edge of a cube is on it."""
_HALF = 0.5
"""Share of a square that must be known for its mean."""
_LIGHT = 100.0
"""A wavelength less than this is no nm."""


def spectrum(
    obj: Given, x: float, y: float, *, crs: str | None = None, size: float | None = None
) -> Given:
    """The spectrum of the pixel that a place lies in, or the mean of a square about it.

    Args:
        obj: A cube, as a Dataset with `reflectance` or as an array (band, y, x).
        x: In the CRS of the cube, or in `crs`.
        y: In the CRS of the cube, or in `crs`.
        crs: Of the place, such as "EPSG:4326" (x is the longitude then).
        size: Side of the square, along rows and columns, in units of the cube's CRS: its pixels
            count by the area that lies in it.

    Returns:
        Dataset or array, as what was given, over `wavelength` in nm, lazy if the cube is; scalar
        coordinates `x` and `y` are the centre of the pixel or square in the CRS of the cube. A
        square is NaN where less than half of it is known, and its deviation is the mean of those
        of its pixels, which errors of neighbours that go together do not make smaller. `calibrate`
        and `sam` take its array.

    Raises:
        UsageError: The place, or its square, is not on the cube; or there is no such CRS.
        NotGeoreferenced: The cube does not tell where it lies, or has no CRS to come to from `crs`.
    """
    cube = cube_of(obj)
    sorted_bands(cube, "the cube")  # a spectrum has one number a wavelength
    transform, shape = transform_of(cube), (cube.sizes["y"], cube.sizes["x"])
    if transform is None:
        raise NotGeoreferenced(
            "the cube does not tell where it lies, so no place can be found on it; take a pixel, "
            "e.g. `cube.isel(y=10, x=20)`"
        )
    box = _box(cube, transform, (x, y), crs, size)
    if not box.within(shape):
        low_x, low_y, high_x, high_y = grid.bounds(transform, shape)
        reaching = "is not" if size is None else f"with {size:g} about it is not wholly"
        raise UsageError(
            f"the place {x:.10g}, {y:.10g} {reaching} on the cube, which spans x {low_x:.10g} to "
            f"{high_x:.10g}, y {low_y:.10g} to {high_y:.10g}; give a place there, in its CRS or "
            "with its own, e.g. crs='EPSG:4326'"
        )
    one = {"y": int(box.top), "x": int(box.left)}
    part: Any = obj.isel(one) if size is None else _mean(obj, box)
    middle = (box.left + box.columns / 2, box.top + box.rows / 2)
    ((east, north),) = grid.points(transform, [middle]).tolist()
    found: Any = part.swap_dims(band="wavelength").assign_coords(x=east, y=north)
    return found


def nearest_band(
    obj: xr.Dataset | xr.DataArray, wavelength: float, *, tolerance: float | None = None
) -> Any:
    """The band nearest to a wavelength in nm, as what `sel(band=...)` takes.

    Args:
        obj: A cube, as a Dataset with `reflectance` or as an array (band, y, x).
        wavelength: In nm.
        tolerance: How far away its centre may be, in nm; by default, beyond the first and the last
            band, as far as bands are from each other.

    Raises:
        UsageError: No band is as near.
    """
    cube = cube_of(obj)
    bands, order = sorted_bands(cube, "the cube")
    first, last = bands.centres[0], bands.centres[-1]
    at = bands.nearest(wavelength)
    if tolerance is None:
        near = first - bands.step <= wavelength <= last + bands.step
    else:
        near = abs(bands.centres[at] - wavelength) <= tolerance
    if not near:
        raise UsageError(
            f"the cube has {first:g} to {last:g} nm, and its nearest to {wavelength:g} nm is "
            f"{bands.centres[at]:g} nm; {_repair(wavelength)}"
        )
    return cube["band"].values[order[at]].item()


def bands(obj: Given, first: float, last: float) -> Given:
    """The bands whose centres lie from one wavelength to another in nm, both included.

    Unlike `sel(wavelength=slice(first, last))`, for bands in any order, and never for none.

    Raises:
        UsageError: No band lies there.
    """
    own, order = sorted_bands(cube_of(obj), "the cube")
    chosen = sorted(at for at, nm in zip(order.tolist(), own.centres) if first <= nm <= last)
    if not chosen:
        raise UsageError(
            f"no band lies from {first:g} to {last:g} nm; the cube has {own.centres[0]:g} to "
            f"{own.centres[-1]:g} nm in steps of {own.step:g}; "
            + (_repair(last) if first <= last else "give the shorter wavelength first")
        )
    found: Any = obj.isel(band=chosen)
    return found


def _repair(wavelength: float) -> str:
    if 0 < wavelength < _LIGHT:
        return f"give nm, e.g. {1000 * wavelength:g} for {wavelength:g} um"
    return "give a wavelength there, in nm"


def _box(
    cube: xr.DataArray,
    transform: Affine,
    place: tuple[float, float],
    crs: str | None,
    size: float | None,
) -> Box:
    if size is not None and not size > 0:
        raise UsageError(f"a square has a side that is positive; got size={size!r}")
    places = to_crs_of(cube, np.array([place], np.float64), crs)
    ((column, row),) = grid.points(~transform, places).tolist()
    if size is None and np.isfinite([column, row]).all():
        column, row = _inwards(column, cube.sizes["x"]), _inwards(row, cube.sizes["y"])
    if not np.isfinite([column, row]).all():
        return Box(-1, -1, 1, 1)
    return box_around(column, row, size, grid.pixel_size(transform))


def _inwards(at: float, count: int) -> float:
    """What lies on the outer edge of the first or last pixel belongs to it."""
    return float(np.clip(at, 0, count - 0.5)) if -_EDGE <= at <= count + _EDGE else at


def _mean(obj: xr.Dataset | xr.DataArray, box: Box) -> Any:
    """By the area of each pixel that lies in the box."""
    rows, columns = box.window
    part: Any = obj.isel(y=rows, x=columns).drop_vars(["y", "x"], errors="ignore")
    down = xr.DataArray(_overlap(box.top, box.rows, rows), dims="y")
    right = xr.DataArray(_overlap(box.left, box.columns, columns), dims="x")
    area = down * right
    known = (part.notnull() * area).sum(("y", "x")) / area.sum()
    means = part.weighted(area).mean(("y", "x"), keep_attrs=True)
    return means.where(known > _HALF - _EDGE).astype("float32", keep_attrs=True)


def _overlap(start: float, length: float, pixels: slice) -> NDArray[np.float64]:
    at = np.arange(pixels.start, pixels.stop, dtype=np.float64)
    return (np.minimum(at + 1, start + length) - np.maximum(at, start)).clip(0, 1)
