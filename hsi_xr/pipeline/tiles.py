"""Divides scenes into tiles by index arithmetic, without reading pixels.

        view.start   core.start          core.stop   view.stop
            |------------|=================|------------|
               halo (and a little more, so that views start on the model's stride)

Cores cover the scene once. Views may extend beyond its edge, where they mirror the inside. If tiles
are blended, their outputs extend into the next cores, and their views a halo further:

         core.start       core.stop = next core.start
            |=================|~~~~~~~~~|
                                 blend: one fades out, the next fades in
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from hsi_xr.errors import UsageError

Weights = NDArray[np.float32]


@dataclass(frozen=True)
class Span:
    """Rows or columns from `start` up to, but not including, `stop`."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Tile:
    """A rectangle of output pixels, and the larger view that a model needs to compute them."""

    rows: Span
    columns: Span
    view_rows: Span
    view_columns: Span

    @property
    def core(self) -> tuple[slice, slice]:
        """Position of the output pixels within the view."""
        top, left = self.view_rows.start, self.view_columns.start
        return (
            slice(self.rows.start - top, self.rows.stop - top),
            slice(self.columns.start - left, self.columns.stop - left),
        )


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """The grid of tiles of a scene.

    Attributes:
        rows, columns: Size of the scene in pixels.
        tile: Side of a core in pixels, or 0 for the whole scene as one tile.
        halo: Pixels around a core that its output depends on.
        stride: Views start at absolute multiples of this, so that a network subsamples the
            same pixels whatever the tile, the area of interest or the file.
        anchor: Absolute row and column of the scene's first pixel; see `anchor_of`.
        blend: Pixels by which outputs extend into the next cores; at most a core, so that no more
            than two tiles meet along an axis.
        area: Rows and columns that cores cover, instead of the whole scene; views extend beyond.

    Raises:
        UsageError: A size is negative, not a multiple of the stride, or larger than a core.
    """

    rows: int
    columns: int
    tile: int
    halo: int
    stride: int
    anchor: tuple[int, int] = (0, 0)
    blend: int = 0
    area: tuple[Span, Span] | None = None

    def __post_init__(self) -> None:
        if self.tile < 0 or self.tile % self.stride:
            raise UsageError(
                f"a tile's side must be a multiple of {self.stride}; got {self.tile}, "
                f"try {max(1, round(self.tile / self.stride)) * self.stride}"
            )
        if self.halo < 0:
            raise UsageError(f"a halo cannot be negative; got {self.halo}")
        if not 0 <= self.blend <= self.tile:
            raise UsageError(f"tiles of {self.tile} px cannot be blended over {self.blend} px")

    @cached_property
    def row_spans(self) -> tuple[Span, ...]:
        return self._split(0)

    @cached_property
    def column_spans(self) -> tuple[Span, ...]:
        return self._split(1)

    @property
    def count(self) -> int:
        return len(self.row_spans) * len(self.column_spans)

    def at(self, i: int, j: int) -> Tile:
        """Returns the tile in row i and column j of the grid."""
        return self.around(self.row_spans[i], self.column_spans[j])

    def overlapping(self, i: int, j: int) -> Tile:
        """Returns the same tile, including the pixels that are blended into the next tiles."""
        rows, columns = self.row_spans[i], self.column_spans[j]
        return self.around(
            Span(rows.start, min(rows.stop + self.blend, self.rows)),
            Span(columns.start, min(columns.stop + self.blend, self.columns)),
        )

    def blend_weights(self, k: int, axis: int) -> tuple[Weights, Weights]:
        """Returns the weights along core `k` of its own tile and of the previous one.

        They sum to one; both are linear over `blend` px, and never zero there. A core at the end
        of the scene may be shorter than the ramp, which is then cut off.
        """
        size = len((self.row_spans, self.column_spans)[axis][k])
        own = np.ones(size, dtype="float32")
        if k and self.blend:
            ramp = (np.arange(self.blend) + 0.5) / self.blend
            own[: self.blend] = ramp[:size]
        return own, 1 - own

    def around(self, rows: Span, columns: Span) -> Tile:
        """Returns the tile of any core."""
        return Tile(rows, columns, self._view(rows, 0), self._view(columns, 1))

    def pixels_read(self) -> int:
        """Returns the number of pixels in all views; overlaps count repeatedly."""
        tiles = (self.overlapping(i, j) for i, j in product(*map(range, self.shape)))
        return sum(len(tile.view_rows) * len(tile.view_columns) for tile in tiles)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.row_spans), len(self.column_spans)

    def ground(self, span: Span, axis: int) -> NDArray[np.int64]:
        """Returns the absolute rows (axis 0) or columns (axis 1) of a span of the scene."""
        return np.arange(span.start, span.stop, dtype=np.int64) + self.anchor[axis]

    def aligned(self, span: Span, axis: int) -> Span:
        """Returns the span, moved back by less than a stride to start on the model's grid."""
        back = (span.start + self.anchor[axis]) % self.stride
        return Span(span.start - back, span.stop - back)

    def _split(self, axis: int) -> tuple[Span, ...]:
        area = self.area[axis] if self.area else Span(0, (self.rows, self.columns)[axis])
        step = self.tile or len(area)
        starts = range(area.start, area.stop, step)
        return tuple(Span(start, min(start + step, area.stop)) for start in starts)

    def _view(self, core: Span, axis: int) -> Span:
        phase, stride = self.anchor[axis], self.stride
        start = core.start - self.halo
        stop = core.stop + self.halo
        return Span(start - (start + phase) % stride, stop + -(stop + phase) % stride)


def overlaps(edges: NDArray[np.int64], span: Span) -> list[tuple[int, slice, slice]]:
    """Returns which chunks a span overlaps.

    Args:
        edges: (chunks + 1,) ascending starts of the chunks, and the end of the last one.
        span: A span within the edges.

    Returns:
        For each chunk its index, the slice of it that is in the span, and the slice of the span
        that is in it.
    """
    first, last = np.searchsorted(edges, [span.start, span.stop - 1], side="right") - 1
    found = []
    for index in range(int(first), min(int(last) + 1, len(edges) - 1)):
        origin, end = int(edges[index]), int(edges[index + 1])
        start, stop = max(origin, span.start), min(end, span.stop)
        if start < stop:  # not for an empty chunk
            in_chunk = slice(start - origin, stop - origin)
            found.append((index, in_chunk, slice(start - span.start, stop - span.start)))
    return found


def mirror(span: Span, size: int) -> NDArray[np.int64]:
    """Returns the indices of a span, reflected at the edges of `size` pixels."""
    index = np.arange(span.start, span.stop, dtype=np.int64)
    if size == 1:
        return np.zeros_like(index)
    index = np.abs(index) % (2 * size - 2)
    return np.where(index >= size, 2 * size - 2 - index, index)


def anchor_of(transform: Affine | None) -> tuple[int, int]:
    """Returns the absolute row and column of a scene's first pixel, on an infinite pixel grid.

    Two scenes that are cut from one grid agree on the row and column of every pixel. Without a
    georeference, (0, 0).
    """
    if transform is None:
        return (0, 0)
    linear = Affine(transform.a, transform.b, 0, transform.d, transform.e, 0)
    column, row = ~linear @ (transform.c, transform.f)
    # grids usually start at the corner or centre of a pixel: avoid rounding at either
    return (int(np.floor(row + 0.3)), int(np.floor(column + 0.3)))


def spread_windows(tiling: Tiling, *, side: int, count: int) -> list[Tile]:
    """Returns about `count` square windows, spread evenly over the scene.

    Fewer if that many would overlap, since pixels that count twice bias the statistics.
    """
    rows, columns = tiling.rows, tiling.columns
    down = min(max(1, round((count * rows / columns) ** 0.5)), max(1, rows // side), count)
    across = min(max(1, count // down), max(1, columns // side))
    return [
        tiling.around(
            tiling.aligned(_window(rows, i, down, side), 0),
            tiling.aligned(_window(columns, j, across, side), 1),
        )
        for i, j in product(range(down), range(across))
    ]


def _window(size: int, i: int, cells: int, side: int) -> Span:
    side = min(side, size)
    middle = (2 * i + 1) * size // (2 * cells)
    start = min(max(middle - side // 2, 0), size - side)
    return Span(start, start + side)
