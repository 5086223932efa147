"""Pictures of data sets: PNG, JPEG, BMP; whatever else GDAL opens is not checked for its end."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsi_xr.datasets._base import Array
from hsi_xr.errors import UnreadableFile
from hsi_xr.io.raster_dataset import open_raster_dataset

_ENDS = {b"\xff\xd8\xff": b"\xff\xd9", b"\x89PNG": b"IEND"}
"""How a file starts -> what must be near its end. JPEG codes no FF D9 within its pixels."""
_NEAR = 4096
"""Bytes: some writers append a few after the end."""


def shape(path: Path) -> tuple[int, ...]:
    """(bands, rows, columns), from the header.

    Raises:
        UnreadableFile: Missing, truncated, or no picture.
    """
    _check_end(path)
    with open_raster_dataset(str(path)) as src:
        return src.count, src.height, src.width


def read(path: Path) -> NDArray[Any]:
    """(bands, rows, columns) as stored. Errors as of `shape`."""
    from rasterio.errors import RasterioIOError

    _check_end(path)
    with open_raster_dataset(str(path)) as src:
        try:
            return np.asarray(src.read())
        except RasterioIOError as error:
            raise UnreadableFile(
                f"{str(path)!r} is truncated or damaged ({error.__cause__ or error}); get it anew"
            ) from error


def read_rgb(path: Path) -> Array:
    """(3, rows, columns) of unsigned integers, brought to [0, 1]. Errors as of `shape`."""
    return of_full_scale(read(path)[:3])


def of_full_scale(stored: NDArray[Any]) -> Array:
    """Unsigned integers over the largest that their type holds."""
    full = np.float32(np.iinfo(stored.dtype).max)
    return np.divide(stored, full, dtype="float32")


def _check_end(path: Path) -> None:
    """GDAL opens a picture without its end, and some formats it even reads, in grey."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            file.seek(max(0, size - _NEAR))
            end = file.read()
    except OSError as error:
        raise UnreadableFile(f"{str(path)!r} cannot be read ({error}); check the path") from error
    told = int.from_bytes(start[2:6], "little") if start.startswith(b"BM") else 0
    cut = any(start.startswith(head) and tail not in end for head, tail in _ENDS.items())
    if cut or size < told:
        raise UnreadableFile(f"{str(path)!r} is truncated; get it anew")
