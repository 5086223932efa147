"""What is taken as a cube of reflectance: its bands, and what is told of its making."""

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.band_grid import Bands
from hsi_xr.errors import BandMismatch, InvalidData, UsageError
from hsi_xr.io.wavelengths import nm_per_unit

Cube = xr.Dataset | xr.DataArray

_SHARED = ("hsi_xr_", "datetime")
"""Prefixes of attributes that hold for every array of a file."""
_DEVIATION = "standard deviation"
_LIGHT = (100.0, 100_000.0)
"""nm; what is beyond is in another unit."""


def cube_of(obj: Cube) -> xr.DataArray:
    """The reflectance of a dataset or array, (band, y, x).

    Raises:
        UsageError: The dataset has none.
        BandMismatch: The array is no cube, or does not tell its wavelengths.
    """
    if isinstance(obj, xr.Dataset) and "reflectance" not in obj:
        raise UsageError(
            "a cube has a variable called 'reflectance'; this dataset has "
            f"{', '.join(map(str, obj.data_vars)) or 'none'}. Reconstruct it first, e.g. "
            "`hsi_xr.reconstruct(ds)`"
        )
    cube = obj["reflectance"] if isinstance(obj, xr.Dataset) else obj
    if {*cube.dims} != {"band", "y", "x"} or "wavelength" not in cube.coords:
        told = "" if "wavelength" in cube.coords else ", and no wavelengths"
        raise BandMismatch(
            "a cube has the axes band, y, x and the coordinate `wavelength` along its bands; this "
            f"one has {', '.join(map(str, cube.dims))}{told}. Give what `reconstruct` gave"
        )
    return cube.transpose("band", "y", "x")


def refuse_deviation(obj: Cube) -> None:
    """Refuses standard deviations that come alone, where a verb would take them for reflectance.

    Raises:
        UsageError: It is such an array.
    """
    about = str(obj.attrs.get("long_name", ""))
    if isinstance(obj, xr.DataArray) and about.startswith(_DEVIATION):
        raise UsageError(
            f"this array is a {about}, and no reflectance; give the reflectance, or both, e.g. "
            "`cube.to_dataset().assign(reflectance_std=deviation)`"
        )


def bands_of(cube: xr.DataArray) -> tuple[Bands, NDArray[np.intp]]:
    """By ascending wavelength, with widths (their distances where not told), and where they are.

    Raises:
        BandMismatch: There is one band.
        InvalidData: A wavelength is told twice, or is none.
    """
    bands, order = sorted_bands(cube, "the cube")
    if len(bands) < 2:
        raise BandMismatch("the cube has one band; give it with those that it came with")
    widths = np.array(bands.widths, np.float64)
    widths = np.where(np.isnan(widths), np.gradient(bands.centres), widths)
    return Bands(bands.centres, tuple(widths.tolist())), order


def sorted_bands(array: xr.DataArray, name: str) -> tuple[Bands, NDArray[np.intp]]:
    """The bands of an array by ascending wavelength, and where each of them is.

    Args:
        array: With coordinate `wavelength`, in nm unless it says otherwise, and perhaps `fwhm`.
        name: Of the array, for errors.

    Returns:
        Bands, whose widths are NaN where not told.

    Raises:
        InvalidData: A wavelength is told twice, or is none.
    """
    unit = nm_per_unit(str(array["wavelength"].attrs.get("units", "nm"))) or np.nan
    centres = np.asarray(array["wavelength"].values, np.float64) * unit
    if not ((centres >= _LIGHT[0]) & (centres <= _LIGHT[1])).all():
        raise InvalidData(
            f"the wavelengths of {name} are {np.min(centres):g} to {np.max(centres):g} nm, which "
            "is no light that is reflected; give them in nm, or mend their unit"
        )
    order = np.argsort(centres)
    twice = centres[order][1:][np.diff(centres[order]) == 0]
    if twice.size:
        raise InvalidData(f"{name} tells {twice[0]:g} nm twice; leave one of them out")
    widths = np.full(len(centres), np.nan)
    if "fwhm" in array.coords:
        widths = np.asarray(array["fwhm"].values, np.float64) * unit
    return Bands(tuple(centres[order].tolist()), tuple(widths[order].tolist())), order


def shared_attributes(*objs: Cube) -> dict[str, Any]:
    """Return the attributes that hold for every array of a file: provenance and acquisition time.

    Args:
        objs: Where to look for them; the last one takes precedence.
    """
    attrs = [item for obj in objs for item in obj.attrs.items()]
    return {str(key): value for key, value in attrs if str(key).startswith(_SHARED)}
