"""Writes ten small scenes and a mask for coded-aperture simulation, as KAIST distributes them."""

from pathlib import Path

import numpy as np

from tests.mat_files import write_v5

SIZE = (19, 26)


def scene(number: int, rows: int, columns: int, patch: int = 6) -> np.ndarray:
    """(rows, columns, 28) in [0, 1]: smooth spectra in patches, brighter to the east."""
    rng, nm = np.random.default_rng(number), np.linspace(453.5, 648, 28)
    peaks = rng.uniform(470, 630, (rows // patch + 1, columns // patch + 1))
    peaks = peaks.repeat(patch, axis=0).repeat(patch, axis=1)[:rows, :columns, None]
    brightness = np.linspace(0.2, 1, columns)[:, None]
    return (brightness * np.exp(-(((nm - peaks) / 70) ** 2))).astype("float32")


def aperture(rows: int, columns: int) -> np.ndarray:
    """(rows, columns), near 0 and near 1."""
    rng = np.random.default_rng(99)
    binary = rng.uniform(size=(rows, columns)) > 0.5
    return np.clip(binary + rng.normal(0, 0.05, binary.shape), 0, 1).astype("float32")


def write_kaist(folder: Path, size: tuple[int, int] = SIZE) -> Path:
    for number in range(1, 11):
        path = folder / f"TSA_simu_data/Truth/scene{number:02d}.mat"
        write_v5(path, img=scene(number, *size))
    write_v5(folder / "TSA_simu_data/mask.mat", mask=aperture(*size).astype("float64"))
    return folder
