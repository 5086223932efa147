"""Reads the permissively licensed spectra, plots and cameras that the default model learns from.

Everything is brought to one band grid by Gaussian bands; reflectance is in [0, 1].
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsi_xr.band_grid import Bands, convolve
from hsi_xr.camera.spectral_response import sensitivities

Array = NDArray[np.float32]

DARKEST = 1e-4
"""Atmospheric correction leaves zeros and negatives in the darkest pixels; they carry no colour."""


@dataclass(frozen=True)
class Plot:
    """One field plot seen twice: by an imaging spectrometer and by an RGB camera."""

    name: str
    cube: Array
    """(bands, rows, columns) reflectance."""
    rgb: Array
    """(3, k rows, k columns), display-referred, in [0, 1]."""


def resample(cube: Array, wavelengths: Array, bands: Bands) -> Array:
    """Averages narrow bands with the Gaussian of each wide one; (n, ...) -> (bands, ...)."""
    return convolve(cube, wavelengths, bands).clip(DARKEST)


def paired_plots(folder: Path, bands: Bands) -> list[Plot]:
    """The NEON plots of the IDTReeS competition: 1 m spectra, 0.1 m RGB, same extents."""
    import rasterio

    wavelengths = _column(folder / "cubes" / "neon_wavelengths_nm.csv")
    plots = []
    for path in sorted((folder / "cubes" / "neon_idtrees" / "HSI").glob("*.tif")):
        with rasterio.open(path) as hsi, rasterio.open(path.parents[1] / "RGB" / path.name) as rgb:
            cube = resample(hsi.read() / np.float32(1e4), wavelengths[: hsi.count], bands)
            plots.append(Plot(path.stem, cube, rgb.read().astype("float32") / 255))
    return plots


def harvard_forest(folder: Path, bands: Bands) -> Plot:
    """A NEON plot of another site (HARV); its RGB lies about one spectrometer pixel aside."""
    import rasterio

    base = folder / "cubes" / "neon_plots"
    with (
        rasterio.open(next(base.glob("HARV_*_reflectance_crop.tif"))) as hsi,
        rasterio.open(next(base.glob("HARV_*_rgb_crop.tif"))) as rgb,
    ):
        wavelengths = _column(folder / "cubes" / "neon_wavelengths_nm.csv")
        cube = resample(hsi.read() / np.float32(1e4), wavelengths[: hsi.count], bands)
        return Plot("HARV", cube, rgb.read().astype("float32") / 255)


def suburb(folder: Path, bands: Bands) -> Array:
    """An airborne AVIRIS scene of houses, roads and gardens; (bands, 90, 90)."""
    from scipy.io import loadmat

    file = loadmat(folder / "cubes" / "aviris" / "aviris_suburb.mat")
    wavelengths = file["wavelengths"].ravel().astype("float32")
    return resample(
        np.moveaxis(file["hsi_img"], 2, 0) / np.float32(1e4), _in_nm(wavelengths), bands
    )


def library(folder: Path, bands: Bands) -> dict[str, Array]:
    """Measured and modelled spectra by kind: name -> (count, bands)."""
    groups = {path.name.split(".")[0]: path for path in (folder / "spectra/earthlib").glob("*.sli")}
    spectra = {name: _sli(path, bands) for name, path in sorted(groups.items())}
    spectra["field-spectrometer"] = _field_spectra(folder / "spectra" / "muufl-asd", bands)
    return {name: found for name, found in spectra.items() if len(found)}


def cameras(folder: Path, bands: Bands) -> dict[str, Array]:
    """Spectral sensitivities by camera: name -> (3, bands)."""
    found = {}
    for path in sorted((folder / "cameras").glob("*.json")):
        found[path.name.split("_380_780")[0]] = sensitivities(path, bands)
    return found


def standard_observer(folder: Path, bands: Bands) -> Array:
    """CIE 1931 colour matching functions, (3, bands)."""
    return sensitivities(next((folder / "cameras" / "cmf").glob("*.json")), bands)


def _sli(path: Path, bands: Bands) -> Array:
    header = path.with_suffix(".sli.hdr").read_text()
    rows, columns = (_number(header, key) for key in ("lines", "samples"))
    table = np.fromfile(path, dtype="<f4").reshape(rows, columns)
    wavelengths = np.arange(350, 2501, 10, dtype="float32")[:columns]
    visible = (wavelengths >= 400) & (wavelengths <= bands.centres[-1] + 40)
    found = resample(table[:, visible].T, wavelengths[visible], bands).T
    return found[np.isfinite(found).all(1) & (found.max(1) < 1.2)]


def _field_spectra(folder: Path, bands: Bands) -> Array:
    found = []
    for path in sorted(folder.glob("*.txt")):
        if path.name.endswith("README.txt"):
            continue
        numbers = _table(path)
        for column in range(1, numbers.shape[1], 2):
            found.append(resample(numbers[:, column], numbers[:, 0], bands))
    spectra = np.array(found)
    return spectra[np.isfinite(spectra).all(1) & (spectra.max(1) < 1.2)]


def _table(path: Path) -> Array:
    rows = [line.replace(",", " ").split() for line in path.read_text().splitlines()]
    width = min(len(row) for row in rows if row)
    return np.array([row[:width] for row in rows if row], dtype="float32")


def _column(path: Path) -> Array:
    with path.open() as lines:
        rows = csv.reader(line for line in lines if line[0].isdigit())
        return np.array([float(row[0]) for row in rows], dtype="float32")


def _number(header: str, key: str) -> int:
    return int(next(line for line in header.splitlines() if line.startswith(key)).split("=")[1])


def _in_nm(wavelengths: Sequence[float] | Array) -> Array:
    found = np.asarray(wavelengths, dtype="float32")
    return found * 1000 if found.max() < 100 else found
