"""Cuts windows out of the chunks of a dask array, by tasks of the graph that uses the windows."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import dask.array as da
import numpy as np
from dask._task_spec import DataNode, GraphNode, convert_legacy_graph
from dask.array.optimization import optimize
from dask.typing import Key
from dask.utils import ensure_dict
from numpy.typing import NDArray

from hsi_xr.pipeline.pixels import Rectangle, WindowPixels
from hsi_xr.pipeline.tiles import Span, overlaps

Slices = tuple[slice, slice, slice]
Graph = dict[Key, GraphNode | tuple[Callable[..., object], *tuple[object, ...]]]


@dataclass(frozen=True)
class _Part:
    """The part of a window that lies in one chunk."""

    window: int
    in_chunk: Slices
    in_window: Slices


@dataclass(frozen=True)
class _Parts:
    """All parts that are cut out of a chunk; an object, because dask looks for keys in tuples."""

    parts: tuple[_Part, ...]


CutParts = list[tuple[_Part, NDArray[np.number]]]


@dataclass(frozen=True)
class _Windows:
    """The rectangles of all windows, as an object for the same reason."""

    rectangles: tuple[Rectangle, ...]
    channels: int


def window_tasks(
    array: da.Array, windows: Sequence[Rectangle], name: str
) -> tuple[Graph, tuple[Any, ...]]:
    """Returns a graph that cuts windows out of an array, and the task that joins them.

    The result of the task is a `WindowPixels`.

    The chunks are computed by tasks of other names than those of the array, so that they are
    released at once, even if the array itself is used later in the same graph. Chunks that are
    already in memory, here or on a cluster, are used as they are.

    Args:
        array: (channels, y, x) in any chunks.
        windows: Rectangles within the array.
        name: Prefix of the keys of the tasks that cut.
    """
    by_chunk = _parts_by_chunk(array, windows)
    chunks: list[Key] = [(array.name, *index) for index in by_chunk]
    graph, names = _copied_tasks(array, chunks)
    keys: list[Key] = []
    for number, (chunk, parts) in enumerate(zip(chunks, by_chunk.values())):
        keys.append((name, number))
        graph[name, number] = (_cut, names.get(chunk, chunk), _Parts(tuple(parts)))
    return graph, (_join, _Windows(tuple(windows), array.shape[0]), keys)


def _join(windows: _Windows, cuts: Sequence[CutParts]) -> WindowPixels:
    """Joins the parts of windows that were cut out of chunks."""
    rectangles = windows.rectangles
    arrays = [
        np.empty((windows.channels, len(rows), len(columns)), "float32")
        for rows, columns in rectangles
    ]
    for part, values in (pair for cut in cuts for pair in cut):
        arrays[part.window][part.in_window] = values
    return WindowPixels(dict(zip(rectangles, arrays)))


def _cut(chunk: NDArray[np.number], parts: _Parts) -> CutParts:
    """Returns copies, which do not keep the chunk in memory."""
    return [(part, np.array(chunk[part.in_chunk])) for part in parts.parts]


def _parts_by_chunk(
    array: da.Array, windows: Sequence[Rectangle]
) -> dict[tuple[int, ...], list[_Part]]:
    """Returns the parts of windows by the index of the chunk that they lie in."""
    edges = [np.cumsum([0, *lengths]) for lengths in array.chunks]
    found = defaultdict(list)
    for number, (rows, columns) in enumerate(windows):
        spans = (Span(0, array.shape[0]), rows, columns)
        for axes in product(*map(overlaps, edges, spans)):
            index, in_chunk, in_window = zip(*axes)
            found[index].append(_Part(number, in_chunk, in_window))
    return dict(sorted(found.items()))


def _copied_tasks(array: da.Array, keys: Sequence[Key]) -> tuple[Graph, dict[Key, Key]]:
    """Returns the tasks that compute chunks under other names, and the new names.

    `dask.graph_manipulation.clone` does not rename what some layers refer to, such as those of
    `rechunk`, and copies values in memory.
    """
    optimised: dict[Key, Any] = convert_legacy_graph(ensure_dict(optimize(array.dask, list(keys))))
    names = {
        key: _renamed(key) for key, node in optimised.items() if not isinstance(node, DataNode)
    }
    return {
        names.get(key, key): node.substitute(names, key=names.get(key, key))
        for key, node in optimised.items()
    }, names


def _renamed(key: Key) -> Key:
    return (f"{key[0]}-survey", *key[1:]) if isinstance(key, tuple) else f"{key}-survey"
