"""Rectangles of a scene as numbers, with the radiometry applied; what dask tasks read with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from dask.base import compute
from numpy.typing import NDArray

from hsi_xr.io.raster_source import RasterSource
from hsi_xr.io.reader import read_window
from hsi_xr.pipeline.fill import filled
from hsi_xr.pipeline.radiometry import Radiometry
from hsi_xr.pipeline.tiles import Span, Tile, Tiling, mirrored

Array = NDArray[np.float32]
Rectangle = tuple[Span, Span]

BRIGHTEST = 16.0
"""Linear RGB far beyond white: no ground, but a defect or a wrong scale."""


class Pixels(Protocol):
    """Somewhere that rectangles of (3, rows, columns) stored numbers can be read from."""

    def read(self, rectangles: Sequence[Rectangle]) -> list[Array]:
        """All at once, so that what they share is computed once."""


@dataclass(frozen=True)
class FilePixels:
    """Windows of a file, each thread through a handle of its own."""

    source: RasterSource

    def read(self, rectangles: Sequence[Rectangle]) -> list[Array]:
        return [
            read_window(self.source, slice(r.start, r.stop), slice(c.start, c.stop))
            for r, c in rectangles
        ]


@dataclass(frozen=True, eq=False)
class LazyPixels:
    """Slices of a dask array, computed where they are read; opaque to the graph around it."""

    array: Any

    def read(self, rectangles: Sequence[Rectangle]) -> list[Array]:
        parts = [self.array[:, r.start : r.stop, c.start : c.stop] for r, c in rectangles]
        return [
            np.asarray(part, dtype="float32") for part in compute(*parts, scheduler="synchronous")
        ]


@dataclass(frozen=True, eq=False)
class HeldPixels:
    """A rectangle that was put together from the chunks around a tile."""

    held: Array
    top: int
    left: int

    def read(self, rectangles: Sequence[Rectangle]) -> list[Array]:
        return [
            self.held[
                :, r.start - self.top : r.stop - self.top, c.start - self.left : c.stop - self.left
            ].astype("float32", copy=False)
            for r, c in rectangles
        ]


@dataclass(frozen=True, eq=False)
class View:
    """What can be seen around a tile, one radiometry for the whole scene.

    Attributes:
        rgb: (3, rows, columns) linear RGB, NaN where invalid.
        valid: (rows, columns); a pixel of absurd brightness is not.
        absurd: Share of pixels that are invalid for that reason.
        corner: Row and column of the first pixel on the ground.
    """

    rgb: Array
    valid: NDArray[np.bool_]
    absurd: float
    corner: tuple[int, int]

    def filled(self, rest: Array) -> Array:
        """The colours with holes filled; see `hsi_xr.pipeline.fill`."""
        return filled(self.rgb, self.valid, corner=self.corner, rest=rest)


def look(
    pixels: Pixels, tiles: Sequence[Tile], tiling: Tiling, radiometry: Radiometry
) -> list[View]:
    """Reads the views of tiles; where one reaches over the scene's edge, it mirrors the inside."""
    size = (tiling.rows, tiling.columns)
    rectangles = [reach(tile, size) for tile in tiles]
    found = []
    for tile, near, stored in zip(tiles, rectangles, pixels.read(rectangles)):
        rows = mirrored(tile.view_rows, size[0]) - near[0].start
        columns = mirrored(tile.view_columns, size[1]) - near[1].start
        linear = radiometry.linear(stored)[:, rows[:, None], columns]
        finite = np.isfinite(linear).all(0)
        valid = finite & (np.where(finite, linear.max(0), 0) <= BRIGHTEST)
        corner = (
            tile.view_rows.start + tiling.anchor[0],
            tile.view_columns.start + tiling.anchor[1],
        )
        found.append(View(linear, valid, float((finite & ~valid).mean()), corner))
    return found


def reach(tile: Tile, size: tuple[int, int]) -> Rectangle:
    """The rectangle within the scene that a tile's view needs."""
    rows, columns = (
        mirrored(span, n) for span, n in zip((tile.view_rows, tile.view_columns), size)
    )
    return (
        Span(int(rows.min()), int(rows.max()) + 1),
        Span(int(columns.min()), int(columns.max()) + 1),
    )
