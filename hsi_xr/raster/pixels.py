"""Rectangles of a scene as numbers, with the radiometry applied; what dask tasks read with."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hsi_xr.raster.fill import filled
from hsi_xr.raster.radiometry import Radiometry
from hsi_xr.raster.read import Source, read_window
from hsi_xr.raster.tiles import Span, Tile, mirrored

Array = NDArray[np.float32]


class Pixels(Protocol):
    """Somewhere that a rectangle of (3, rows, columns) stored numbers can be read from."""

    def read(self, rows: Span, columns: Span) -> Array: ...


@dataclass(frozen=True)
class FilePixels:
    """Windows of a file, each thread through a handle of its own."""

    source: Source

    def read(self, rows: Span, columns: Span) -> Array:
        return read_window(
            self.source, slice(rows.start, rows.stop), slice(columns.start, columns.stop)
        )


@dataclass(frozen=True, eq=False)
class LazyPixels:
    """Slices of a dask array, computed where they are read; opaque to the graph around it."""

    array: Any

    def read(self, rows: Span, columns: Span) -> Array:
        part = self.array[:, rows.start : rows.stop, columns.start : columns.stop]
        return np.asarray(part.compute(scheduler="synchronous"), dtype="float32")


@dataclass(frozen=True, eq=False)
class HeldPixels:
    """A rectangle that was put together from the chunks around a tile."""

    held: Array
    top: int
    left: int

    def read(self, rows: Span, columns: Span) -> Array:
        r, c = rows.start - self.top, columns.start - self.left
        part = self.held[:, r : r + len(rows), c : c + len(columns)]
        return part.astype("float32", copy=False)


@dataclass(frozen=True)
class View:
    """What a network gets to see: no NaN, no edge of the scene, one radiometry."""

    rgb: Array
    """(3, rows, columns) linear RGB; holes are filled from around them."""
    valid: NDArray[np.bool_]


def reach(tile: Tile, size: tuple[int, int]) -> tuple[Span, Span]:
    """The rectangle within the scene that a tile's view needs."""
    rows, columns = (
        mirrored(span, n) for span, n in zip((tile.view_rows, tile.view_columns), size)
    )
    return (
        Span(int(rows.min()), int(rows.max()) + 1),
        Span(int(columns.min()), int(columns.max()) + 1),
    )


def look(pixels: Pixels, tile: Tile, size: tuple[int, int], radiometry: Radiometry) -> View:
    """Reads a tile's view; where it reaches over the scene's edge, it mirrors the inside."""
    rows, columns = reach(tile, size)
    stored = pixels.read(rows, columns)
    at = np.ix_(
        mirrored(tile.view_rows, size[0]) - rows.start,
        mirrored(tile.view_columns, size[1]) - columns.start,
    )
    linear = radiometry.linear(stored)[:, at[0], at[1]]
    valid = np.isfinite(linear).all(0)
    return View(filled(linear, valid), valid)
