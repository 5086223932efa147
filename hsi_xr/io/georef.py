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
from numpy.typing import NDArray

from hsi_xr.errors import InvalidData
from hsi_xr.io.grid_mapping import GridMapping, clean_transform, grid_mapping_of

if TYPE_CHECKING:
    import pyproj
    from rasterio.crs import CRS

_ROUNDING = 1e-3
"""Tolerance in pixels; float64 coordinates locate a 1 cm pixel on Earth to about 1e-7 pixels."""
_UNEVEN = 0.01
"""Tolerance of evenly spaced coordinates, in pixels."""


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

    For a slice, it is the transform in `spatial_ref`, shifted by whole pixels: exact, and known for
    a single row or column, too. Thinned or coarsened coordinates change the size of the pixels.

    Raises:
        InvalidData: Coordinates are not evenly spaced, or `GeoTransform` is malformed.
    """
    base = grid_mapping_of(obj).transform
    if base is None:
        return _from_centres(obj)
    if _is_aligned(base):
        row, down = _offset_and_step(obj, "y", "y", (base.f, base.e))
        column, right = _offset_and_step(obj, "x", "x", (base.c, base.a))
    else:
        of_scene = _numbered_transform(obj)
        if of_scene is None or not _is_shifted(of_scene, base):
            return base  # not numbered, or resampled to another grid since
        base = of_scene
        row, down = _offset_and_step(obj, "y", "row", (-0.5, 1.0))
        column, right = _offset_and_step(obj, "x", "column", (-0.5, 1.0))
    corner = column + (1 - right) / 2, row + (1 - down) / 2
    x = base.a * corner[0] + base.b * corner[1] + base.c
    y = base.d * corner[0] + base.e * corner[1] + base.f
    return Affine(base.a * right, base.b * down, x, base.d * right, base.e * down, y)


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


def _numbered_transform(obj: xr.Dataset | xr.DataArray) -> Affine | None:
    """Returns the transform of the scene whose pixels `row` and `column` number."""
    if "row" not in obj.coords or "column" not in obj.coords:
        return None
    return GridMapping(attrs=obj["row"].attrs).transform


def _is_shifted(scene: Affine, part: Affine) -> bool:
    """True if only the origins differ, since a part may state a transform of its own."""
    return all(getattr(scene, element) == getattr(part, element) for element in "abde")


def _offset_and_step(
    obj: xr.Dataset | xr.DataArray, dim: str, name: str, axis: tuple[float, float]
) -> tuple[float, float]:
    """Returns the first pixel and the step along an axis, in pixels of the grid; (0, 1) for all.

    `axis` is (origin, size): the centre of pixel i is at origin + size * (i + 0.5).
    """
    values = _values(obj, dim, name)
    if values is None:
        return 0.0, 1.0
    origin, size = axis
    pixels = (values - origin) / size - 0.5
    step = _round_to_halves(_even_step(pixels, name)) if len(pixels) > 1 else 1.0
    return _round_to_halves(pixels[0]), step


def _from_centres(obj: xr.Dataset | xr.DataArray) -> Affine | None:
    """Returns the transform that pixel centres imply; a single pixel does not imply its size."""
    y, x = _values(obj, "y", "y"), _values(obj, "x", "x")
    if y is None or x is None or len(y) < 2 or len(x) < 2:
        return None
    down, right = _even_step(y, "y"), _even_step(x, "x")
    return Affine(right, 0.0, float(x[0]) - right / 2, 0.0, down, float(y[0]) - down / 2)


def _values(obj: xr.Dataset | xr.DataArray, dim: str, name: str) -> NDArray[np.float64] | None:
    if name not in obj.coords or obj[name].dims != (dim,) or not obj[name].size:
        return None
    return np.asarray(obj[name].values, dtype=np.float64)


def _even_step(values: NDArray[np.float64], name: str) -> float:
    step = float(values[-1] - values[0]) / (len(values) - 1)
    even = values[0] + step * np.arange(len(values))
    if step == 0 or not np.abs(values - even).max() <= _UNEVEN * abs(step):
        raise InvalidData(
            f"coordinate {name!r} is not evenly spaced, so its pixels differ in size; "
            "resample the scene to a regular grid, e.g. with `scene.rio.reproject`"
        )
    return step


def _round_to_halves(pixels: float) -> float:
    """Removes rounding errors; coarsening by an even number ends up at half pixels."""
    half = round(pixels * 2) / 2
    return half if abs(pixels - half) < _ROUNDING else float(pixels)
