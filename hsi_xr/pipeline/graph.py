"""Builds the dask graph of a plan: one task per tile, on top of one survey task.

A graph contains names, numbers and hashes. Models, file handles and locks are opened where a task
runs.
"""

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
from dask.highlevelgraph import HighLevelGraph
from dask.typing import Key

from hsi_xr.pipeline.blend import blend_block
from hsi_xr.pipeline.pixels import FilePixels, LazyPixels, Pixels, source_rectangle
from hsi_xr.pipeline.plan import Plan
from hsi_xr.pipeline.scene import Scene
from hsi_xr.pipeline.survey import survey_scene
from hsi_xr.pipeline.tasks import (
    reconstruct_scene,
    reconstruct_tile,
    reconstruct_tile_of_chunks,
    statistics_of,
)
from hsi_xr.pipeline.tiles import Tile, Tiling

Task = tuple[Callable[..., object], *tuple[object, ...]]
"""A function and its arguments, among them keys of other tasks."""
Graph = dict[Key, Task | Pixels]


def output_stack(plan: Plan) -> da.Array:
    """Returns the lazy outputs of a plan, (channels of its outputs, y, x), one chunk per tile."""
    name = f"hsi-xr-reconstruct-{plan.work.token}"
    tiling = plan.tiling
    chunks = None
    if plan.whole:
        graph: Graph = {(name, 0, 0, 0): (reconstruct_scene, plan.work, pixels_of(plan))}
    elif tiling.blend:
        graph = _blended_tiles(plan, name)
    else:
        chunks = None if plan.scene.file else _chunks_of_tiles(plan)
        graph = _separate_tiles(plan, name, chunks)
    dependencies: list[Any] = [] if chunks is None else [chunks]  # dask's types do not match
    return da.Array(
        HighLevelGraph.from_collections(name, graph, dependencies),
        name,
        chunks=(
            (plan.job.outputs.channels,),
            tuple(len(span) for span in tiling.row_spans),
            tuple(len(span) for span in tiling.column_spans),
        ),
        meta=np.empty((0, 0, 0), dtype="float32"),
    )


def pixels_of(plan: Plan) -> Pixels:
    """Returns the pixels of a scene as an object that tasks can read windows from."""
    return FilePixels(plan.scene.file) if plan.scene.file else LazyPixels(_array(plan.scene))


def _separate_tiles(plan: Plan, name: str, chunks: da.Array | None) -> Graph:
    """Returns a graph of tiles that read their surroundings from pixels or from dask chunks."""
    pixels, survey = pixels_of(plan), f"hsi-xr-survey-{plan.work.token}"
    graph: Graph = {survey: _survey_task(plan, pixels)}
    for i, j in np.ndindex(*plan.tiling.shape):
        tile = plan.tiling.at(i, j)
        if chunks is None:
            graph[name, 0, i, j] = (reconstruct_tile, plan.work, pixels, tile, survey)
        else:
            keys, corner = _chunks_around(chunks, tile, plan.tiling)
            task = (reconstruct_tile_of_chunks, plan.work, keys, corner, tile, survey)
            graph[name, 0, i, j] = task
    return graph


def _blended_tiles(plan: Plan, name: str) -> Graph:
    """Returns a graph of blended tiles; a task may run earlier tiles, so it reads any pixels."""
    survey, scene = f"hsi-xr-survey-{plan.work.token}", f"{name}-scene"
    graph: Graph = {scene: pixels_of(plan), survey: _survey_task(plan, scene)}
    for i, j in np.ndindex(*plan.tiling.shape):
        graph[name, 0, i, j] = (blend_block, plan.work, scene, i, j, survey)
    return graph


def _survey_task(plan: Plan, pixels: Pixels | str) -> Task:
    """Returns the task that computes the statistics of the scene from pixels, or from their key."""
    if plan.survey is not None:
        return (statistics_of, plan.survey)
    return (survey_scene, plan.work, pixels)


def _chunks_of_tiles(plan: Plan) -> da.Array:
    """Returns the array of a scene in chunks of the tile size, so that few surround a tile."""
    side = plan.tiling.tile or -1
    return _array(plan.scene).rechunk((3, side, side))


def _chunks_around(
    chunks: da.Array, tile: Tile, tiling: Tiling
) -> tuple[list[list[Key]], tuple[int, int]]:
    """Returns the keys of the chunks that a view touches, and the position of their first pixel."""
    rows, columns = source_rectangle(tile, (tiling.rows, tiling.columns))
    side = tiling.tile or max(tiling.rows, tiling.columns)
    down = range(rows.start // side, (rows.stop - 1) // side + 1)
    across = range(columns.start // side, (columns.stop - 1) // side + 1)
    keys: list[list[Key]] = [[(chunks.name, 0, i, j) for j in across] for i in down]
    return keys, (down.start * side, across.start * side)


def _array(scene: Scene) -> da.Array:
    if scene.rgb.chunks is not None:
        return scene.rgb.data
    return da.from_array(scene.rgb.data, chunks=(3, 512, 512))
