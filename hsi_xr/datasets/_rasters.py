"""Your own cubes, in any format that GDAL opens, resampled to one band grid."""

import csv
from pathlib import Path

import numpy as np
import xarray as xr

from hsi_xr import band_grid
from hsi_xr.band_grid import Bands
from hsi_xr.datasets._base import Array
from hsi_xr.errors import InvalidData, MissingFact, UnreadableFile
from hsi_xr.io.open import open as open_raster
from hsi_xr.io.raster_source import source_of, stored_dtype
from hsi_xr.pipeline.array_facts import facts_of
from hsi_xr.pipeline.radiometry import resolve_radiometry

CUBE_SUFFIXES = (".tif", ".tiff", ".img", ".zarr")
"""Suffixes of cubes; `.img` is ENVI's, with a `.hdr` file next to it."""

WAVELENGTHS_FILE = "wavelengths.csv"
"""Centre wavelengths in nm in the first column, one band per line, for cubes without metadata."""

_MAX_LEVEL = 16
"""Highest plausible value, where a white surface is 1; glints and clouds stay below."""
_MAX_SHARE = 0.01
"""Share of values that may be higher."""


def find_cubes(folder: Path) -> dict[str, Path]:
    """Returns the cubes in a folder by their stem. Raises the errors of `find_files`."""
    return find_files(folder, CUBE_SUFFIXES)


def find_files(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Returns the files in a folder with one of these suffixes, by their stem.

    Raises:
        UnreadableFile: The folder does not exist.
        InvalidData: Two files have the same stem.
    """
    if not folder.is_dir():
        raise UnreadableFile(
            f"the folder {str(folder)!r} does not exist; create it, and put the files there"
        )
    paths: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in suffixes and not path.name.startswith("."):
            if path.stem in paths:
                raise InvalidData(
                    f"{str(path)!r} and {paths[path.stem].name!r} have the same stem; rename one"
                )
            paths[path.stem] = path
    return paths


def open_cube(path: Path, bands: Bands, scale: float | None) -> xr.DataArray:
    """Opens a cube lazily, with its wavelengths and its scale to reflectance.

    Only source bands that contribute to the wanted bands are kept, so that nodata elsewhere, as in
    the absorption bands of water, does not invalidate a pixel.

    Args:
        path: The cube.
        bands: Band grid to which the cube will be resampled.
        scale: Factor from stored values to reflectance; None if the file states it or stores
            floating-point reflectance.

    Returns:
        (band, y, x) with the coordinate `wavelength` in nm and the attribute `to_reflectance`.

    Raises:
        UnreadableFile: The file is missing, truncated or not a raster.
        MissingFact: The wavelengths, or the scale of integers, are not known.
        InvalidData: The file of wavelengths does not match the bands of the cube.
    """
    array = open_raster(path)
    _check_envi_length(path, array)
    if "wavelength" not in array.coords:
        centres = _read_wavelengths(path, array.sizes["band"])
        array = array.assign_coords(wavelength=("band", centres))
    array = _keep_contributing(array, path, bands)
    facts = facts_of(array).bands
    try:
        radiometry = resolve_radiometry(facts, radiometry="reflectance", scale=scale)
    except MissingFact as error:
        raise MissingFact(f"{str(path)!r}: {error}") from error
    return array.assign_attrs(to_reflectance=radiometry.scale)


def read_cube(array: xr.DataArray, bands: Bands) -> Array:
    """Reads a cube that `open_cube` opened, and resamples it to a band grid.

    Negative values, which atmospheric correction leaves in dark pixels, are kept.

    Returns:
        (bands, rows, columns) reflectance; NaN where invalid.

    Raises:
        InvalidData: The cube covers none of the bands, or its values are not reflectance.
    """
    wavelengths = _wavelengths(array)
    reflectance = array.values * np.float32(array.attrs["to_reflectance"])
    check_level(reflectance, array.encoding["source"], "scale=1e-4")
    cube = band_grid.convolve(reflectance, wavelengths, bands)
    if np.isnan(cube).all():
        raise InvalidData(
            f"{array.encoding['source']!r} has no valid pixels from {bands.centres[0]:g} to "
            f"{bands.centres[-1]:g} nm; it covers {wavelengths.min():g} to "
            f"{wavelengths.max():g} nm"
        )
    return cube


def check_level(values: Array, source: str, repair: str) -> None:
    """Checks that values are about [0, 1], apart from a few glints.

    Raises:
        InvalidData: Many values are far above 1.
    """
    if (values > _MAX_LEVEL).mean() > _MAX_SHARE:
        raise InvalidData(
            f"many values of {source!r} are above {_MAX_LEVEL}, where a white surface is 1; give "
            f"the scale that brings them to [0, 1], e.g. {repair}"
        )


def uncovered(array: xr.DataArray, bands: Bands) -> list[float]:
    """Returns the centres (nm) of the bands that a cube does not cover."""
    covered = band_grid.covered(_wavelengths(array), bands)
    return [centre for centre, is_covered in zip(bands.centres, covered) if not is_covered]


def _keep_contributing(array: xr.DataArray, path: Path, bands: Bands) -> xr.DataArray:
    """Opens the cube again with the contributing bands only; keeps all if none contributes.

    A pixel is nodata where any band that was opened is, so a selection would not be enough.
    """
    source = source_of(array)
    contributes = band_grid.contributing(_wavelengths(array), bands)
    if source is None or not source.matches(array):
        return array
    if contributes.all() or not contributes.any():
        return array
    centres = array["wavelength"][contributes]
    kept = open_raster(path, rgb=[source.bands[i] for i in np.flatnonzero(contributes)])
    return kept.assign_coords(wavelength=("band", centres.values, centres.attrs))


def _check_envi_length(path: Path, array: xr.DataArray) -> None:
    """Refuses truncated ENVI files, in which GDAL would read zeros."""
    headers = (path.with_suffix(".hdr"), Path(f"{path}.hdr"))
    header = next((header for header in headers if header.is_file()), None)
    if path.suffix.lower() != ".img" or header is None:
        return
    expected = array.size * np.dtype(stored_dtype(array)).itemsize
    size = path.stat().st_size
    if size < expected and "compression" not in header.read_text(errors="replace"):
        raise UnreadableFile(
            f"{str(path)!r} is truncated: it has {size} bytes, but its header describes "
            f"{expected}; download it again"
        )


def _wavelengths(array: xr.DataArray) -> Array:
    return np.asarray(array["wavelength"].values, dtype="float32")


def _read_wavelengths(path: Path, count: int) -> Array:
    """Reads the centres (nm) of a cube's bands from the file next to it or one folder up."""
    tables = [folder / WAVELENGTHS_FILE for folder in (path.parent, path.parent.parent)]
    table = next((table for table in tables if table.is_file()), None)
    if table is None:
        raise MissingFact(
            f"{str(path)!r} has no wavelengths; write the centres of its bands in nm to "
            f"{str(tables[0])!r}, one per line"
        )
    with table.open(newline="") as lines:
        rows = [row for row in csv.reader(lines) if row and not row[0].lstrip().startswith("#")]
    try:
        centres = np.array([float(row[0]) for row in rows], dtype="float32")
    except ValueError as error:
        raise InvalidData(
            f"{str(table)!r} is not a list of wavelengths ({error}); start comments with #"
        ) from error
    if len(centres) != count:
        raise InvalidData(
            f"{str(table)!r} lists {len(centres)} bands, but {str(path)!r} has {count}"
        )
    return centres
