"""The dimensions band, y and x, whatever names other readers give them."""

from collections.abc import Hashable
from typing import TypeVar

import xarray as xr

from hsi_xr.errors import BandMismatch
from hsi_xr.io.colour_names import COLOURS, colour_of
from hsi_xr.output_variables import SAMPLE

T = TypeVar("T", xr.Dataset, xr.DataArray, xr.Dataset | xr.DataArray)

DIMS = ("band", "y", "x")

_Y = ("y", "lat", "latitude", "northing", "row", "rows")
_X = ("x", "lon", "longitude", "easting", "col", "column", "columns")
_SPECTRAL = ("wavelength", "wavelengths", "spectral")
_BAND = ("band", "bands", "channel", "channels", "variable", *_SPECTRAL)
_TIME = ("time", "date", "datetime", "t", "step")
_USUAL = {**dict.fromkeys(_Y, "y"), **dict.fromkeys(_X, "x"), **dict.fromkeys(_BAND, "band")}
"""Usual name in lower case -> our name."""


def with_standard_dims(obj: T) -> T:
    """Renames the dimensions of an image to band, y and x, and drops others of length 1.

    Numbers along `wavelength` become the coordinate `wavelength` of the bands; other labels are
    renamed with their dimension. Dimensions longer than 1 that have no usual name are kept, and so
    is that of joint draws.
    """
    for name in [str(dim) for dim in obj.dims]:
        target = _USUAL.get(name.lower())
        if target is None or target in obj.dims:
            continue
        if name.lower() in _SPECTRAL and name in obj.coords and obj[name].dtype.kind in "fiu":
            obj = obj.swap_dims({name: target}).rename({name: "wavelength"})
        else:
            obj = obj.drop_vars(target, errors="ignore").rename({name: target})
    if isinstance(obj, xr.Dataset) and obj.sizes.get("band") == 1 and len(obj.data_vars) > 1:
        obj = obj.isel(band=0, drop=True)  # variables are bands, each opened from its own file
    single = {dim: 0 for dim, size in obj.sizes.items() if size == 1 and dim not in (*DIMS, SAMPLE)}
    return obj.isel(single) if single else obj


def repair_of(obj: xr.Dataset | xr.DataArray) -> str:
    """Returns the call that turns an array into one image: `.isel(time=0)` or `.rename(...)`.

    Args:
        obj: An array without the dimensions of an image, as `with_standard_dims` returns it.
    """
    further = [str(dim) for dim in obj.dims if dim not in DIMS]
    lacking = [dim for dim in DIMS if dim not in obj.dims]
    is_time = [dim for dim in further if dim in _TIME or _is_time(obj, dim)]
    renamed = [dim for dim in further if dim not in is_time][: len(lacking)]
    chosen = [dim for dim in further if dim not in renamed]
    calls = []
    if renamed:
        names = zip(renamed, lacking)
        pairs = ", ".join(f"{old!r}: {new!r}" for old, new in names)
        calls.append(f".rename({{{pairs}}})")
    if chosen:
        calls.append(f".isel({', '.join(f'{dim}=0' for dim in chosen)})")
    return "".join(calls) or f".expand_dims({', '.join(map(repr, lacking))})"


def _is_time(obj: xr.Dataset | xr.DataArray, dim: str) -> bool:
    return dim in obj.coords and obj[dim].dtype.kind == "M"


def image_variables(dataset: xr.Dataset) -> list[Hashable]:
    """Returns the variable that is the image of a Dataset, or those that are its bands.

    Variables over (y, x) that are called red, green and blue, in their names or attributes, precede
    a single variable over (band, y, x), which precedes other variables over (y, x).

    Raises:
        BandMismatch: There are several variables over (band, y, x), or none over y and x.
    """
    planes, images = (
        [name for name, array in dataset.data_vars.items() if {*array.dims} == dims]
        for dims in ({"y", "x"}, {*DIMS})
    )
    colours = [_colour_of_variable(dataset[name]) for name in planes]
    if all(colours.count(colour) == 1 for colour in COLOURS):
        return planes
    if len(images) > 1:
        raise BandMismatch(
            f"there are several images, {', '.join(map(str, images))}; choose one, e.g. "
            f"`ds[{str(images[0])!r}]` (variable={str(images[0])!r} of `hsi_xr.open`)"
        )
    if images or planes:
        return images or planes
    arrays = [array for array in dataset.data_vars.values() if array.ndim > 1]
    if arrays:
        raise BandMismatch(
            f"an image has the dimensions band, y, x, or a variable (y, x) for each band; "
            f"{str(arrays[0].name)!r} has {', '.join(map(str, arrays[0].dims))}. Choose or rename "
            f"dimensions: `ds{repair_of(arrays[0])}`"
        )
    names = ", ".join(map(str, dataset.data_vars)) or "no variables"
    raise BandMismatch(f"there is no image with dimensions y and x; there are {names}")


def _colour_of_variable(array: xr.DataArray) -> str | None:
    names = (array.name, *(array.attrs.get(key) for key in ("common_name", "long_name")))
    colours = (colour_of(str(name)) for name in names if name)
    return next((colour for colour in colours if colour), None)
