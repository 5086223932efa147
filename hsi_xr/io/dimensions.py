"""The dimensions band, y and x, by whatever name other readers give them."""

from typing import TypeVar

import xarray as xr

T = TypeVar("T", xr.Dataset, xr.DataArray, xr.Dataset | xr.DataArray)

DIMS = ("band", "y", "x")

_Y = ("lat", "latitude", "northing", "row", "rows", "Y")
_X = ("lon", "longitude", "easting", "col", "column", "columns", "X")
_BAND = ("bands", "channel", "channels", "wavelength", "wavelengths", "spectral", "variable")
_TIME = ("time", "date", "datetime", "t", "step")
_USUAL = {**dict.fromkeys(_Y, "y"), **dict.fromkeys(_X, "x"), **dict.fromkeys(_BAND, "band")}
"""Usual name -> our name."""


def with_standard_dims(obj: T) -> T:
    """Renames the dimensions of an image to band, y and x, and drops others of length 1.

    The labels along `wavelength` stay the coordinate `wavelength`; other labels are renamed with
    their dimension. Dimensions that have no usual name, and those longer than 1, stay.
    """
    for name in [str(dim) for dim in obj.dims]:
        target = _USUAL.get(name)
        if target is None or target in obj.dims:
            continue
        if name == "wavelength":
            obj = (
                obj.rename_dims({name: target})
                if isinstance(obj, xr.Dataset)
                else (obj.swap_dims({name: target}))
            )
        else:
            obj = obj.drop_vars(target, errors="ignore").rename({name: target})
    single = {dim: 0 for dim, size in obj.sizes.items() if size == 1 and dim not in DIMS}
    return obj.isel(single) if single else obj


def repair_of(obj: xr.Dataset | xr.DataArray) -> str:
    """Returns the call that makes one image of an array: `.isel(time=0)` or `.rename(...)`.

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
        calls.append(f".rename({', '.join(f'{a}={b!r}' for a, b in zip(renamed, lacking))})")
    if chosen:
        calls.append(f".isel({', '.join(f'{dim}=0' for dim in chosen)})")
    return "".join(calls)


def _is_time(obj: xr.Dataset | xr.DataArray, dim: str) -> bool:
    return dim in obj.coords and obj[dim].dtype.kind == "M"
