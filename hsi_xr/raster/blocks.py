"""A lazy cube in blocks: which there are, and computing the next ones while one is written."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Sizes = tuple[tuple[int, ...], tuple[int, ...]]
"""Of the blocks along y and x."""

Read = Callable[["Block"], list[NDArray[Any]]]
"""Computes the pixels of one block of all arrays."""

Result = TypeVar("Result")

_IN_FLIGHT = 256 * 2**20
"""Bytes of computed blocks that may wait to be written."""
_MOST_AT_ONCE = 8


@dataclass(frozen=True)
class Block:
    """A rectangle of pixels, and its place among the blocks (row, column)."""

    index: tuple[int, int]
    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    @property
    def pixels(self) -> int:
        return self.shape[0] * self.shape[1]


def block_sizes(arrays: Sequence[xr.DataArray], side: int) -> Sizes:
    """Blocks whose edges are tile edges of a file tiled by `side`, so no tile is written twice.

    Where the arrays are chunked that way, the blocks are their chunks. Otherwise each block is
    at least as large as a chunk, which bounds how often a chunk is computed.
    """
    chunked = next((array for array in arrays if array.chunks is not None), None)
    lengths = arrays[0].sizes["y"], arrays[0].sizes["x"]
    if chunked is None:
        own: tuple[tuple[int, ...], ...] = ((), ())
    else:
        own = tuple(chunked.chunksizes[dim] for dim in ("y", "x"))
    rows, columns = (_aligned(chunks, length, side) for chunks, length in zip(own, lengths))
    return rows, columns


def cut(sizes: Sizes) -> list[Block]:
    """All blocks in the order in which a file holds them: by row, then by column."""
    rows, columns = ([0, *np.cumsum(lengths).tolist()] for lengths in sizes)
    return [
        Block((i, j), slice(*vertical), slice(*horizontal))
        for i, vertical in enumerate(pairwise(rows))
        for j, horizontal in enumerate(pairwise(columns))
    ]


def reader(arrays: Sequence[xr.DataArray], sizes: Sizes) -> Read:
    """A function that computes one block of all arrays at once: what they share, only once.

    The graph is optimised here, for all blocks; a block then costs only the tasks that it needs.
    """
    from dask.array.optimization import optimize
    from dask.core import flatten
    from dask.highlevelgraph import HighLevelGraph
    from dask.local import get_sync
    from dask.optimization import cull

    lazy = {at: _rechunked(array, sizes) for at, array in enumerate(arrays) if array.chunks}
    merged = HighLevelGraph.merge(*(data.__dask_graph__() for data in lazy.values()))
    every = list(flatten([data.__dask_keys__() for data in lazy.values()]))
    # of all keys together: `dask.optimize` fuses a task that arrays share into each of them
    graph = dict(optimize(merged, every)) if lazy else {}

    def read(block: Block) -> list[NDArray[Any]]:
        keys = {at: (data.name, *(0,) * (data.ndim - 2), *block.index) for at, data in lazy.items()}
        needed, _ = cull(graph, list(keys.values()))
        computed = dict(zip(keys, get_sync(needed, list(keys.values()))))
        return [
            np.asarray(computed[at]) if at in computed else _part(array, block)
            for at, array in enumerate(arrays)
        ]

    return read


def ahead(
    compute: Callable[[Block], Result], blocks: Iterable[Block], block_bytes: int
) -> Generator[tuple[Block, Result], None, None]:
    """Blocks with what was computed of them, in order, while other threads are some ahead."""
    workers = max(2, min(_MOST_AT_ONCE, _IN_FLIGHT // max(block_bytes, 1)))
    waiting: deque[tuple[Block, Future[Result]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="hsi-xr-block")
    try:
        for block in blocks:
            waiting.append((block, pool.submit(compute, block)))
            if len(waiting) > workers:
                first, result = waiting.popleft()
                yield first, result.result()
        while waiting:
            first, result = waiting.popleft()
            yield first, result.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _aligned(chunks: tuple[int, ...], length: int, side: int) -> tuple[int, ...]:
    if chunks and min(chunks) > 0 and all(size % side == 0 for size in chunks[:-1]):
        return chunks
    step = -(-max(chunks, default=side) // side) * side
    return tuple(min(step, length - start) for start in range(0, length, step))


def _rechunked(array: xr.DataArray, sizes: Sizes) -> Any:
    whole = {"band": -1} if "band" in array.dims else {}
    return array.chunk({**whole, "y": sizes[0], "x": sizes[1]}).data


def _part(array: xr.DataArray, block: Block) -> NDArray[Any]:
    return array.isel(y=block.rows, x=block.columns).to_numpy()
