"""MATLAB files as MATLAB writes them, and pictures, for tests of data sets."""

from pathlib import Path

import h5py
import numpy as np
import rasterio
import rasterio.shutil
from scipy.io import savemat

from hsi_xr.io.raster_dataset import rasterio_open


def texture(*shape: int, seed: int = 0) -> np.ndarray:
    """Random numbers in [.1, .8), and one pixel like no other: the first row's last column is 1."""
    found = np.random.default_rng(seed).uniform(0.1, 0.8, shape).astype("float32")
    found[0, shape[1] - 1] = 1
    return found


def write_v5(path: Path, **variables: np.ndarray) -> Path:
    """Axes as in MATLAB; compressed, as MATLAB does by default."""
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, variables, do_compression=True)
    return path


def write_v73(path: Path, **variables: np.ndarray) -> Path:
    """Axes as in MATLAB, which HDF5 stores in reverse; a text of 512 bytes comes first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in variables.items():
            file.create_dataset(name, data=values.T, chunks=True, compression="gzip")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return path


def write_picture(path: Path, pixels: np.ndarray, driver: str, **options: str) -> Path:
    """(bands, rows, columns); a picture has no georeference."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = pixels.shape
    with rasterio.MemoryFile() as memory:
        source = rasterio_open(
            memory.name, "w", driver="GTiff", count=count, height=height, width=width,
            dtype=pixels.dtype,
        )  # fmt: skip
        with source as file:
            file.write(pixels)
        with rasterio_open(memory.name) as file:
            rasterio.shutil.copy(file, path, driver=driver, **options)
    Path(f"{path}.aux.xml").unlink(missing_ok=True)
    return path


def cut(path: Path, share: float = 0.6) -> None:
    """Loses the end of a file, as a broken download does."""
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
