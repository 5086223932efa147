"""Reads the permissively licensed spectra, plots and cameras that the default model is trained on.

Everything is resampled to one band grid; reflectance is in [0, 1].
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsi_xr.band_grid import Bands, convolve
from hsi_xr.camera.spectral_response import sensitivities

Array = NDArray[np.float32]

DARKEST = 1e-4
"""Lowest reflectance: atmospheric correction leaves zeros and negative values in dark pixels."""


@dataclass(frozen=True)
class Plot:
    """A field plot as an imaging spectrometer and an RGB camera recorded it.

    Attributes:
        name: Site and number.
        cube: (bands, rows, columns) reflectance.
        rgb: (3, k rows, k columns), display-referred, in [0, 1].
    """

    name: str
    cube: Array
    rgb: Array


def resample(cube: Array, wavelengths: Array, bands: Bands) -> Array:
    """Convolves narrow bands with Gaussian ones.

    Args:
        cube: (count, ...).
        wavelengths: (count,) in nm.
        bands: The band grid.

    Returns:
        (bands, ...).
    """
    return convolve(cube, wavelengths, bands).clip(DARKEST)


def paired_plots(folder: Path, bands: Bands) -> list[Plot]:
    """The NEON plots of the IDTReeS competition: spectra at 1 m and RGB at 0.1 m, same extents.

    A plot that the data contain twice, as they do OSBS_16 and OSBS_35, is returned once: the two
    may be on different sides of the split into training data and held-out plots.
    """
    import rasterio

    wavelengths = _column(folder / "cubes" / "neon_wavelengths_nm.csv")
    plots = []
    extents = set()
    for path in sorted((folder / "cubes" / "neon_idtrees" / "HSI").glob("*.tif")):
        with rasterio.open(path) as hsi, rasterio.open(path.parents[1] / "RGB" / path.name) as rgb:
            if (hsi.crs, hsi.bounds) in extents:
                continue
            extents.add((hsi.crs, hsi.bounds))
            cube = resample(hsi.read() / np.float32(1e4), wavelengths[: hsi.count], bands)
            plots.append(Plot(path.stem, cube, rgb.read().astype("float32") / 255))
    return plots


def harvard_forest(folder: Path, bands: Bands) -> Plot:
    """A NEON plot of another site, HARV; its RGB image is shifted by about one coarse pixel."""
    import rasterio

    plots = folder / "cubes" / "neon_plots"
    with (
        rasterio.open(next(plots.glob("HARV_*_reflectance_crop.tif"))) as hsi,
        rasterio.open(next(plots.glob("HARV_*_rgb_crop.tif"))) as rgb,
    ):
        wavelengths = _column(folder / "cubes" / "neon_wavelengths_nm.csv")
        cube = resample(hsi.read() / np.float32(1e4), wavelengths[: hsi.count], bands)
        return Plot("HARV", cube, rgb.read().astype("float32") / 255)


def suburb(folder: Path, bands: Bands) -> Array:
    """An airborne AVIRIS scene of houses, roads and gardens, (bands, 90, 90)."""
    from scipy.io import loadmat

    file = loadmat(folder / "cubes" / "aviris" / "aviris_suburb.mat")
    cube = np.moveaxis(file["hsi_img"], 2, 0) / np.float32(1e4)
    return resample(cube, aviris_wavelengths(folder), bands)


def aviris_wavelengths(folder: Path) -> Array:
    """The centres of the 224 bands of AVIRIS in nm."""
    from scipy.io import loadmat

    file = loadmat(folder / "cubes" / "aviris" / "aviris_suburb.mat")
    return _in_nm(file["wavelengths"].ravel().astype("float32"))


def library(folder: Path, bands: Bands) -> dict[str, Array]:
    """Measured and modelled spectra by origin, (count, bands) each."""
    paths = {path.name.split(".")[0]: path for path in (folder / "spectra/earthlib").glob("*.sli")}
    spectra = {name: _envi_library(path, bands) for name, path in sorted(paths.items())}
    spectra["field-spectrometer"] = _field_spectra(folder / "spectra" / "muufl-asd", bands)
    return {name: each for name, each in spectra.items() if len(each)}


def other_ground(folder: Path, bands: Bands) -> dict[str, Array]:
    """Further spectra by origin, (count, bands) each, among them snow, char and objects.

    The mixture is not fitted to them. Those that end before the last band keep their last value,
    which is enough for the colours of cameras.
    """
    spectra = folder / "spectra"
    paths = {
        "objects": spectra / "colour_science_bsd3" / "objects.npz",
        "mixtures": spectra / "isofit" / "ecostress_mixtures.npz",
        "snow": spectra / "isofit" / "ecostress_snow_500.npz",
        "burned": spectra / "earthlib110_burned_npv.npz",
    }
    return {name: _stored_library(path, bands) for name, path in paths.items()}


def cameras(folder: Path, bands: Bands) -> dict[str, Array]:
    """Spectral responses by camera, (3, bands) each."""
    return {
        path.name.split("_380_780")[0]: sensitivities(path, bands)
        for path in sorted((folder / "cameras").glob("*.json"))
    }


def standard_observer(folder: Path, bands: Bands) -> Array:
    """CIE 1931 colour matching functions, (3, bands)."""
    return sensitivities(next((folder / "cameras" / "cmf").glob("*.json")), bands)


def _envi_library(path: Path, bands: Bands) -> Array:
    header = path.with_suffix(".sli.hdr").read_text()
    rows, columns = (_header_value(header, key) for key in ("lines", "samples"))
    table = np.fromfile(path, dtype="<f4").reshape(rows, columns)
    wavelengths = np.arange(350, 2501, 10, dtype="float32")[:columns]
    visible = (wavelengths >= 400) & (wavelengths <= bands.centres[-1] + 40)
    return _plausible(resample(table[:, visible].T, wavelengths[visible], bands).T)


def _stored_library(path: Path, bands: Bands) -> Array:
    file = np.load(path)
    reflectance = file["reflectance"].astype("float32")
    if "scale" in file:
        reflectance = reflectance / np.float32(file["scale"])
    table = [np.interp(bands.centres, file["wavelengths"], spectrum) for spectrum in reflectance]
    return _plausible(np.array(table, dtype="float32"))


def _field_spectra(folder: Path, bands: Bands) -> Array:
    spectra = []
    for path in sorted(folder.glob("*.txt")):
        if path.name.endswith("README.txt"):
            continue
        values = _table(path)
        for column in range(1, values.shape[1], 2):
            spectra.append(resample(values[:, column], values[:, 0], bands))
    return _plausible(np.array(spectra))


def _plausible(spectra: Array) -> Array:
    """Leaves out spectra, (count, bands), that are not finite or too bright."""
    return spectra[np.isfinite(spectra).all(1) & (spectra.max(1) < 1.2)]


def _table(path: Path) -> Array:
    rows = [line.replace(",", " ").split() for line in path.read_text().splitlines()]
    width = min(len(row) for row in rows if row)
    return np.array([row[:width] for row in rows if row], dtype="float32")


def _column(path: Path) -> Array:
    with path.open() as lines:
        rows = csv.reader(line for line in lines if line[0].isdigit())
        return np.array([float(row[0]) for row in rows], dtype="float32")


def _header_value(header: str, key: str) -> int:
    return int(next(line for line in header.splitlines() if line.startswith(key)).split("=")[1])


def _in_nm(wavelengths: Array) -> Array:
    return wavelengths * 1000 if wavelengths.max() < 100 else wavelengths
