"""Splits a lazy cube into blocks, and computes the next blocks while one is being written."""

import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

if TYPE_CHECKING:
    import dask.array

BlockSizes = tuple[tuple[int, ...], tuple[int, ...]]
"""Sizes of the blocks in pixels, along y and along x."""

ReadBlock = Callable[["Block"], list[NDArray[np.number]]]
"""Computes one block of all arrays."""

Result = TypeVar("Result")

COMPUTED_ONCE = "hsi-xr-survey"
"""Prefix of the keys of tasks that all blocks need and whose results are small."""

_BYTES_AHEAD = 256 * 2**20
"""Bytes of computed blocks that may wait to be written."""
_MOST_WORKERS = 8


@dataclass(frozen=True)
class Block:
    """A rectangle of pixels, and its row and column in the grid of blocks."""

    index: tuple[int, int]
    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    @property
    def pixels(self) -> int:
        return self.shape[0] * self.shape[1]


def block_sizes(arrays: Sequence[xr.DataArray], side: int) -> BlockSizes:
    """Returns the sizes of blocks that are whole chunks, with small chunks joined.

    Each chunk of the first lazy array is then computed once, wherever its chunk edges are; other
    arrays are rechunked to match. Arrays in memory are split at multiples of `side`.

    Args:
        arrays: Arrays over the same pixels.
        side: Chunks are joined until they are at least this long, in pixels.
    """
    chunked = next((array for array in arrays if array.chunks is not None), None)
    if chunked is None:
        lengths = arrays[0].sizes["y"], arrays[0].sizes["x"]
        rows, columns = (_split(length, side) for length in lengths)
    else:
        rows, columns = (_join(chunked.chunksizes[dim], side) for dim in ("y", "x"))
    return rows, columns


def split_blocks(sizes: BlockSizes) -> list[Block]:
    """Returns all blocks in row-major order."""
    rows, columns = ([0, *np.cumsum(lengths).tolist()] for lengths in sizes)
    return [
        Block((i, j), slice(*vertical), slice(*horizontal))
        for i, vertical in enumerate(pairwise(rows))
        for j, horizontal in enumerate(pairwise(columns))
    ]


def block_reader(arrays: Sequence[xr.DataArray], sizes: BlockSizes) -> ReadBlock:
    """Returns a function that computes one block of all arrays; tasks that they share run once.

    The graph is optimised here, once for all blocks; a block then runs only the tasks it needs, on
    the cluster of an active `distributed.Client`, otherwise in the calling thread. Tasks whose keys
    start with `COMPUTED_ONCE` run before the first block.
    """
    from dask.array.optimization import optimize
    from dask.core import flatten
    from dask.highlevelgraph import HighLevelGraph
    from dask.local import get_sync
    from dask.optimization import cull

    lazy = {at: _rechunk(array, sizes) for at, array in enumerate(arrays) if array.chunks}
    merged = HighLevelGraph.merge(*(data.__dask_graph__() for data in lazy.values()))
    keys = list(flatten([data.__dask_keys__() for data in lazy.values()]))
    # all keys together, because `dask.optimize` would duplicate tasks that arrays share
    graph = dict(optimize(merged, keys)) if lazy else {}
    # without the blocks that are already on a cluster
    graph |= {key: merged[key] for key in keys if key not in graph}
    starting = Lock()
    started: list[bool] = []

    def read(block: Block) -> list[NDArray[np.number]]:
        cluster = _active_client()
        with starting:
            if not started:
                graph.update(_compute_once(graph, cluster))
                started.append(True)
        keys = {at: (data.name, *(0,) * (data.ndim - 2), *block.index) for at, data in lazy.items()}
        needed, _ = cull(graph, list(keys.values()))
        get = get_sync if cluster is None else cluster.get
        computed = dict(zip(keys, get(needed, list(keys.values()))))
        return [
            np.asarray(computed[at]) if at in computed else _select(array, block)
            for at, array in enumerate(arrays)
        ]

    return read


def _compute_once(graph: dict[Any, Any], cluster: Any) -> dict[Any, Any]:
    """Returns replacements for the tasks whose keys start with `COMPUTED_ONCE`."""
    from dask._task_spec import DataNode
    from dask.optimization import cull
    from dask.threaded import get

    shared = [key for key in graph if isinstance(key, str) and key.startswith(COMPUTED_ONCE)]
    needed, _ = cull(graph, shared)
    if cluster is not None:  # results stay there
        return dict(zip(shared, cluster.get(needed, shared, sync=False)))
    return {key: DataNode(key, value) for key, value in zip(shared, get(needed, shared))}


def _active_client() -> Any:
    """Returns the `distributed.Client` that dask would compute with, or None."""
    if "distributed" not in sys.modules:  # nobody has made one; importing it is slow
        return None
    from dask.base import get_scheduler
    from distributed import Client

    client = getattr(get_scheduler(), "__self__", None)
    return client if isinstance(client, Client) else None


def compute_ahead(
    compute: Callable[[Block], Result], blocks: Iterable[Block], block_bytes: int
) -> Generator[tuple[Block, Result], None, None]:
    """Yields blocks with their results, in order, while threads compute the next ones.

    Args:
        compute: Computes one block.
        blocks: Blocks in the order wanted.
        block_bytes: Size of the largest result, which bounds how many are computed ahead.
    """
    workers = max(2, min(_MOST_WORKERS, _BYTES_AHEAD // max(block_bytes, 1)))
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


def _split(length: int, side: int) -> tuple[int, ...]:
    return tuple(min(side, length - start) for start in range(0, length, side))


def _join(chunks: tuple[int, ...], side: int) -> tuple[int, ...]:
    joined, size = [], 0
    for chunk in chunks:
        size += chunk
        if size >= side:
            joined.append(size)
            size = 0
    return (*joined, size) if size else tuple(joined)


def _rechunk(array: xr.DataArray, sizes: BlockSizes) -> "dask.array.Array":
    bands = (-1,) if "band" in array.dims else ()
    # as tasks even with a distributed client, whose shuffle would need the whole cube at once
    return array.data.rechunk((*bands, *sizes), method="tasks")


def _select(array: xr.DataArray, block: Block) -> NDArray[np.number]:
    return array.isel(y=block.rows, x=block.columns).to_numpy()
