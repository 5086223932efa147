"""Reads cubes whose licences allow experiments only: nothing is trained on them.

Each is resampled to a band grid; pixels are (bands, rows, columns) reflectance.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from examples.default_model.sources import aviris_wavelengths, resample
from hsi_xr.band_grid import Bands

Array = NDArray[np.float32]

_SAN_DIEGO_REMOVED = [*range(1, 7), *range(33, 36), 97, *range(107, 114), *range(153, 167)]
_SAN_DIEGO_REMOVED += range(221, 225)
"""Bands of AVIRIS, counted from 1, that the file of San Diego lacks."""


def jasper_ridge(folder: Path, bands: Bands) -> Array:
    """An airborne AVIRIS scene of a reserve: woodland, soil, water and a road."""
    from scipy.io import loadmat

    file = loadmat(folder / "cubes/research_only/jasperRidge2_R198.mat")
    cube = np.moveaxis(file["Y"].astype("float32").reshape(-1, 100, 100), 1, 2) / np.float32(1e4)
    return resample(cube, aviris_wavelengths(folder)[file["SlectBands"].ravel() - 1], bands)


def san_diego(folder: Path, bands: Bands) -> Array:
    """An airborne AVIRIS scene of an airfield, whose first band is taken for those below it."""
    from scipy.io import loadmat

    cube = loadmat(folder / "cubes/research_only/sandiego.mat")["data"].astype("float32") / 1e4
    cube = np.moveaxis(cube, 2, 0)
    wavelengths = np.delete(aviris_wavelengths(folder), np.array(_SAN_DIEGO_REMOVED) - 1)
    low = np.arange(bands.centres[0] - 20, wavelengths[0] - 5, 10)
    cube = np.concatenate([cube[:1].repeat(len(low), axis=0), cube])
    wavelengths = np.concatenate([low, wavelengths]).astype("float32")
    return resample(cube.astype("float32"), wavelengths, bands)


def cave(folder: Path) -> dict[str, Array]:
    """Indoor scenes of CAVE by name, on 400 to 700 nm in 10 nm, every fourth pixel."""
    import rasterio

    path = folder / "cubes/research_only/cave31"
    basis = np.load(path / "basis.npz")
    cubes = {}
    for scene in sorted(path.glob("*.jp2")):
        with rasterio.open(scene) as file:
            stored = (file.read()[:, ::4, ::4].astype("float32") - basis["offset"]) * basis["step"]
        cubes[scene.stem] = np.tensordot(basis["V"], stored, (0, 0)).astype("float32").clip(0)
    return cubes
