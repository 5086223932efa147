"""The dimensions band, y and x, by whatever name other readers give them."""

from typing import TypeVar

import xarray as xr

T = TypeVar("T", xr.Dataset, xr.DataArray, xr.Dataset | xr.DataArray)

DIMS = ("band", "y", "x")

_Y = ("lat", "latitude", "northing", "row", "rows", "Y")
_X = ("lon", "longitude", "easting", "col", "column", "columns", "X")
_BAND = ("bands", "channel", "channels", "wavelength", "wavelengths", "spectral", "variable")
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


def choice_of(obj: xr.Dataset | xr.DataArray) -> str:
    """Returns the call that chooses one image along the further dimensions of an array."""
    further = [str(dim) for dim in obj.dims if dim not in DIMS]
    return f".isel({', '.join(f'{dim}=0' for dim in further)})"
