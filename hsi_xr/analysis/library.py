"""Reads spectral libraries: ENVI (.sli with .hdr), tables (.csv) and ECOSTRESS spectra (.txt)."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from hsi_xr.calibration.sites_from_points import read_bands
from hsi_xr.errors import InvalidData, MissingFact, UnreadableFile, UsageError
from hsi_xr.extras import require
from hsi_xr.io.cube import sorted_bands
from hsi_xr.io.wavelengths import COORDINATE_ATTRS, nm_per_unit

_WAVELENGTH = re.compile(r"wavelengths?(?:[\s_]*[\[(]?([^\s\])]+)[\])]?)?")
"""Matches `wavelength` with or without a unit: `Wavelength (um)`, `wavelength_nm`."""
_UNIT = "give it, e.g. `library(path, unit='nm')` or unit='um'"


def library(path: str | os.PathLike[str], *, unit: str | None = None) -> xr.DataArray:
    """Reads the spectra in a file.

    Args:
        path: One of
            - an ENVI spectral library: its .sli or .hdr file;
            - a CSV table with a column `wavelength` (in nm, or `wavelength (um)`) and a column for
              each spectrum, as HyperCoast writes;
            - a CSV table with a line for each spectrum: its name, then values under wavelengths
              such as `550`, or `559.8/36` for the centre and width of a band;
            - a spectrum (.txt) of the ECOSTRESS library.
        unit: Unit of the wavelengths in the file, "nm" or "um"; overrides what the file states.

    Returns:
        (spectrum, wavelength) float32 with the coordinates `spectrum` (names, not necessarily
        unique), `wavelength` in nm, ascending, and `fwhm` if the file has widths; NaN where a value
        is missing. Values are those of the file, divided by ENVI's `reflectance scale factor`;
        percentages of ECOSTRESS are divided by 100.

    Raises:
        UnreadableFile: The file does not exist or is not a library.
        MissingFact: Neither the file nor `unit` states the unit of the wavelengths.
        InvalidData: The file is inconsistent, or its wavelengths are implausible in that unit.
        UsageError: `unit` is not a unit of length, or Spectral Python, which reads ENVI and
            ECOSTRESS files, is not installed.
    """
    file, nm = Path(path), _nm_of(unit)
    read = {".csv": _table, ".txt": _ecostress}.get(file.suffix.lower(), _envi)
    try:
        array = read(file, nm)
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, UnreadableFile):
            raise
        raise UnreadableFile(f"cannot read a library from {str(path)!r}: {error}") from error
    if not array.size:
        raise InvalidData(f"{str(path)!r} contains no spectrum; give another file")
    try:
        _, order = sorted_bands(array, f"library {file.name!r}")
    except InvalidData as error:
        raise InvalidData(f"{error}, e.g. `library(path, unit='nm')` or unit='um'") from error
    return array.isel(wavelength=order)


def _nm_of(unit: str | None) -> float | None:
    """Returns the length in nm of the unit that the caller gives, if any."""
    if unit is None:
        return None
    if (nm := nm_per_unit(unit)) is None:
        raise UsageError(f"{unit!r} is not a unit of wavelength; give 'nm' or 'um'")
    return nm


def _as_array(
    values: ArrayLike, names: Sequence[str], bands: dict[str, Any], file: Path
) -> xr.DataArray:
    coords = {
        name: ("wavelength", np.asarray(nm, np.float64), COORDINATE_ATTRS[name])
        for name, nm in bands.items()
    }
    return xr.DataArray(
        np.asarray(values, dtype="float32"),
        dims=("spectrum", "wavelength"),
        coords={"spectrum": [str(name).strip() for name in names], **coords},
        attrs={"source": file.name},
        name="library",
    )


def _table(file: Path, unit: float | None) -> xr.DataArray:
    import pandas as pd  # a dependency of xarray

    try:
        cells = pd.read_csv(file, header=None, dtype=str, comment="#", encoding="utf-8-sig")
    except pd.errors.EmptyDataError as error:
        raise InvalidData(f"{str(file)!r} is empty; give another file") from error
    except pd.errors.ParserError as error:
        raise InvalidData(f"{str(file)!r} is not a table: {error}; correct the file") from error
    head = [str(cell).strip() for cell in cells.iloc[0]]
    if len(head) < 2:
        raise InvalidData(f"{str(file)!r} has one column; separate cells with commas")
    values, first = cells.iloc[1:, 1:], cells.iloc[1:, 0]
    if by_column := _WAVELENGTH.fullmatch(head[0].lower()):
        nm = unit or nm_per_unit(by_column[1] or "nm")
        if nm is None:
            raise MissingFact(f"{head[0]!r} in {file.name} has an unknown unit; {_UNIT}")
        wavelengths = _parse_numbers(first.to_frame(), file)[:, 0] * nm
        return _as_array(
            _parse_numbers(values, file).T, head[1:], {"wavelength": wavelengths}, file
        )
    parsed = read_bands(head[1:], f"the first line of {file.name}")
    bands = {name: np.array(column) * (unit or 1) for name, column in parsed.items()}
    if np.isnan(bands["fwhm"]).all():
        del bands["fwhm"]
    return _as_array(_parse_numbers(values, file), list(first), bands, file)


def _parse_numbers(cells: Any, file: Path) -> NDArray[np.float64]:
    try:
        return np.asarray(cells.astype("float64").to_numpy())
    except ValueError as error:
        raise InvalidData(
            f"{str(file)!r}: {error}; cells below the first line must be numbers, or empty where "
            "values are unknown"
        ) from error


def _ecostress(file: Path, unit: float | None) -> xr.DataArray:
    require("spectral")
    from spectral.database.ecostress import read_ecostress_file

    try:
        spectrum = read_ecostress_file(str(file))
    except (IndexError, KeyError, ValueError) as error:
        raise UnreadableFile(
            f"{str(file)!r} is not a spectrum of the ECOSTRESS library ({error!r}); give a .csv, "
            "a .sli with its .hdr, or an ECOSTRESS .txt file"
        ) from error
    x_units, y_units = (spectrum.measurement.get(f"{axis} units", "").lower() for axis in "xy")
    unit = unit or next(filter(None, map(nm_per_unit, re.findall(r"\w+", x_units))), None)
    if unit is None:
        raise MissingFact(f"{file.name} does not state the unit of its wavelengths; {_UNIT}")
    scale = 100 if "percent" in y_units else 1
    name = spectrum.sample.get("name") or file.stem
    wavelengths = np.array(spectrum.x) * unit
    return _as_array([np.array(spectrum.y) / scale], [name], {"wavelength": wavelengths}, file)


def _envi(file: Path, unit: float | None) -> xr.DataArray:
    require("spectral")
    from spectral.io import envi

    header, data = _header_and_data(file)
    try:
        opened = envi.open(str(header), str(data))
    except (envi.EnviException, ValueError) as error:
        raise UnreadableFile(f"{str(file)!r} is not an ENVI library: {error}") from error
    if not isinstance(opened, envi.SpectralLibrary) or opened.bands.centers is None:
        raise InvalidData(
            f"{str(file)!r} is not a spectral library, or has no wavelengths; its header needs "
            "`file type = ENVI Spectral Library` and `wavelength = {...}`"
        )
    unit = unit or nm_per_unit(str(opened.bands.band_unit))
    if unit is None:
        raise MissingFact(
            f"{header.name} does not state the unit of its wavelengths ({opened.bands.band_unit}); "
            f"{_UNIT}, or add a line `wavelength units = Nanometers`"
        )
    fields = envi.read_envi_header(str(header))
    values = np.array(opened.spectra, dtype="float64")
    values[values == float(fields.get("data ignore value", "nan"))] = np.nan
    values /= float(fields.get("reflectance scale factor", 1))
    bands = {"wavelength": np.array(opened.bands.centers) * unit}
    if opened.bands.bandwidths is not None:
        bands["fwhm"] = np.array(opened.bands.bandwidths) * unit
    return _as_array(values, opened.names, bands, file)


def _header_and_data(file: Path) -> tuple[Path, Path]:
    """Returns header and data from either of them: lib.sli with lib.hdr or lib.sli.hdr."""
    plain = file.with_suffix("")
    headers: tuple[Path, ...] = (file,)
    if file.suffix.lower() == ".hdr":
        data = plain if plain.suffix else plain.with_suffix(".sli")
    else:
        headers, data = (Path(f"{file}.hdr"), plain.with_suffix(".hdr")), file
    header = next((path for path in headers if path.is_file()), None)
    if header is None or not data.is_file():
        raise UnreadableFile(
            f"{data.name!r} or its header ({' or '.join(path.name for path in headers)}) is not in "
            f"{str(file.parent)!r}; give a .csv, a .sli with its .hdr, or an ECOSTRESS .txt file"
        )
    return header, data
