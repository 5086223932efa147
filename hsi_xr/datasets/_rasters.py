"""Cubes of anybody's own, in whatever GDAL opens, brought to one band grid."""

import csv
from pathlib import Path

import numpy as np
import xarray as xr

from hsi_xr import band_grid
from hsi_xr.band_grid import Bands
from hsi_xr.datasets._base import Array
from hsi_xr.errors import InvalidData, MissingFact, UnreadableFile
from hsi_xr.io.open import open as open_raster
from hsi_xr.io.raster_source import source_of, stated_radiometry, stored_dtype
from hsi_xr.pipeline.radiometry import resolve_radiometry

CUBES = (".tif", ".tiff", ".img", ".zarr")
"""Endings of cubes; `.img` is ENVI's, whose header lies beside it."""

TABLE = "wavelengths.csv"
"""One number a line, nm, first column; for cubes that do not tell."""

_ABSURD = 16
"""Times the brightness of white; glints and clouds stay below."""
_GLINTS = 0.01
"""Share of numbers that may be above."""


def cubes(folder: Path) -> dict[str, Path]:
    """Cubes of a folder by their stem.

    Raises:
        UnreadableFile: There is no such folder.
        InvalidData: Two have the same stem.
    """
    return by_stem(folder, CUBES)


def by_stem(folder: Path, endings: tuple[str, ...]) -> dict[str, Path]:
    """Files of a folder with one of some endings, by their stem. Errors as of `cubes`."""
    if not folder.is_dir():
        raise UnreadableFile(f"there is no folder {str(folder)!r}; put the files there")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in endings and not path.name.startswith("."):
            if path.stem in found:
                raise InvalidData(
                    f"{str(path)!r} and {found[path.stem].name!r} have one stem; rename one"
                )
            found[path.stem] = path
    return found


def opened(path: Path, bands: Bands, scale: float | None) -> xr.DataArray:
    """A cube as `hsi_xr.open` gives it, lazily, with `wavelength` and the factor to reflectance.

    It has those bands alone that tell of the wanted ones: what others lack, as in the absorption of
    water, makes no pixel invalid.

    Args:
        path: Of the cube.
        bands: Those that it will be brought to.
        scale: What brings stored numbers to reflectance; None where the file tells or its
            numbers are floats.

    Returns:
        (band, y, x); attribute `to_reflectance`.

    Raises:
        UnreadableFile: Missing, truncated, or no raster.
        MissingFact: Nobody tells the wavelengths, or the scale of integers.
        InvalidData: The table of wavelengths is of other bands.
    """
    array = open_raster(path)
    _check_length(path, array)
    if "wavelength" not in array.coords:
        array = array.assign_coords(wavelength=("band", _told(path, array.sizes["band"])))
    array = _needed(array, path, bands)
    dtype, stated = stored_dtype(array), stated_radiometry(array)
    try:
        kind = resolve_radiometry(dtype, radiometry="reflectance", scale=scale, stated=stated)
    except MissingFact as error:
        raise MissingFact(f"{str(path)!r}: {error}") from error
    return array.assign_attrs(to_reflectance=kind.scale)


def cube(array: xr.DataArray, bands: Bands) -> Array:
    """Reflectance on these bands, NaN where invalid, (bands, rows, columns).

    Negative numbers, which atmospheric correction leaves in dark pixels, stay.

    Raises:
        InvalidData: The cube reaches none of the bands, or its numbers are no reflectance.
    """
    wavelengths = _wavelengths(array)
    reflectance = array.values * np.float32(array.attrs["to_reflectance"])
    check_level(reflectance, array.encoding["source"], "scale=1e-4")
    found = band_grid.convolve(reflectance, wavelengths, bands)
    if np.isnan(found).all():
        raise InvalidData(
            f"{array.encoding['source']!r} holds no valid pixel in {bands.centres[0]:g} to "
            f"{bands.centres[-1]:g} nm; it has {wavelengths.min():g} to {wavelengths.max():g} nm"
        )
    return found


def check_level(values: Array, source: str, repair: str) -> None:
    """Whether numbers that should be about [0, 1] are; a few may be glints.

    Raises:
        InvalidData: Many are far above.
    """
    if (values > _ABSURD).mean() > _GLINTS:
        raise InvalidData(
            f"many numbers of {source!r} are more than {_ABSURD} times that of white; give the "
            f"scale that brings them to [0, 1], e.g. {repair}"
        )


def lacking(array: xr.DataArray, bands: Bands) -> list[float]:
    """Centres of the bands that a cube does not reach."""
    reached = band_grid.covered(_wavelengths(array), bands)
    return [centre for centre, there in zip(bands.centres, reached) if not there]


def _needed(array: xr.DataArray, path: Path, bands: Bands) -> xr.DataArray:
    """Opened anew, since a pixel is invalid where any band that is read is; all if none tells."""
    source, needed = source_of(array), band_grid.contributing(_wavelengths(array), bands)
    if source is None or not source.matches(array) or needed.all() or not needed.any():
        return array
    told = array["wavelength"][needed]
    few = open_raster(path, rgb=[source.bands[i] for i in np.flatnonzero(needed)])
    return few.assign_coords(wavelength=("band", told.values, told.attrs))


def _check_length(path: Path, array: xr.DataArray) -> None:
    """GDAL opens an ENVI file without its end, and reads zeros there."""
    headers = (path.with_suffix(".hdr"), Path(f"{path}.hdr"))
    header = next((header for header in headers if header.is_file()), None)
    if path.suffix.lower() != ".img" or header is None:
        return
    needed = array.size * np.dtype(stored_dtype(array)).itemsize
    size = path.stat().st_size
    if size < needed and "compression" not in header.read_text(errors="replace"):
        raise UnreadableFile(
            f"{str(path)!r} is truncated: it has {size} bytes, and its header tells of {needed}; "
            "get the file anew"
        )


def _wavelengths(array: xr.DataArray) -> Array:
    return np.asarray(array["wavelength"].values, dtype="float32")


def _told(path: Path, count: int) -> Array:
    tables = [folder / TABLE for folder in (path.parent, path.parent.parent)]
    table = next((table for table in tables if table.is_file()), None)
    if table is None:
        raise MissingFact(
            f"{str(path)!r} tells no wavelengths; write them to {str(tables[0])!r}, nm, one a line"
        )
    with table.open(newline="") as lines:
        rows = [row for row in csv.reader(lines) if row and not row[0].lstrip().startswith("#")]
    try:
        found = np.array([float(row[0]) for row in rows], dtype="float32")
    except ValueError as error:
        hint = "comments start with #"
        raise InvalidData(f"{str(table)!r} is no list of nm ({error}); {hint}") from error
    if len(found) != count:
        raise InvalidData(f"{str(table)!r} tells {len(found)} bands, {str(path)!r} has {count}")
    return found
