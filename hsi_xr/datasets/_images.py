"""Image files of data sets: PNG, JPEG, BMP, and whatever else GDAL opens.

GDAL opens truncated images, and reads some of them with the missing part in grey. So the end of
PNG, JPEG and BMP files is checked here; other formats are not checked.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsi_xr.datasets._base import Array
from hsi_xr.errors import UnreadableFile
from hsi_xr.io.raster_dataset import open_raster_dataset

Stored = NDArray[np.integer]
"""Values with the data type of the file."""

_END_MARKERS = {b"\xff\xd8\xff": b"\xff\xd9", b"\x89PNG": b"IEND"}
"""First bytes of a file -> bytes near its end. JPEG never codes FF D9 within its pixels."""
_TAIL = 4096
"""Bytes searched for the end marker, since some writers append a few bytes after it."""


def shape(path: Path) -> tuple[int, ...]:
    """Returns (bands, rows, columns) from the header.

    Raises:
        UnreadableFile: The file is missing, truncated or not an image.
    """
    _check_end(path)
    with open_raster_dataset(str(path)) as image:
        return image.count, image.height, image.width


def read(path: Path) -> Stored:
    """Reads an image as (bands, rows, columns) stored values. Raises the errors of `shape`."""
    from rasterio.errors import RasterioIOError

    _check_end(path)
    with open_raster_dataset(str(path)) as image:
        try:
            return np.asarray(image.read())
        except RasterioIOError as error:
            reason = error.__cause__ or error
            raise UnreadableFile(
                f"{str(path)!r} is truncated or damaged ({reason}); download it again"
            ) from error


def read_rgb(path: Path) -> Array:
    """Reads an 8-bit or 16-bit image as (3, rows, columns) in [0, 1].

    Raises the errors of `shape`.
    """
    return scale_to_one(read(path)[:3])


def scale_to_one(stored: Stored) -> Array:
    """Divides unsigned integers by the largest value of their type."""
    largest = np.float32(np.iinfo(stored.dtype).max)
    return np.divide(stored, largest, dtype="float32")


def _check_end(path: Path) -> None:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            file.seek(max(0, size - _TAIL))
            end = file.read()
    except OSError as error:
        raise UnreadableFile(f"{str(path)!r} cannot be read ({error}); check the path") from error
    lacks_marker = any(start.startswith(s) and e not in end for s, e in _END_MARKERS.items())
    bmp_size = int.from_bytes(start[2:6], "little") if start.startswith(b"BM") else 0
    if lacks_marker or size < bmp_size:
        raise UnreadableFile(f"{str(path)!r} is truncated; download it again")
