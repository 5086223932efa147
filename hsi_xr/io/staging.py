"""The pixels of a run that is not finished: a plain file that blocks of any shape can be put into.

It has all labels of its image and no compression. What users get is laid out from it, whatever the
format; so every format can be resumed, and none depends on the chunks of the cube.
"""

import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsi_xr.io.blocks import Block
from hsi_xr.io.raster_dataset import open_raster_dataset, rasterio_open
from hsi_xr.io.tags import write_tags
from hsi_xr.io.tiff_directories import HELD, ROOM
from hsi_xr.io.variables import StoredVariable

TILE = 512
_CACHE = 64 * 2**20
"""Bytes that GDAL may keep; its own default is a share of the machine, whatever the scene."""


@dataclass(frozen=True, eq=False)
class StagingFile:
    """An image and the file that collects its numbers."""

    image: StoredVariable
    path: Path

    def create(self) -> None:
        """An empty file with all but pixels, quick to fill: neither compressed nor zeroed."""
        image = self.image
        place = {"crs": image.crs, "transform": image.transform}
        rows, columns = block_of(image.shape)
        with rasterio_open(
            str(self.path),
            "w",
            driver="GTiff",
            dtype=image.storage.dtype,
            nodata=image.storage.nodata,
            count=image.count,
            height=image.shape[0],
            width=image.shape[1],
            tiled=True,
            blockxsize=columns,
            blockysize=rows,
            interleave="band",
            photometric="minisblack",
            BIGTIFF="YES",
            SPARSE_OK="TRUE",
            **{key: value for key, value in place.items() if value is not None},
        ) as file:
            write_tags(file, image, default_domain=HELD)
            if max(image.shape) > TILE:  # only such a file will have overviews
                file.update_tags(ns=HELD, ROOM=ROOM)

    def stored(
        self,
        rows: slice,
        columns: slice,
        bands: slice = slice(None),
    ) -> NDArray[Any]:
        """The numbers of a window, (bands, rows, columns)."""
        chosen = list(range(1, self.image.count + 1))[bands]
        with rasterio_open(str(self.path)) as file:
            numbers: NDArray[Any] = file.read(chosen, window=_window(rows, columns))
        return numbers

    def strips(self) -> Iterator[tuple[slice, NDArray[Any]]]:
        """All numbers from top to bottom, a row of tiles at a time."""
        rows, columns = self.image.shape
        with rasterio_open(str(self.path)) as file:
            for top in range(0, rows, TILE):
                strip = slice(top, min(top + TILE, rows))
                yield strip, file.read(window=_window(strip, slice(0, columns)))


def block_of(shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of a file's blocks: a small image is not blown up to a whole tile.

    A block is wider than a small image, since one as wide looks like a strip to validators.
    """
    if max(shape) >= TILE:
        return TILE, TILE
    rows, columns = (16 * (length // 16 + 1) for length in shape)
    return rows, columns


def put(file: Any, block: Block, numbers: NDArray[Any]) -> None:
    """Write one block, (bands, rows, columns) or (rows, columns), to an open draft."""
    bands = numbers if numbers.ndim == 3 else numbers[None]
    file.write(bands, window=_window(block.rows, block.columns))


def checksum(numbers: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(numbers).data)


def readable(
    path: Path, blocks: Iterable[Block], sums: Iterable[int], variable: str | None = None
) -> Iterator[bool]:
    """For each block whether the file, of any format, gives back the numbers that were put there.

    Raises:
        OSError: The file is damaged.
    """
    with open_raster_dataset(str(path), variable) as file:
        for block, expected in zip(blocks, sums):
            numbers = file.read(window=_window(block.rows, block.columns))
            yield checksum(numbers) == expected


@contextmanager
def bounded_cache() -> Iterator[None]:
    """Keep GDAL's cache small, so that memory does not grow with the scene, unless it is set."""
    import rasterio
    from rasterio.env import getenv, hasenv

    name = "GDAL_CACHEMAX"
    is_set = name in os.environ or (hasenv() and name in getenv())
    with rasterio.Env(**({} if is_set else {name: _CACHE})):
        yield


def _window(rows: slice, columns: slice) -> Any:
    from rasterio.windows import Window

    return Window(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
