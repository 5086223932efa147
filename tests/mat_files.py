"""Writes MATLAB files, as MATLAB itself does, and image files for tests of data sets."""

from pathlib import Path

import h5py
import numpy as np
import rasterio
import rasterio.shutil
from scipy.io import savemat

from hsi_xr.io.raster_dataset import rasterio_open


def texture(*shape: int, seed: int = 0) -> np.ndarray:
    """Random values in [.1, .8); the last pixel of the first row is 1, which shows orientation."""
    values = np.random.default_rng(seed).uniform(0.1, 0.8, shape).astype("float32")
    values[0, shape[1] - 1] = 1
    return values


def write_v5(path: Path, **variables: np.ndarray) -> Path:
    """Write MATLAB v5, compressed as by default, from arrays with the axes of MATLAB."""
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, variables, do_compression=True)
    return path


def write_v73(path: Path, **variables: np.ndarray) -> Path:
    """Write MATLAB v7.3: HDF5 with reversed axes behind a user block of 512 bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in variables.items():
            file.create_dataset(name, data=values.T, chunks=True, compression="gzip")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return path


def write_image(path: Path, pixels: np.ndarray, driver: str, **options: str) -> Path:
    """Write (bands, rows, columns) as an image without georeference."""
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
    """Truncates a file to a share of its length, like an interrupted download."""
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
