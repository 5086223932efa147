"""Reads rectangles of a scene inside dask tasks and converts them to linear RGB."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hsi_xr.errors import InvalidData
from hsi_xr.io.raster_source import RasterSource
from hsi_xr.io.reader import read_window
from hsi_xr.pipeline.fill import fill
from hsi_xr.pipeline.radiometry import Radiometry
from hsi_xr.pipeline.tiles import Span, Tile, Tiling, mirror, overlaps

Array = NDArray[np.float32]
Rectangle = tuple[Span, Span]

BRIGHTEST = 16.0
"""Linear RGB above which a pixel is a defect, or its scale is wrong."""


class Pixels(Protocol):
    """A source of stored values."""

    def read(self, rectangles: Sequence[Rectangle]) -> list[Array]:
        """Reads (channels, rows, columns) stored values of several rectangles."""


@dataclass(frozen=True)
class FilePixels:
    """The pixels of a file, which each thread reads through its own handle."""

    source: RasterSource

    def read(self, rectangles: Sequence[Rectangle]) -> list[Array]:
        return [
            read_window(self.source, slice(r.start, r.stop), slice(c.start, c.stop))
            for r, c in rectangles
        ]


@dataclass(frozen=True, eq=False)
class ArrayPixels:
    """A rectangle of pixels in memory.

    Attributes:
        array: (channels, rows, columns).
        top, left: Row and column of its first pixel in the scene.
    """

    array: NDArray[np.number]
    top: int = 0
    left: int = 0

    def read(self, rectangles: Sequence[Rectangle]) -> list[Array]:
        parts = (
            self.array[
                :, r.start - self.top : r.stop - self.top, c.start - self.left : c.stop - self.left
            ]
            for r, c in rectangles
        )
        return [np.asarray(part, dtype="float32") for part in parts]


@dataclass(frozen=True, eq=False)
class ChunkPixels:
    """Adjacent chunks of equal sides, except for the last ones, in memory.

    Attributes:
        chunks: Rows of chunks (channels, rows, columns).
        side: Rows and columns of a chunk.
        first: Row and column of the first chunk in the grid of all chunks.
    """

    chunks: Sequence[Sequence[NDArray[np.number]]]
    side: int
    first: tuple[int, int]

    def read(self, rectangles: Sequence[Rectangle]) -> list[Array]:
        return [self._read(*rectangle) for rectangle in rectangles]

    def _read(self, rows: Span, columns: Span) -> Array:
        """Copies a rectangle; without joining all chunks, most of which it may not touch."""
        array = np.empty((len(self.chunks[0][0]), len(rows), len(columns)), dtype="float32")
        down, across = (
            self.side * np.arange(first, first + count + 1)
            for first, count in zip(self.first, (len(self.chunks), len(self.chunks[0])))
        )
        for i, from_rows, to_rows in overlaps(down, rows):
            for j, from_columns, to_columns in overlaps(across, columns):
                chunk = self.chunks[i][j]
                array[:, to_rows, to_columns] = chunk[:, from_rows, from_columns]
        return array


@dataclass(frozen=True, eq=False)
class WindowPixels:
    """Certain rectangles of a large scene, which were read before."""

    windows: Mapping[Rectangle, Array]

    def read(self, rectangles: Sequence[Rectangle]) -> list[Array]:
        """Reads rectangles that are among the windows.

        Raises:
            InvalidData: One of them is not.
        """
        try:
            return [self.windows[rectangle] for rectangle in rectangles]
        except KeyError:
            raise InvalidData(
                f"none of the {len(self.windows)} windows that a survey reads has a valid pixel; "
                "check the scene's nodata value or mask, or survey a part of it that has data: "
                "`survey=hsi_xr.survey(scene.isel(y=slice(...), x=slice(...)))`"
            ) from None


@dataclass(frozen=True, eq=False)
class View:
    """The pixels of a tile's view.

    Attributes:
        rgb: (channels, rows, columns) linear values, NaN where invalid.
        valid: (rows, columns), False for nodata and for implausibly bright pixels.
        implausible: Share of pixels that are implausibly bright.
        corner: Absolute row and column of the first pixel; see `tiles.anchor_of`.
    """

    rgb: Array
    valid: NDArray[np.bool_]
    implausible: float
    corner: tuple[int, int]

    def fill(self, default: Array) -> Array:
        """Returns the colours with invalid pixels filled; see `hsi_xr.pipeline.fill`."""
        return fill(self.rgb, self.valid, corner=self.corner, default=default)


def read_views(
    pixels: Pixels, tiles: Sequence[Tile], tiling: Tiling, radiometry: Radiometry
) -> list[View]:
    """Reads the views of tiles; beyond the edge of the scene, they mirror the inside."""
    size = (tiling.rows, tiling.columns)
    rectangles = [source_rectangle(tile, size) for tile in tiles]
    views = []
    for tile, rectangle, stored in zip(tiles, rectangles, pixels.read(rectangles)):
        rows = mirror(tile.view_rows, size[0]) - rectangle[0].start
        columns = mirror(tile.view_columns, size[1]) - rectangle[1].start
        linear = radiometry.linear(stored)[:, rows[:, None], columns]
        finite = np.isfinite(linear).all(0)
        valid = finite & (np.where(finite, linear.max(0), 0) <= BRIGHTEST)
        corner = (
            tile.view_rows.start + tiling.anchor[0],
            tile.view_columns.start + tiling.anchor[1],
        )
        views.append(View(linear, valid, float((finite & ~valid).mean()), corner))
    return views


def source_rectangle(tile: Tile, size: tuple[int, int]) -> Rectangle:
    """Returns the rectangle within the scene that a tile's view is read from."""
    rows, columns = (mirror(span, n) for span, n in zip((tile.view_rows, tile.view_columns), size))
    return (
        Span(int(rows.min()), int(rows.max()) + 1),
        Span(int(columns.min()), int(columns.max()) + 1),
    )
