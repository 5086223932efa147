"""The georeference of an array: its affine transform and its CRS, even after slicing.

As in rioxarray, the scalar coordinate `spatial_ref` has the CRS and the `GeoTransform` of a scene.
Slicing keeps it as it is, so it then describes the scene and not the slice. The coordinates of the
pixels give the offset of the slice within the scene.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from affine import Affine

from hsi_xr.errors import InvalidData
from hsi_xr.io import axes, grid
from hsi_xr.io.grid_mapping import GridMapping, clean_transform, grid_mapping_of

if TYPE_CHECKING:
    import pyproj
    from rasterio.crs import CRS

_MOST_PIXELS = 100_000
"""Rows and columns of the largest scenes."""


def coordinates(
    transform: Affine, crs: "CRS | None", shape: tuple[int, int]
) -> dict[str, xr.Variable]:
    """Returns the coordinates of a grid of (rows, columns): `spatial_ref` and pixel coordinates.

    If the grid is aligned with the axes of the CRS, these are the pixel centres `y` and `x`.
    Otherwise there is no single x for a column, and `row` (along y) and `column` (along x) number
    the pixels of the scene; a slice of a rotated scene is located by them.
    """
    transform = clean_transform(transform)  # some drivers read -0 or 1e-17 for zero
    rows, columns = np.arange(shape[0]), np.arange(shape[1])
    spatial_ref = _spatial_ref(transform, crs)
    if _is_aligned(transform):
        y = xr.Variable("y", transform.f + transform.e * (rows + 0.5))
        x = xr.Variable("x", transform.c + transform.a * (columns + 0.5))
        return {"spatial_ref": spatial_ref, "y": y, "x": x}
    of_scene = {"GeoTransform": spatial_ref.attrs["GeoTransform"]}
    row = xr.Variable("y", rows, {"long_name": "row of the scene, from 0", **of_scene})
    column = xr.Variable("x", columns, {"long_name": "column of the scene, from 0", **of_scene})
    return {"spatial_ref": spatial_ref, "row": row, "column": column}


def transform_of(obj: xr.Dataset | xr.DataArray) -> Affine | None:
    """Returns the affine transform from (column, row) of an array to its CRS, or None.

    For a slice, it is the transform that is stated, shifted by whole pixels: exact, and known for
    a single row or column, too. Thinned or coarsened coordinates change the size of the pixels.
    Coordinates that only number pixels, as those of a file without a georeference do, are no
    transform.

    Raises:
        InvalidData: Coordinates are uneven or too coarse, or the stated transform is malformed.
    """
    base = grid_mapping_of(obj).transform
    found = _grid(obj, base)
    return None if found is None or _numbers_pixels(found, base) else found


def pixel_grid_of(obj: xr.Dataset | xr.DataArray) -> Affine | None:
    """Returns the transform of an array, or else that to the pixels of its scene.

    The columns and rows of an array without a georeference still tell which part of a scene it is.

    Raises:
        InvalidData: As for `transform_of`.
    """
    base = grid_mapping_of(obj).transform
    found = _grid(obj, base)
    if found is None or not _numbers_pixels(found, base):
        return found
    # coordinates of 0, 1, ... number the same pixels as 0.5, 1.5, ...
    column, row = (float(np.floor(value + 0.5)) for value in (found.c, found.f))
    return Affine(found.a, 0.0, column, 0.0, found.e, row)


def crs_of(obj: xr.Dataset | xr.DataArray) -> "CRS | None":
    """Returns the coordinate reference system of an array, or None.

    Raises:
        InvalidData: Its CRS cannot be parsed, or variables of a Dataset differ in CRS.
    """
    return grid_mapping_of(obj).crs


def authority_code(crs: "pyproj.CRS | None") -> str | None:
    """Returns the code of a CRS, such as `EPSG:32633`; None if none is exactly equal."""
    from pyproj import CRS

    authority = crs.to_authority() if crs is not None else None
    if crs is None or authority is None:
        return None
    same = CRS.from_authority(*authority).equals(crs, ignore_axis_order=True)
    return ":".join(authority) if same else None


def _spatial_ref(transform: Affine, crs: "CRS | None") -> xr.Variable:
    import rioxarray  # noqa: F401  registers .rio

    with_transform = xr.DataArray(0).rio.write_transform(transform)
    attrs = dict(with_transform.coords["spatial_ref"].attrs)
    return xr.Variable((), 0, (_crs_attributes(crs.to_wkt()) if crs else {}) | attrs)


@lru_cache(maxsize=32)  # thousands of tiles share one CRS, and each call takes milliseconds
def _crs_attributes(wkt: str) -> dict[str, Any]:
    return dict(xr.DataArray(0).rio.write_crs(wkt).coords["spatial_ref"].attrs)


def _is_aligned(transform: Affine) -> bool:
    return bool(transform.b == transform.d == 0)


def _grid(obj: xr.Dataset | xr.DataArray, base: Affine | None) -> Affine | None:
    """Returns the stated transform, moved to the pixels of the array; or that of its coordinates.

    Args:
        obj: The array.
        base: The transform that is stated, of the array or of a scene that it was cut from.
    """
    if base is None:
        return _from_centres(obj)
    if not _is_aligned(base):
        return _rotated(obj, base)
    y, x = _values(obj, "y", "y"), _values(obj, "x", "x")
    if _restarts(y, base.f, base.e) and _restarts(x, base.c, base.a):
        return base  # of these very pixels, which the coordinates merely number
    row, down = _position(y, "y", base.f, base.e)
    column, right = _position(x, "x", base.c, base.a)
    if down == right == 1 and row % 1 == column % 1 == 0.5:
        row, column = row + 0.5, column + 0.5  # stackstac's coordinates are the upper left corners
    return _part(base, (row, down), (column, right))


def _rotated(obj: xr.Dataset | xr.DataArray, base: Affine) -> Affine:
    """Returns the transform of a rotated grid, whose pixels may be numbered or located singly."""
    of_scene = _numbered_transform(obj)
    if of_scene is not None:
        if not _is_shifted(of_scene, base):
            return base  # resampled to another grid since
        row = _position(_values(obj, "y", "row"), "row", -0.5, 1.0)
        column = _position(_values(obj, "x", "column"), "column", -0.5, 1.0)
        return _part(of_scene, row, column)
    if {"xc", "yc"} <= {*obj.coords} and obj["xc"].dims == ("y", "x"):
        # rioxarray's coordinates of every pixel
        centres = np.stack([obj["xc"].values, obj["yc"].values], axis=2)
        columns = grid.points(~base, centres[0])[:, 0]
        rows = grid.points(~base, centres[:, 0])[:, 1]
        return _part(base, _position(rows, "yc", 0.0, 1.0), _position(columns, "xc", 0.0, 1.0))
    y, x = _values(obj, "y", "y"), _values(obj, "x", "x")
    if y is None or x is None:
        return base
    if _are_numbers(y) and _are_numbers(x):  # of the pixels of the grid, as in odc-geo
        return base @ Affine.translation(*(float(np.floor(values[0])) for values in (x, y)))
    if not (base.a and base.e):
        raise InvalidData(
            "the stated transform is rotated by 90 degrees, and the coordinates 'x' and 'y' are "
            "not; drop those that are wrong, e.g. `scene.drop_vars(['x', 'y'])`"
        )
    # rioxarray's coordinates of the first row and column, if the rotation is small
    row = _position(y, "y", base.f + base.d / 2, base.e)
    return _part(base, row, _position(x, "x", base.c + base.b / 2, base.a))


def _part(base: Affine, rows: tuple[float, float], columns: tuple[float, float]) -> Affine:
    """Returns the transform of some pixels of a grid: (first, step) of rows and of columns."""
    (row, down), (column, right) = rows, columns
    x, y = base @ (column + (1 - right) / 2, row + (1 - down) / 2)
    return Affine(base.a * right, base.b * down, x, base.d * right, base.e * down, y)


def _from_centres(obj: xr.Dataset | xr.DataArray) -> Affine | None:
    """Returns the transform that pixel centres imply; a single pixel does not imply its size."""
    y, x = _values(obj, "y", "y"), _values(obj, "x", "x")
    if y is None or x is None or len(y) < 2 or len(x) < 2:
        return None
    (top, down), (left, right) = axes.fit(y, "y"), axes.fit(x, "x")
    return Affine(right, 0.0, left - right / 2, 0.0, down, top - down / 2)


def _numbered_transform(obj: xr.Dataset | xr.DataArray) -> Affine | None:
    """Returns the transform of the scene whose pixels `row` and `column` number."""
    if "row" not in obj.coords or "column" not in obj.coords:
        return None
    return GridMapping(attrs=obj["row"].attrs).transform


def _is_shifted(scene: Affine, part: Affine) -> bool:
    """True if only the origins differ, since a part may state a transform of its own."""
    return all(getattr(scene, element) == getattr(part, element) for element in "abde")


def _numbers_pixels(transform: Affine, base: Affine | None) -> bool:
    """True if a transform leads to numbers of pixels, and not to a place.

    They are 0, 1, 2, ... or 0.5, 1.5, ... with rows that count downwards, or part of them. A real
    grid like that would have pixels of exactly one unit, run north, and be near the origin.

    Args:
        transform: That of the array.
        base: The transform that is stated, if any. If it numbers pixels, those of a thinned or
            flipped array are numbered, too.
    """
    a, b, left, d, e, top = tuple(transform)[:6]
    if b or d or not all((2 * v).is_integer() and abs(v) <= _MOST_PIXELS for v in (left, top)):
        return False
    if base is not None and tuple(base)[:6] in ((1, 0, 0, 0, 1, 0), (1, 0, 0, 0, -1, 0)):
        return a.is_integer() and e.is_integer()
    return a == e == 1 and min(left, top) >= -0.5


def _restarts(values: axes.Coordinates | None, origin: float, size: float) -> bool:
    """True if coordinates number pixels from 0 or 0.5, and are not those of the stated grid."""
    if values is None or values[0] not in (0, 0.5) or not _are_numbers(values):
        return False
    return not np.isclose(values[0], origin + 0.5 * size, atol=abs(size))


def _are_numbers(values: axes.Coordinates) -> bool:
    """True if coordinates increase by one, from a whole number or a half."""
    first = float(values[0])
    is_first = (2 * first).is_integer() and 0 <= first <= _MOST_PIXELS
    return is_first and np.array_equal(values, first + np.arange(len(values)))


def _position(
    values: axes.Coordinates | None, name: str, origin: float, size: float
) -> tuple[float, float]:
    """Returns the first pixel and the step along an axis of a grid; (0, 1) for all pixels."""
    if values is None:
        return 0.0, 1.0
    return axes.position(values, name, origin=origin, size=size)


def _values(obj: xr.Dataset | xr.DataArray, dim: str, name: str) -> axes.Coordinates | None:
    if name not in obj.coords or obj[name].dims != (dim,) or not obj[name].size:
        return None
    values = np.asarray(obj[name].values)
    if values.dtype.kind not in "iuf":
        raise InvalidData(
            f"coordinate {name!r} is of type {values.dtype}, but locates pixels; assign numbers, "
            "or drop it, e.g. `scene.drop_vars(['x', 'y'])`"
        )
    return values
