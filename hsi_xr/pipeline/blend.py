"""Computes blocks of a scene from blended tiles; in order, each tile runs only once.

A block is the core of a tile. The output of that tile covers the block, and so do, along its first
rows and columns, the outputs of the tiles above and to the left, which fade out there. No tile
contributes to a block before its own: if blocks are computed in order, as for a file, a row of
blocks keeps only the last rows of its tiles in memory, never whole tiles.
"""

from concurrent.futures import Future
from dataclasses import dataclass

from hsi_xr.pipeline.pixels import Pixels
from hsi_xr.pipeline.scene_statistics import StatisticsArrays
from hsi_xr.pipeline.shared_futures import RecentlyUsed, errors_go_to
from hsi_xr.pipeline.tasks import Array, Work, reconstruct_tile
from hsi_xr.pipeline.tiles import Tiling, Weights


@dataclass(frozen=True)
class Part:
    """The part of a tile's output that covers a certain block."""

    row: int
    column: int
    """Position of the tile in the grid."""
    below: int
    right: int
    """From the tile to the block: 0 for its own, 1 for the next row or column of blocks."""

    @property
    def is_own(self) -> bool:
        """True if this is the core of the tile."""
        return not (self.below or self.right)


Parts = dict[Part, "Future[Array]"]

_NEIGHBOURS = ((0, 0), (0, 1), (1, 0), (1, 1))
"""Offsets from a tile to the blocks that it covers, and from a block back to its tiles.

A block's own tile comes first: the own tiles of blocks that are computed at the same time then meet
in the queue of the device, instead of waiting for one another.
"""

_BUDGET, _MIN_TILES = 256 * 2**20, 8
"""Bytes of own parts that are kept for later blocks; at least this number of parts is kept."""

_pending: RecentlyUsed[Parts] = RecentlyUsed(limit=2)
"""Parts that no block has taken yet, by token of the work; one scene may contain another."""


def blend_block(work: Work, pixels: Pixels, i: int, j: int, statistics: StatisticsArrays) -> Array:
    """Returns a block as the weighted sum of up to four tiles.

    The result is (channels of the job's outputs, rows, columns), NaN where the scene is invalid.
    """
    taken, runs = _take(work, i, j)
    _run(work, pixels, runs, statistics)
    down, across = work.tiling.blend_weights(i, 0), work.tiling.blend_weights(j, 1)
    own, *others = (
        _weight(future.result(), down[part.below], across[part.right])
        for part, future in taken.items()
    )
    for other in others:
        own[:, : other.shape[1], : other.shape[2]] += other
    return own


def _take(work: Work, i: int, j: int) -> tuple[Parts, list[Parts]]:
    """Takes the parts that cover a block; also returns all parts of the tiles that must run."""
    taken: Parts = {}
    runs = []
    with _pending.lock:
        pending, _ = _pending.setdefault(work.token, dict)
        for below, right in _NEIGHBOURS:
            if below > i or right > j:
                continue
            part = Part(i - below, j - right, below, right)
            if part not in pending:
                runs.append(_parts(work.tiling, i - below, j - right))
                pending.update(runs[-1])
            taken[part] = pending.pop(part)
        _limit(pending, work)
    return taken, runs


def _parts(tiling: Tiling, i: int, j: int) -> Parts:
    """Returns all parts of a tile."""
    rows, columns = tiling.shape
    return {
        Part(i, j, below, right): Future()
        for below, right in _NEIGHBOURS
        if i + below < rows and j + right < columns
    }


def _limit(pending: Parts, work: Work) -> None:
    """Drops the oldest parts, which may never be needed; if one is, its tile runs again.

    An area of interest leaves parts along its border behind; a whole scene leaves none.
    """
    tile_bytes = 4 * work.job.outputs.channels * work.tiling.tile**2
    ahead = max(_MIN_TILES, _BUDGET // tile_bytes)
    own = [part for part in pending if part.is_own]
    others = [part for part in pending if not part.is_own]
    for part in own[:-ahead] + others[: -3 * (work.tiling.shape[1] + ahead)]:
        del pending[part]


def _run(work: Work, pixels: Pixels, runs: list[Parts], statistics: StatisticsArrays) -> None:
    """Runs tiles; it waits only for the device, so it cannot deadlock."""
    futures = [future for parts in runs for future in parts.values()]
    with errors_go_to(futures, cleanup=lambda: _pending.discard(work.token)):
        for parts in runs:
            first = next(iter(parts))
            i, j = first.row, first.column
            output = reconstruct_tile(work, pixels, work.tiling.overlapping(i, j), statistics)
            rows, columns = (
                (slice(len(core)), slice(len(core), None))
                for core in (work.tiling.row_spans[i], work.tiling.column_spans[j])
            )
            for part, future in parts.items():
                future.set_result(output[:, rows[part.below], columns[part.right]].copy())


def _weight(part: Array, down: Weights, across: Weights) -> Array:
    """Weights a part in place: it belongs to the one block that took it."""
    part *= down[: part.shape[1], None] * across[: part.shape[2]]
    return part
