"""Checks that an object is a cube of reflectance, and returns its bands and provenance."""

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.band_grid import Bands
from hsi_xr.errors import BandMismatch, InvalidData, UsageError
from hsi_xr.io.wavelengths import nm_per_unit
from hsi_xr.output_variables import SAMPLE

Cube = xr.Dataset | xr.DataArray

_SHARED = ("hsi_xr_", "datetime")
"""Prefixes of attributes that apply to every array of a file."""
_DEVIATION = "standard deviation"
_DRAWS = "draws "
"""Beginning of the comment on joint draws."""
_PLAUSIBLE = (100.0, 100_000.0)
"""Shortest and longest plausible wavelength in nm; others must be in another unit."""


def cube_of(obj: Cube, *, draws: bool = False) -> xr.DataArray:
    """Returns the reflectance of a Dataset or DataArray as (band, y, x).

    Args:
        obj: The Dataset or DataArray.
        draws: Accept joint draws as well, and return them as (sample, band, y, x).

    Raises:
        UsageError: The Dataset has no reflectance, or the cube has draws that are not accepted.
        BandMismatch: The array is not a cube, or has no wavelengths.
    """
    if isinstance(obj, xr.Dataset) and "reflectance" not in obj:
        raise UsageError(
            "a cube has a variable 'reflectance'; this dataset has "
            f"{', '.join(map(str, obj.data_vars)) or 'no variables'}. Reconstruct it first, e.g. "
            "`hsi_xr.reconstruct(ds)`"
        )
    cube = obj["reflectance"] if isinstance(obj, xr.Dataset) else obj
    if not draws and SAMPLE in cube.dims:
        raise UsageError(
            f"this cube has {cube.sizes[SAMPLE]} draws along the dimension {SAMPLE}; select one, "
            f"e.g. `cube.isel({SAMPLE}=0)`, or take their mean, `cube.mean({SAMPLE!r}, "
            "keep_attrs=True)`"
        )
    if {*cube.dims} - {SAMPLE} != {"band", "y", "x"} or "wavelength" not in cube.coords:
        lacking = "" if "wavelength" in cube.coords else " and no wavelengths"
        raise BandMismatch(
            "a cube has the dimensions band, y, x and the coordinate `wavelength` along band; this "
            f"one has {', '.join(map(str, cube.dims)) or 'no dimensions'}{lacking}. Use the result "
            "of `reconstruct`"
        )
    return cube.transpose(..., "band", "y", "x")


def refuse_deviation(obj: Cube) -> None:
    """Rejects a standard deviation without its reflectance, which looks like reflectance.

    Raises:
        UsageError: `obj` is such an array.
    """
    name = str(obj.attrs.get("long_name", ""))
    if isinstance(obj, xr.DataArray) and name.startswith(_DEVIATION):
        raise UsageError(
            f"this array is a {name}, not reflectance; pass the reflectance, or both, e.g. "
            "`cube.to_dataset().assign(reflectance_std=deviation)`"
        )


def bands_of(cube: xr.DataArray) -> tuple[Bands, NDArray[np.intp]]:
    """Returns the bands of a cube by ascending wavelength, and the index of each.

    A band without a width gets the distance to its neighbours.

    Raises:
        BandMismatch: The cube has a single band.
        InvalidData: A wavelength occurs twice, or is implausible.
    """
    bands, order = sorted_bands(cube, "the cube")
    if len(bands) < 2:
        raise BandMismatch("the cube has a single band; select it after this step, not before")
    widths = np.array(bands.widths, np.float64)
    widths = np.where(np.isnan(widths), np.gradient(bands.centres), widths)
    return Bands(bands.centres, tuple(widths.tolist())), order


def sorted_bands(array: xr.DataArray, name: str) -> tuple[Bands, NDArray[np.intp]]:
    """Returns the bands of an array by ascending wavelength, and the index of each.

    Args:
        array: An array with coordinate `wavelength`, in nm unless it states another unit, and
            perhaps `fwhm`.
        name: The name of the array in error messages.

    Returns:
        The bands, with widths that are NaN where unknown, and their indices.

    Raises:
        InvalidData: There are no bands, a wavelength occurs twice, or one is implausible.
    """
    unit = nm_per_unit(str(array["wavelength"].attrs.get("units", "nm"))) or np.nan
    centres = np.asarray(array["wavelength"].values, np.float64) * unit
    if not centres.size:
        raise InvalidData(f"{name} has no bands; select at least one")
    if not ((centres >= _PLAUSIBLE[0]) & (centres <= _PLAUSIBLE[1])).all():
        raise InvalidData(
            f"the wavelengths of {name} are {np.min(centres):g} to {np.max(centres):g} nm, which "
            "is outside the reflected spectrum; give them in nm, or correct their unit"
        )
    order = np.argsort(centres)
    repeated = centres[order][1:][np.diff(centres[order]) == 0]
    if repeated.size:
        raise InvalidData(f"{name} has {repeated[0]:g} nm twice; drop one of the two bands")
    widths = np.full(len(centres), np.nan)
    if "fwhm" in array.coords:
        widths = np.asarray(array["fwhm"].values, np.float64) * unit
    return Bands(tuple(centres[order].tolist()), tuple(widths[order].tolist())), order


def derived_comment(cube: xr.DataArray) -> dict[str, str]:
    """Returns the comment on an array that was computed from a cube; none if the cube has none."""
    comment = str(cube.attrs.get("comment", ""))
    article = "" if comment.startswith(_DRAWS) else "a "
    return {"comment": f"from {article}{comment}"} if comment else {}


def shared_attributes(*objs: Cube) -> dict[str, Any]:
    """Returns the attributes that apply to every array of a file: provenance, acquisition time.

    Args:
        objs: Objects that may have them; the last one takes precedence.
    """
    attrs = [item for obj in objs for item in obj.attrs.items()]
    return {str(key): value for key, value in attrs if str(key).startswith(_SHARED)}
