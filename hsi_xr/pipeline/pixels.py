"""Reads rectangles of a scene inside dask tasks and converts them to linear RGB."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import dask.array as da
import numpy as np
from dask.base import compute
from numpy.typing import NDArray

from hsi_xr.io.raster_source import RasterSource
from hsi_xr.io.reader import read_window
from hsi_xr.pipeline.fill import fill
from hsi_xr.pipeline.radiometry import Radiometry
from hsi_xr.pipeline.tiles import Span, Tile, Tiling, mirror

Array = NDArray[np.float32]
Rectangle = tuple[Span, Span]

BRIGHTEST = 16.0
"""Linear RGB above which a pixel is a defect, or its scale is wrong."""


class Pixels(Protocol):
    """A source of stored values."""

    def read(self, rectangles: Sequence[Rectangle]) -> list[Array]:
        """Reads (3, rows, columns) stored values of several rectangles.

        They are read in one call, so that the chunks they share are computed once.
        """


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
class LazyPixels:
    """The pixels of a dask array, computed where they are read; not part of the outer graph."""

    array: da.Array

    def read(self, rectangles: Sequence[Rectangle]) -> list[Array]:
        parts = [self.array[:, r.start : r.stop, c.start : c.stop] for r, c in rectangles]
        return [
            np.asarray(part, dtype="float32") for part in compute(*parts, scheduler="synchronous")
        ]


@dataclass(frozen=True, eq=False)
class ArrayPixels:
    """A rectangle of pixels in memory.

    Attributes:
        array: (3, rows, columns).
        top, left: Row and column of its first pixel in the scene.
    """

    array: Array
    top: int
    left: int

    def read(self, rectangles: Sequence[Rectangle]) -> list[Array]:
        return [
            self.array[
                :, r.start - self.top : r.stop - self.top, c.start - self.left : c.stop - self.left
            ].astype("float32", copy=False)
            for r, c in rectangles
        ]


@dataclass(frozen=True, eq=False)
class View:
    """The pixels of a tile's view.

    Attributes:
        rgb: (3, rows, columns) linear RGB, NaN where invalid.
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
