"""Where an array lies on Earth: its affine transform and its CRS, also after slicing.

The grid of a scene is stated once, as rioxarray does: a scalar coordinate `spatial_ref` holds the
CRS and the `GeoTransform`. Slicing keeps that statement, which then is about the scene it came
from; the coordinates of the pixels tell how far the slice lies from its origin.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray

from hsi_xr.errors import InvalidData

if TYPE_CHECKING:
    import pyproj
    from rasterio.crs import CRS

_ROUND = 1e-3
"""Pixels. Coordinates as float64 place a 1 cm pixel on Earth to some 1e-7 of its size."""
_UNEVEN = 0.01
"""Share of a pixel by which a coordinate may miss an evenly spaced one."""


def coordinates(
    transform: Affine, crs: "CRS | None", shape: tuple[int, int]
) -> dict[str, xr.Variable]:
    """Coordinates of a grid of (rows, columns): `spatial_ref`, and the places of the pixels.

    The places are the centres `y` and `x` where the grid is aligned with its axes. Otherwise a
    pixel has no x of its own, and `row` (along y) and `column` (along x) number the pixels of the
    whole scene, which is what a slice of a rotated scene knows its place by.
    """
    rows, columns = np.arange(shape[0]), np.arange(shape[1])
    spatial_ref = _spatial_ref(transform, crs)
    if _is_aligned(transform):
        y = xr.Variable("y", transform.f + transform.e * (rows + 0.5))
        x = xr.Variable("x", transform.c + transform.a * (columns + 0.5))
        return {"spatial_ref": spatial_ref, "y": y, "x": x}
    whole = {"GeoTransform": spatial_ref.attrs["GeoTransform"]}
    row = xr.Variable("y", rows, {"long_name": "row of the scene, from 0", **whole})
    column = xr.Variable("x", columns, {"long_name": "column of the scene, from 0", **whole})
    return {"spatial_ref": spatial_ref, "row": row, "column": column}


def transform_of(obj: xr.Dataset | xr.DataArray) -> Affine | None:
    """The affine transform from (column, row) of this array to its CRS, or None if untold.

    For a slice it is the stated transform, moved by whole pixels: exact, without drift, and known
    for a single row or column too. Coordinates that were thinned or coarsened change the pixel.

    Raises:
        InvalidData: Coordinates are not evenly spaced, or the stated transform is malformed.
    """
    base = _stated_transform(_grid_mapping(obj))
    if base is None:
        return _from_centres(obj)
    if _is_aligned(base):
        row, down = _place(obj, "y", "y", (base.f, base.e))
        column, right = _place(obj, "x", "x", (base.c, base.a))
    else:
        whole = _numbered_transform(obj)
        if whole is None or not _is_shifted(whole, base):
            return base  # not numbered, or brought onto another grid since
        base = whole
        row, down = _place(obj, "y", "row", (-0.5, 1.0))
        column, right = _place(obj, "x", "column", (-0.5, 1.0))
    corner = column + (1 - right) / 2, row + (1 - down) / 2
    x = base.a * corner[0] + base.b * corner[1] + base.c
    y = base.d * corner[0] + base.e * corner[1] + base.f
    return Affine(base.a * right, base.b * down, x, base.d * right, base.e * down, y)


def crs_of(obj: xr.Dataset | xr.DataArray) -> "CRS | None":
    """The coordinate reference system that the array states, or None.

    Raises:
        InvalidData: What it states is no CRS.
    """
    attrs = _grid_mapping(obj)
    wkt = attrs.get("crs_wkt") or attrs.get("spatial_ref")
    if not wkt:
        return None
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    try:
        return CRS.from_wkt(str(wkt))
    except CRSError as error:
        raise InvalidData(
            f"the CRS in 'spatial_ref' cannot be understood ({error}); "
            "set it anew, e.g. `scene.rio.write_crs('EPSG:32633')`"
        ) from error


def authority_code(crs: "pyproj.CRS | None") -> str | None:
    """`EPSG:32633`, if the CRS is exactly that one."""
    from pyproj import CRS

    authority = crs.to_authority() if crs is not None else None
    if crs is None or authority is None:
        return None
    same = CRS.from_authority(*authority).equals(crs, ignore_axis_order=True)
    return ":".join(authority) if same else None


def _spatial_ref(transform: Affine, crs: "CRS | None") -> xr.Variable:
    import rioxarray  # noqa: F401  registers .rio

    unsigned = Affine(*(value + 0.0 for value in transform[:6]))  # some drivers read a zero as -0
    stated = xr.DataArray(0).rio.write_transform(unsigned)
    about = dict(stated.coords["spatial_ref"].attrs)
    return xr.Variable((), 0, (_of_crs(crs.to_wkt()) if crs else {}) | about)


@lru_cache(maxsize=32)  # thousands of tiles have one CRS, and telling it takes milliseconds
def _of_crs(wkt: str) -> dict[str, Any]:
    """What `spatial_ref` says of a CRS."""
    return dict(xr.DataArray(0).rio.write_crs(wkt).coords["spatial_ref"].attrs)


def _is_aligned(transform: Affine) -> bool:
    return bool(transform.b == transform.d == 0)


def _grid_mapping(obj: xr.Dataset | xr.DataArray) -> Mapping[str, Any]:
    """Attributes of the coordinate that holds CRS and transform; empty if there is none."""
    arrays = [obj] if isinstance(obj, xr.DataArray) else [obj, *obj.data_vars.values()]
    named = [{**array.attrs, **array.encoding}.get("grid_mapping") for array in arrays]
    for name in [*named, "spatial_ref"]:
        if name in obj.coords or (isinstance(obj, xr.Dataset) and name in obj):
            return obj[name].attrs
    return {}


def _numbered_transform(obj: xr.Dataset | xr.DataArray) -> Affine | None:
    """The transform of the scene whose pixels `row` and `column` number, if they do."""
    if "row" not in obj.coords or "column" not in obj.coords:
        return None
    return _stated_transform(obj["row"].attrs)


def _is_shifted(whole: Affine, part: Affine) -> bool:
    """Whether only the origins differ: a window may have been given a transform of its own."""
    return all(getattr(whole, side) == getattr(part, side) for side in "abde")


def _stated_transform(attrs: Mapping[str, Any]) -> Affine | None:
    text = attrs.get("GeoTransform")
    if text is None:
        return None
    try:
        return Affine.from_gdal(*map(float, str(text).split()))
    except (TypeError, ValueError) as error:
        raise InvalidData(
            f"'GeoTransform' needs six numbers; got {text!r}. "
            "Set it anew, e.g. `scene.rio.write_transform(affine)`"
        ) from error


def _place(
    obj: xr.Dataset | xr.DataArray, dim: str, name: str, line: tuple[float, float]
) -> tuple[float, float]:
    """First pixel and step of an axis, in pixels of the stated grid; (0, 1) for all of it.

    `line` is origin and size: the centre of pixel i is at origin + size * (i + 0.5).
    """
    values = _values(obj, dim, name)
    if values is None:
        return 0.0, 1.0
    origin, size = line
    pixels = (values - origin) / size - 0.5
    step = _rounded(_even_step(pixels, name)) if len(pixels) > 1 else 1.0
    return _rounded(pixels[0]), step


def _from_centres(obj: xr.Dataset | xr.DataArray) -> Affine | None:
    """The transform by coordinates alone: one pixel does not tell how large it is."""
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
            f"coordinate {name!r} is not evenly spaced, so its pixels have no one size; "
            "bring the scene onto a regular grid, e.g. with `rio.reproject`"
        )
    return step


def _rounded(pixels: float) -> float:
    """The half or whole number of pixels that is meant; coarsening by two ends up on halves."""
    half = round(pixels * 2) / 2
    return half if abs(pixels - half) < _ROUND else float(pixels)
