"""Spectral libraries of files: ENVI's (.sli with .hdr), tables (.csv), ECOSTRESS spectra (.txt)."""

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
"""`wavelength`, perhaps with its unit: `Wavelength (um)`, `wavelength_nm`."""
_UNIT = "give it, as `library(path, unit='nm')` or unit='um'"


def library(path: str | os.PathLike[str], *, unit: str | None = None) -> xr.DataArray:
    """Spectra of a file, by their names.

    Args:
        path: Of an ENVI spectral library, by its .sli or its .hdr; or of a CSV table, either with a
            column `wavelength` (in nm, or as `wavelength (um)`) and one for each spectrum (as
            HyperCoast writes), or with a line for each spectrum: its name, then numbers under
            wavelengths, as `550` or `559.8/36` for the centre and width of a band; or of one
            spectrum (.txt) of the ECOSTRESS library.
        unit: Of the wavelengths in the file, "nm" or "um", whatever the file says of it.

    Returns:
        (spectrum, wavelength) float32 with coordinates `spectrum` (names), `wavelength` in nm,
        ascending, and where told `fwhm`; NaN where a number is absent. Numbers are as in the file,
        by ENVI's `reflectance scale factor` if that is told; per cents of ECOSTRESS become shares.
        Equal names are left as they are.

    Raises:
        UnreadableFile: There is no such file, or it is no library.
        MissingFact: The file does not tell the unit of its wavelengths, and `unit` neither.
        InvalidData: It contradicts itself, or its wavelengths are none in that unit.
        UsageError: The unit is no length; or it is one of ENVI or ECOSTRESS, and Spectral Python,
            which reads those, is not installed.
    """
    file, forced = Path(path), _forced(unit)
    read = {".csv": _table, ".txt": _ecostress}.get(file.suffix.lower(), _envi)
    try:
        array = read(file, forced)
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, UnreadableFile):
            raise
        raise UnreadableFile(f"no library can be read from {str(path)!r}: {error}") from error
    if not array.size:
        raise InvalidData(f"{str(path)!r} holds no spectrum; give another file")
    try:
        _, order = sorted_bands(array, f"library {file.name!r}")
    except InvalidData as error:
        raise InvalidData(f"{error}, e.g. `library(path, unit='nm')` or unit='um'") from error
    return array.isel(wavelength=order)


def _forced(unit: str | None) -> float | None:
    """How many nm one of the unit is that the caller gives; None without one."""
    if unit is None:
        return None
    if (found := nm_per_unit(unit)) is None:
        raise UsageError(f"{unit!r} is no unit of wavelengths; give 'nm' or 'um'")
    return found


def _labelled(
    values: ArrayLike, names: Sequence[str], bands: dict[str, Any], file: Path
) -> xr.DataArray:
    coords = {
        name: ("wavelength", np.asarray(numbers, np.float64), COORDINATE_ATTRS[name])
        for name, numbers in bands.items()
    }
    return xr.DataArray(
        np.asarray(values, dtype="float32"),
        dims=("spectrum", "wavelength"),
        coords={"spectrum": [str(name).strip() for name in names], **coords},
        attrs={"source": file.name},
        name="library",
    )


def _table(file: Path, unit: float | None) -> xr.DataArray:
    import pandas as pd  # as much as xarray needs it

    try:
        cells = pd.read_csv(file, header=None, dtype=str, comment="#", encoding="utf-8-sig")
    except pd.errors.EmptyDataError as error:
        raise InvalidData(f"{str(file)!r} is empty; give another file") from error
    except pd.errors.ParserError as error:
        raise InvalidData(f"{str(file)!r} is no table: {error}; mend it") from error
    head = [str(cell).strip() for cell in cells.iloc[0]]
    if len(head) < 2:
        raise InvalidData(f"{str(file)!r} has one column; separate its cells by commas")
    numbers, first = cells.iloc[1:, 1:], cells.iloc[1:, 0]
    if upright := _WAVELENGTH.fullmatch(head[0].lower()):
        own = unit or nm_per_unit(upright[1] or "nm")
        if own is None:
            raise MissingFact(f"{head[0]!r} in {file.name} has no unit that is known; {_UNIT}")
        wavelengths = _numbers(first.to_frame(), file)[:, 0] * own
        return _labelled(_numbers(numbers, file).T, head[1:], {"wavelength": wavelengths}, file)
    told = read_bands(head[1:], f"the first line of {file.name}")
    bands = {name: np.array(each) * (unit or 1) for name, each in told.items()}
    if np.isnan(bands["fwhm"]).all():
        del bands["fwhm"]
    return _labelled(_numbers(numbers, file), list(first), bands, file)


def _numbers(cells: Any, file: Path) -> NDArray[np.float64]:
    try:
        return np.asarray(cells.astype("float64").to_numpy())
    except ValueError as error:
        raise InvalidData(
            f"{str(file)!r}: {error}; below the first line there are numbers, and cells are left "
            "empty where nothing is known"
        ) from error


def _ecostress(file: Path, unit: float | None) -> xr.DataArray:
    require("spectral")
    from spectral.database.ecostress import read_ecostress_file

    try:
        found = read_ecostress_file(str(file))
    except (IndexError, KeyError, ValueError) as error:
        raise UnreadableFile(
            f"{str(file)!r} is no spectrum of the ECOSTRESS library ({error!r}); libraries are "
            ".csv, .sli with .hdr, or such a .txt"
        ) from error
    told = found.measurement.get("x units", ""), found.measurement.get("y units", "")
    unit = unit or next(filter(None, map(nm_per_unit, re.findall(r"\w+", told[0].lower()))), None)
    if unit is None:
        raise MissingFact(f"{file.name} does not tell the unit of its wavelengths; {_UNIT}")
    scale = 100 if "percent" in told[1].lower() else 1
    name = found.sample.get("name") or file.stem
    return _labelled(
        [np.array(found.y) / scale], [name], {"wavelength": np.array(found.x) * unit}, file
    )


def _envi(file: Path, unit: float | None) -> xr.DataArray:
    require("spectral")
    from spectral.io import envi

    header, data = _pair(file)
    try:
        found = envi.open(str(header), str(data))
    except (envi.EnviException, ValueError) as error:
        raise UnreadableFile(f"{str(file)!r} is no library of ENVI: {error}") from error
    if not isinstance(found, envi.SpectralLibrary) or found.bands.centers is None:
        raise InvalidData(
            f"{str(file)!r} is no spectral library, or tells no wavelengths; a header has "
            "`file type = ENVI Spectral Library` and `wavelength = {...}`"
        )
    unit = unit or nm_per_unit(str(found.bands.band_unit))
    if unit is None:
        raise MissingFact(
            f"{header.name} does not tell the unit of its wavelengths ({found.bands.band_unit}); "
            f"{_UNIT}, or add a line `wavelength units = Nanometers`"
        )
    told = envi.read_envi_header(str(header))
    values = np.array(found.spectra, dtype="float64")
    values[values == float(told.get("data ignore value", "nan"))] = np.nan
    values /= float(told.get("reflectance scale factor", 1))
    bands = {"wavelength": np.array(found.bands.centers) * unit}
    if found.bands.bandwidths is not None:
        bands["fwhm"] = np.array(found.bands.bandwidths) * unit
    return _labelled(values, found.names, bands, file)


def _pair(file: Path) -> tuple[Path, Path]:
    """Header and data of a library, by either: lib.sli with lib.hdr or lib.sli.hdr."""
    plain = file.with_suffix("")
    headers: tuple[Path, ...] = (file,)
    if file.suffix.lower() == ".hdr":
        data = plain if plain.suffix else plain.with_suffix(".sli")
    else:
        headers, data = (Path(f"{file}.hdr"), plain.with_suffix(".hdr")), file
    header = next((each for each in headers if each.is_file()), None)
    if header is None or not data.is_file():
        raise UnreadableFile(
            f"{data.name!r} or its header ({' or '.join(each.name for each in headers)}) is not in "
            f"{str(file.parent)!r}; libraries are .csv, .sli with .hdr, or .txt of ECOSTRESS"
        )
    return header, data
