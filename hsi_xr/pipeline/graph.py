"""A plan as a dask graph: one task per tile's core, over one survey task.

A graph holds names, numbers and hashes: models, file handles and locks are opened where a task
runs.
"""

from typing import Any

import dask.array as da
import numpy as np
from dask.highlevelgraph import HighLevelGraph

from hsi_xr.pipeline.blend import blended_block
from hsi_xr.pipeline.pixels import FilePixels, LazyPixels, Pixels, reach
from hsi_xr.pipeline.plan import Plan
from hsi_xr.pipeline.scene import Scene
from hsi_xr.pipeline.survey import survey_scene
from hsi_xr.pipeline.tasks import (
    given_facts,
    reconstruct_block,
    reconstruct_held,
    reconstruct_scene,
)
from hsi_xr.pipeline.tiles import Tile, Tiling


def blocks(plan: Plan) -> da.Array:
    """(channels of the job's outputs, y, x), one chunk per tile."""
    name = f"hsi-xr-reconstruct-{plan.work.token}"
    tiling = plan.tiling
    chunks = None if plan.scene.file or plan.whole or tiling.blend else _chunked(plan)
    graph: dict[Any, Any]
    if plan.whole:
        graph = {(name, 0, 0, 0): (reconstruct_scene, plan.work, pixels_of(plan))}
    else:
        graph = _overlapping(plan, name) if tiling.blend else _tiles(plan, name, chunks)
    dependencies: list[Any] = [] if chunks is None else [chunks]
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
    """Where windows of the scene can be read from, anywhere."""
    return FilePixels(plan.scene.file) if plan.scene.file else LazyPixels(_array(plan.scene))


def _tiles(plan: Plan, name: str, chunks: da.Array | None) -> dict[Any, Any]:
    work, facts, pixels = plan.work, f"hsi-xr-survey-{plan.work.token}", pixels_of(plan)
    graph: dict[Any, Any] = {facts: _facts(plan, pixels)}
    for i, j in np.ndindex(*plan.tiling.shape):
        tile = plan.tiling.at(i, j)
        graph[name, 0, i, j] = (
            (reconstruct_block, work, pixels, tile, facts)
            if chunks is None
            else (reconstruct_held, work, *_around(chunks, tile, plan.tiling), tile, facts)
        )
    return graph


def _overlapping(plan: Plan, name: str) -> dict[Any, Any]:
    """Tiles that are blended: a task may have to run those before its own, so all can read all."""
    work, facts, scene = plan.work, f"hsi-xr-survey-{plan.work.token}", f"{name}-scene"
    graph: dict[Any, Any] = {scene: pixels_of(plan), facts: _facts(plan, scene)}
    for i, j in np.ndindex(*plan.tiling.shape):
        graph[name, 0, i, j] = (blended_block, work, scene, i, j, facts)
    return graph


def _facts(plan: Plan, pixels: Pixels | str) -> Any:
    """The survey task; pixels as they are, or their key."""
    return (given_facts, plan.survey) if plan.survey else (survey_scene, plan.work, pixels)


def _chunked(plan: Plan) -> da.Array:
    """The scene's array in chunks of a tile, so that a tile's surroundings are few chunks."""
    side = plan.tiling.tile or -1
    return _array(plan.scene).rechunk((3, side, side))


def _around(
    chunks: da.Array, tile: Tile, tiling: Tiling
) -> tuple[list[list[Any]], tuple[int, int]]:
    """Keys of the chunks that a tile's view touches, and the corner where they begin."""
    rows, columns = reach(tile, (tiling.rows, tiling.columns))
    side = tiling.tile or max(tiling.rows, tiling.columns)
    down = range(rows.start // side, (rows.stop - 1) // side + 1)
    across = range(columns.start // side, (columns.stop - 1) // side + 1)
    keys = [[(chunks.name, 0, i, j) for j in across] for i in down]
    return keys, (down.start * side, across.start * side)


def _array(scene: Scene) -> da.Array:
    return scene.rgb.data if scene.lazy else da.from_array(scene.rgb.data, chunks=(3, 512, 512))
