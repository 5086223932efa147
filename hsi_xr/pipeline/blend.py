"""Tiles whose answers overlap: streamed in order, as to a file, each runs once and hands on parts.

A block is the core of a tile. That tile tells of it and, along its first rows and columns, so do
the tiles before it, which fade out there. No tile tells of a block before its own: streamed in
order, a row of blocks holds back only the last rows of its tiles, never a tile as such.
"""

import threading
from collections import OrderedDict
from concurrent.futures import Future

from hsi_xr.pipeline.pixels import Pixels
from hsi_xr.pipeline.scene_statistics import StatisticsArrays
from hsi_xr.pipeline.tasks import Array, Work, reconstruct_block
from hsi_xr.pipeline.tiles import Tiling, Weights

Part = tuple[int, int, int, int]
"""Row and column of a tile; then 1 where it tells of the block below and to the right, else 0."""

Parts = dict[Part, "Future[Array]"]

_STEPS = ((0, 0), (0, 1), (1, 0), (1, 1))
"""From a tile on to the blocks that it tells of, and from a block back to the tiles.

A block's own tile comes first: those of blocks that are computed side by side then meet in the
device's queue, instead of waiting for one another.
"""

_ROOM, _UNDER_WAY = 256 * 2**20, 8
"""Bytes, but at least tiles, that may be held for blocks of their own which come yet."""

_KEPT = 2  # scenes: one may be made from another
_held: "OrderedDict[str, Parts]" = OrderedDict()
_looking = threading.Lock()


def blended_block(work: Work, pixels: Pixels, i: int, j: int, facts: StatisticsArrays) -> Array:
    """Returns a block as the weighted sum of up to four tiles.

    The result is (channels of the job's outputs, rows, columns), NaN where the scene is invalid.
    """
    taken, runs = _take(work, i, j)
    _run(work, pixels, runs, facts)
    down, across = work.tiling.shares(i, 0), work.tiling.shares(j, 1)
    own, *others = (
        _faded(told.result(), down[below], across[right])
        for (_, _, below, right), told in taken.items()
    )
    for other in others:
        own[:, : other.shape[1], : other.shape[2]] += other
    return own


def _take(work: Work, i: int, j: int) -> tuple[Parts, list[Parts]]:
    """What is told of a block, taken from all others; and tiles that nobody runs or has run."""
    taken: Parts = {}
    runs = []
    with _looking:
        held = _held.setdefault(work.token, {})
        _held.move_to_end(work.token)
        for below, right in _STEPS:
            if below > i or right > j:
                continue
            part = (i - below, j - right, below, right)
            if part not in held:
                runs.append(_parts(work.tiling, i - below, j - right))
                held.update(runs[-1])
            taken[part] = held.pop(part)
        _forget(work, held)
    return taken, runs


def _parts(tiling: Tiling, i: int, j: int) -> Parts:
    rows, columns = tiling.shape
    return {
        (i, j, below, right): Future()
        for below, right in _STEPS
        if i + below < rows and j + right < columns
    }


def _forget(work: Work, held: Parts) -> None:
    """Drops the oldest of what may never be asked for; who does ask runs the tile again.

    An area of interest leaves parts of its border behind; a whole scene leaves none.
    """
    ahead = max(_UNDER_WAY, _ROOM // (4 * work.job.outputs.channels * work.tiling.tile**2))
    own = [part for part in held if part[2:] == (0, 0)]
    rest = [part for part in held if part[2:] != (0, 0)]
    for part in own[:-ahead] + rest[: -3 * (work.tiling.shape[1] + ahead)]:
        del held[part]
    while len(_held) > _KEPT:
        _held.popitem(last=False)


def _run(work: Work, pixels: Pixels, runs: list[Parts], facts: StatisticsArrays) -> None:
    """Runs tiles, waiting for nothing but the device: whoever waits for them is sure to go on."""
    try:
        for parts in runs:
            i, j, _, _ = next(iter(parts))
            answer = reconstruct_block(work, pixels, work.tiling.overlapping(i, j), facts)
            rows, columns = (
                (slice(len(core)), slice(len(core), None))
                for core in (work.tiling.row_spans[i], work.tiling.column_spans[j])
            )
            for (_, _, below, right), told in parts.items():
                told.set_result(answer[:, rows[below], columns[right]].copy())
    except BaseException as error:  # noqa: BLE001  # whoever waits gets it, too
        with _looking:
            _held.pop(work.token, None)
        for told in (told for parts in runs for told in parts.values() if not told.done()):
            told.set_exception(error)


def _faded(told: Array, down: Weights, across: Weights) -> Array:
    """In place: what is told belongs to the one block that took it."""
    told *= down[: told.shape[1], None] * across[: told.shape[2]]
    return told
