"""Staging files: the computed pixels of an unfinished run, uncompressed.

A staging file takes blocks of any shape, in any order, and has all metadata of its variable. The
final file is written from it. That is why every format can be resumed, and why no format depends
on the chunks of the cube.
"""

import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hsi_xr.io.blocks import Block
from hsi_xr.io.raster_dataset import open_raster_dataset, rasterio_open
from hsi_xr.io.tags import PROVENANCE, provenance_tags, write_tags
from hsi_xr.io.tiff_directories import HELD, ROOM
from hsi_xr.io.variables import StoredValues, StoredVariable

if TYPE_CHECKING:
    from rasterio.io import DatasetWriter
    from rasterio.windows import Window

TILE = 512
"""Side of the tiles of a GeoTIFF in pixels."""
_CACHE_BYTES = 64 * 2**20
"""Size of GDAL's cache; GDAL's own default is a share of the machine's memory."""


@dataclass(frozen=True, eq=False)
class StagingFile:
    """A variable, and the file that collects its stored values."""

    variable: StoredVariable
    path: Path

    def create(self) -> None:
        """Create the file with all metadata, neither compressed nor filled."""
        variable = self.variable
        georeference = {"crs": variable.crs, "transform": variable.transform}
        rows, columns = block_shape(variable.shape)
        with rasterio_open(
            str(self.path),
            "w",
            driver="GTiff",
            dtype=variable.storage.dtype,
            nodata=variable.storage.nodata,
            count=variable.count,
            height=variable.shape[0],
            width=variable.shape[1],
            tiled=True,
            blockxsize=columns,
            blockysize=rows,
            interleave="band",
            photometric="minisblack",
            BIGTIFF="YES",
            SPARSE_OK="TRUE",
            **{key: value for key, value in georeference.items() if value is not None},
        ) as file:
            write_tags(file, variable, default_domain=HELD)
            if max(variable.shape) > TILE:  # smaller files have no overviews
                file.update_tags(ns=HELD, ROOM=ROOM)

    def update_provenance(self) -> None:
        """Write the provenance again, which the attributes of the variable have been added to."""
        with rasterio_open(str(self.path), "r+") as file:
            file.update_tags(ns=PROVENANCE, **provenance_tags(self.variable.attrs))

    def read(self, rows: slice, columns: slice, bands: slice = slice(None)) -> StoredValues:
        """Returns the stored values of a window, (bands, rows, columns)."""
        indexes = list(range(1, self.variable.count + 1))[bands]
        with rasterio_open(str(self.path)) as file:
            values: StoredValues = file.read(indexes, window=_window(rows, columns))
        return values

    def strips(self) -> Iterator[tuple[slice, StoredValues]]:
        """Yields all values from top to bottom, one row of tiles at a time."""
        rows, columns = self.variable.shape
        with rasterio_open(str(self.path)) as file:
            for top in range(0, rows, TILE):
                strip = slice(top, min(top + TILE, rows))
                yield strip, file.read(window=_window(strip, slice(0, columns)))


def block_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Returns rows and columns of a file's tiles, which are smaller for small images.

    They are wider than a small image: validators mistake a tile of its width for a strip.
    """
    if max(shape) >= TILE:
        return TILE, TILE
    rows, columns = (16 * (length // 16 + 1) for length in shape)
    return rows, columns


def write_block(file: "DatasetWriter", block: Block, values: StoredValues) -> None:
    """Write one block, (bands, rows, columns) or (rows, columns), to an open staging file."""
    bands = values if values.ndim == 3 else values[None]
    file.write(bands, window=_window(block.rows, block.columns))


def checksum(values: StoredValues) -> int:
    """Returns the CRC-32 of stored values."""
    return zlib.crc32(np.ascontiguousarray(values).data)


def verify_blocks(
    path: Path, blocks: Iterable[Block], checksums: Iterable[int], variable: str | None = None
) -> Iterator[bool]:
    """Yields, for each block, True if a file of any format returns the values written to it.

    Args:
        path: The file.
        blocks: Blocks to read.
        checksums: Their checksums when they were computed.
        variable: Name of the variable in a store.

    Raises:
        OSError: The file is damaged.
    """
    with open_raster_dataset(str(path), variable) as file:
        for block, expected in zip(blocks, checksums):
            yield checksum(file.read(window=_window(block.rows, block.columns))) == expected


@contextmanager
def limited_gdal_cache() -> Iterator[None]:
    """Bound GDAL's cache, unless the user has, so that memory does not grow with the scene."""
    import rasterio
    from rasterio.env import getenv, hasenv

    name = "GDAL_CACHEMAX"
    is_set = name in os.environ or (hasenv() and name in getenv())
    with rasterio.Env(**({} if is_set else {name: _CACHE_BYTES})):
        yield


def _window(rows: slice, columns: slice) -> "Window":
    from rasterio.windows import Window

    return Window(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
