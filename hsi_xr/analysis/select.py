"""Selection from a cube by location and by wavelength."""

from typing import Any, TypeVar

import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray

from hsi_xr.band_grid import nearest
from hsi_xr.calibration.sites import Box
from hsi_xr.calibration.sites_from_points import box_around, to_crs_of
from hsi_xr.errors import BandMismatch, NotGeoreferenced, UsageError
from hsi_xr.io import grid
from hsi_xr.io.cube import cube_of, sorted_bands
from hsi_xr.io.georef import transform_of
from hsi_xr.level_interval import LEVEL_VARIABLES

Xarray = TypeVar("Xarray", bound=xr.Dataset | xr.DataArray)

_EDGE = 1e-6
"""Distance from the edge of a cube, in pixels, within which a location is on it."""
_HALF = 0.5
"""Fraction of a square that must have data for its mean."""
_LIGHT = 100.0
"""Wavelengths below this are not in nm."""


def spectrum(
    obj: Xarray, x: float, y: float, *, crs: str | None = None, size: float | None = None
) -> Xarray:
    """Returns the spectrum of the pixel at a location, or the mean spectrum of a square around it.

    Args:
        obj: Cube: Dataset with `reflectance`, or DataArray ([sample,] band, y, x).
        x: Easting or longitude in the CRS of the cube, or in `crs`.
        y: Northing or latitude in the CRS of the cube, or in `crs`.
        crs: CRS of x and y, such as "EPSG:4326" (x is then the longitude).
        size: Side of the square along rows and columns, in units of the cube's CRS; pixels are
            weighted by their area within the square.

    Returns:
        Dataset or DataArray, like `obj`, over [`sample` and] `wavelength` in nm; lazy if the cube
        is. The scalar coordinates `x` and `y` are the centre of the pixel or square in the CRS of
        the cube. The mean of a square is NaN where less than half of it has data. Its
        `reflectance_std` and quantiles are means over its pixels, as for fully correlated errors.
        `calibrate` and `sam` accept the DataArray.

    Raises:
        UsageError: The location or its square is not on the cube, or `crs` is not a CRS.
        NotGeoreferenced: The cube has no transform, or no CRS to transform to from `crs`.
    """
    cube = cube_of(obj, draws=True)
    sorted_bands(cube, "the cube")  # refuses repeated wavelengths
    transform, shape = transform_of(cube), (cube.sizes["y"], cube.sizes["x"])
    if transform is None:
        raise NotGeoreferenced(
            "the cube has no transform, so locations cannot be found on it; select a pixel by "
            "index, e.g. `cube.isel(y=10, x=20)`"
        )
    box = _box(cube, transform, (x, y), crs, size)
    if not box.within(shape):
        low_x, low_y, high_x, high_y = grid.bounds(transform, shape)
        where = f"{x:.10g}, {y:.10g}"
        what = f"the location {where} is not"
        if size is not None:
            what = f"the square of size {size:g} around {where} is not entirely"
        raise UsageError(
            f"{what} on the cube, which spans x {low_x:.10g} to {high_x:.10g}, y {low_y:.10g} to "
            f"{high_y:.10g}; give a location there in the CRS of the cube, or the CRS of the "
            "location, e.g. crs='EPSG:4326'"
        )
    pixel = {"y": int(box.top), "x": int(box.left)}
    part: Any = obj.isel(pixel) if size is None else _mean(obj, box)
    centre = (box.left + box.columns / 2, box.top + box.rows / 2)
    ((east, north),) = grid.points(transform, [centre]).tolist()
    result: Any = part.swap_dims(band="wavelength").assign_coords(x=east, y=north)
    return result


def nearest_band(
    obj: xr.Dataset | xr.DataArray, wavelength: float, *, tolerance: float | None = None
) -> Any:
    """Returns the label of the band nearest to a wavelength, for `sel(band=...)`.

    Args:
        obj: Cube: Dataset with `reflectance`, or DataArray ([sample,] band, y, x).
        wavelength: Wavelength in nm.
        tolerance: Largest distance of the band centre, in nm; by default, wavelengths beyond the
            first or last band may be one band spacing away.

    Raises:
        UsageError: No band is that close.
    """
    cube = cube_of(obj, draws=True)
    bands, order = sorted_bands(cube, "the cube")
    first, last = bands.centres[0], bands.centres[-1]
    at = bands.nearest(wavelength)
    if tolerance is None:
        near = first - bands.step <= wavelength <= last + bands.step
    else:
        near = abs(bands.centres[at] - wavelength) <= tolerance
    if not near:
        raise UsageError(
            f"the cube has bands from {first:g} to {last:g} nm, and the nearest to "
            f"{wavelength:g} nm is {bands.centres[at]:g} nm; {_repair(wavelength)}"
        )
    return cube["band"].values[order[at]].item()


def bands(obj: Xarray, first: float, last: float) -> Xarray:
    """Selects the bands with centres from one wavelength to another, both included.

    Unlike `sel(wavelength=slice(first, last))`, works for bands in any order and never returns an
    empty selection.

    Args:
        obj: Cube: Dataset with `reflectance`, or DataArray ([sample,] band, y, x).
        first: Shortest wavelength, nm.
        last: Longest wavelength, nm.

    Raises:
        UsageError: No band is in that range.
    """
    own, order = sorted_bands(cube_of(obj, draws=True), "the cube")
    chosen = sorted(at for at, nm in zip(order.tolist(), own.centres) if first <= nm <= last)
    if not chosen:
        raise UsageError(
            f"no band is between {first:g} and {last:g} nm; the cube has {own.centres[0]:g} to "
            f"{own.centres[-1]:g} nm in steps of {own.step:g}; "
            + (_repair(last) if first <= last else "give the shorter wavelength first")
        )
    result: Any = obj.isel(band=chosen)
    return result


def three_bands(
    obj: xr.Dataset | xr.DataArray, wavelengths: tuple[float, float, float] = (650, 550, 450)
) -> xr.DataArray:
    """Selects the bands nearest to three wavelengths, e.g. for `.plot.imshow(robust=True)`.

    Args:
        obj: Cube with a `wavelength` coordinate in nm, or Dataset with `reflectance`.
        wavelengths: Wavelengths of red, green and blue, nm.

    Returns:
        (band, y, x) with three bands, values unchanged; lazy if the cube is.

    Raises:
        BandMismatch: The cube has no wavelengths.
    """
    cube = obj["reflectance"] if isinstance(obj, xr.Dataset) else obj
    if "wavelength" not in cube.coords:
        raise BandMismatch("the cube has no `wavelength` coordinate; assign it along `band`, in nm")
    centres = np.asarray(cube["wavelength"].values, dtype="float64").tolist()
    return cube.isel(band=[nearest(centres, nm) for nm in wavelengths])


def _repair(wavelength: float) -> str:
    if 0 < wavelength < _LIGHT:
        return f"give nm, e.g. {1000 * wavelength:g} for {wavelength:g} um"
    return "give a wavelength in that range, in nm"


def _box(
    cube: xr.DataArray,
    transform: Affine,
    location: tuple[float, float],
    crs: str | None,
    size: float | None,
) -> Box:
    if size is not None and not size > 0:
        raise UsageError(f"size must be positive; got {size!r}")
    projected = to_crs_of(cube, np.array([location], np.float64), crs)
    ((column, row),) = grid.points(~transform, projected).tolist()
    if size is None and np.isfinite([column, row]).all():
        column, row = _snap(column, cube.sizes["x"]), _snap(row, cube.sizes["y"])
    if not np.isfinite([column, row]).all():
        return Box(-1, -1, 1, 1)
    return box_around(column, row, size, grid.pixel_size(transform))


def _snap(at: float, count: int) -> float:
    """Moves a location on the outer edge of the first or last pixel into that pixel."""
    return float(np.clip(at, 0, count - 0.5)) if -_EDGE <= at <= count + _EDGE else at


def _mean(obj: xr.Dataset | xr.DataArray, box: Box) -> Any:
    """Averages a box, weighting pixels by their area within it; the level of a scene is kept."""
    rows, columns = box.window
    part: Any = obj.isel(y=rows, x=columns).drop_vars(["y", "x"], errors="ignore")
    height = xr.DataArray(_overlap(box.top, box.rows, rows), dims="y")
    width = xr.DataArray(_overlap(box.left, box.columns, columns), dims="x")
    area = height * width
    known = (part.notnull() * area).sum(("y", "x")) / area.sum()
    means = part.weighted(area).mean(("y", "x"), keep_attrs=True)
    result = means.where(known > _HALF - _EDGE).astype("float32", keep_attrs=True)
    if isinstance(obj, xr.DataArray):
        return result
    return result.assign({name: obj[name].variable for name in LEVEL_VARIABLES if name in obj})


def _overlap(start: float, length: float, pixels: slice) -> NDArray[np.float64]:
    at = np.arange(pixels.start, pixels.stop, dtype=np.float64)
    return (np.minimum(at + 1, start + length) - np.maximum(at, start)).clip(0, 1)
