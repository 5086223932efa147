"""Builds the dask graph of a plan: one task per tile, on top of one survey task.

A graph contains names, numbers and hashes. Models, file handles and locks are opened where a task
runs. The pixels of a dask array reach a task as its arguments: no task computes another graph,
whose values may be on other machines.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from operator import itemgetter
from typing import Any

import dask.array as da
import numpy as np
from dask.delayed import Delayed, delayed
from dask.highlevelgraph import HighLevelGraph, Layer, MaterializedLayer
from dask.typing import Key
from numpy.typing import NDArray

from hsi_xr.io.blocks import COMPUTED_ONCE
from hsi_xr.level_interval import LEVEL_VARIABLES
from hsi_xr.pipeline.blend import blend_block
from hsi_xr.pipeline.chunk_windows import Graph, window_tasks
from hsi_xr.pipeline.pixels import (
    ArrayPixels,
    ChunkPixels,
    FilePixels,
    Pixels,
    Rectangle,
    source_rectangle,
)
from hsi_xr.pipeline.plan import Plan
from hsi_xr.pipeline.scene_statistics import StatisticsArrays, level_in
from hsi_xr.pipeline.survey import (
    is_small,
    known_statistics,
    reconstruct_and_survey,
    survey_rectangles,
    survey_scene,
)
from hsi_xr.pipeline.tasks import Work, reconstruct_tile, statistics_of
from hsi_xr.pipeline.tiles import Span, Tile, Tiling

_OUTPUT, _STATISTICS = itemgetter(0), itemgetter(1)
"""Parts of the result of `reconstruct_and_survey`."""


def output_stack(plan: Plan) -> da.Array:
    """Returns the lazy outputs of a plan, (channels of its outputs, y, x), one chunk per tile."""
    name = f"hsi-xr-reconstruct-{plan.work.token}"
    graph, dependencies = _whole(plan, name) if plan.whole else _tiles(plan, name)
    return da.Array(
        HighLevelGraph.from_collections(name, graph, dependencies),
        name,
        chunks=(
            (plan.job.outputs.channels,),
            tuple(len(span) for span in plan.tiling.row_spans),
            tuple(len(span) for span in plan.tiling.column_spans),
        ),
        meta=np.empty((0, 0, 0), dtype="float32"),
    )


def lazy_level(plan: Plan) -> da.Array:
    """Returns the lazy values of `LEVEL_VARIABLES` for a planned scene, NaN where unknown.

    They are a by-product of the pixels: to compute both at once costs no more than the pixels, and
    neither does computing them after the pixels in the same process.
    """
    statistics = _lazy_statistics(plan)
    shape, dtype = (len(LEVEL_VARIABLES),), "float64"
    return da.from_delayed(delayed(_level_scalars)(statistics), shape, dtype)


def lazy_level_factors(plan: Plan) -> da.Array | None:
    """Returns the lazy factor of the level in each draw; None without draws, or a known level."""
    job = plan.job
    is_exact = job.level_known or (job.level is not None and not job.level.log_std)
    if is_exact or not (draws := job.outputs.draws):
        return None
    factors = delayed(_level_factors)(_lazy_statistics(plan), job.seed, draws)
    return da.from_delayed(factors, (draws,), np.float64)


def _level_factors(statistics: StatisticsArrays, seed: int, draws: int) -> NDArray[np.float64]:
    from hsi_xr.reconstructors._joint_draws import draw_level_factors

    found = level_in(statistics)
    if found is None:
        return np.ones(draws)
    return draw_level_factors(found.gain, found.low, found.high, seed=seed, draws=draws)


def _level_scalars(statistics: StatisticsArrays) -> NDArray[np.float64]:
    found = level_in(statistics)
    values = found.scalars if found else dict.fromkeys(LEVEL_VARIABLES, np.nan)
    return np.array([values[name] for name in LEVEL_VARIABLES])


def _lazy_statistics(plan: Plan) -> Delayed:
    return _statistics_of_whole(plan) if plan.whole else _survey(plan)


def scene_statistics(plan: Plan) -> StatisticsArrays:
    """Returns the statistics of a scene; those of a dask array by the active scheduler."""
    pixels = pixels_of(plan)
    return _survey(plan).compute() if pixels is None else survey_scene(plan.work, pixels)


def pixels_of(plan: Plan) -> Pixels | None:
    """Returns the pixels of a scene that any task can read, or None for those of a dask array."""
    scene = plan.scene
    if scene.file is not None:
        return FilePixels(scene.file)
    return None if scene.rgb.chunks is not None else ArrayPixels(scene.rgb.data)


def _whole(plan: Plan, name: str) -> tuple[Graph, list[Any]]:
    """Returns the graph of a scene in one piece, and the collections that it depends on."""
    run = _run_of_whole(plan)
    return {(name, 0, 0, 0): (_OUTPUT, run.key)}, [run]


def _statistics_of_whole(plan: Plan) -> Delayed:
    """Returns the lazy statistics of a scene in one piece, from the run that computes it."""
    run, key = _run_of_whole(plan), f"{COMPUTED_ONCE}-{plan.work.token}"
    dependencies: list[Any] = [run]  # dask's types do not match
    layer = _SurveyLayer({key: (_STATISTICS, run.key)}, plan.work.token)
    return Delayed(key, HighLevelGraph.from_collections(key, layer, dependencies), layer=key)


def _run_of_whole(plan: Plan) -> Delayed:
    """Returns the lazy outputs and statistics of a scene in one piece."""
    key, work = f"hsi-xr-whole-{plan.work.token}", plan.work
    dependencies: list[Any] = []
    graph: Graph
    if (pixels := pixels_of(plan)) is not None:
        graph = {key: (reconstruct_and_survey, work, pixels)}
    else:
        read, chunk = _read(plan.scene.rgb.data, plan.tiling.at(0, 0), plan.tiling)
        graph, dependencies = {key: (reconstruct_and_survey, work, read)}, [chunk]
    return Delayed(key, HighLevelGraph.from_collections(key, graph, dependencies), layer=key)


def _tiles(plan: Plan, name: str) -> tuple[Graph, list[Any]]:
    """Returns the graph of a scene in tiles, and the collections that it depends on."""
    tiling, survey = plan.tiling, _survey(plan)
    graph: Graph = {}
    dependencies: list[Any] = [survey]  # dask's types do not match
    scene, chunks = f"{name}-scene", None
    if (pixels := pixels_of(plan)) is not None:
        graph[scene] = pixels  # type: ignore[assignment]  # a value, not a task
    else:
        # as tasks even on a cluster, whose shuffle would need the whole scene at once
        chunks = plan.scene.rgb.data.rechunk((-1, _side(tiling), _side(tiling)), method="tasks")
        dependencies.append(chunks)
    for i, j in np.ndindex(*tiling.shape):
        read = scene if chunks is None else _read_chunks(chunks, _rectangle(tiling, i, j), tiling)
        graph[name, 0, i, j] = (
            (blend_block, plan.work, read, i, j, survey.key)
            if tiling.blend
            else (reconstruct_tile, plan.work, read, tiling.at(i, j), survey.key)
        )
    return graph, dependencies


def _survey(plan: Plan) -> Delayed:
    """Returns the lazy statistics of a scene."""
    key, work = f"{COMPUTED_ONCE}-{plan.work.token}", plan.work
    dependencies: list[Any] = []
    graph: Graph
    if plan.survey is not None:
        graph = {key: (statistics_of, plan.survey)}
    elif (pixels := pixels_of(plan)) is not None:
        graph = {key: (survey_scene, work, pixels)}
    else:
        graph, dependencies = _survey_of_array(work, key, plan.scene.rgb.data)
    layers = HighLevelGraph.from_collections(key, _SurveyLayer(graph, work.token), dependencies)
    return Delayed(key, layers, layer=key)


def _survey_of_array(work: Work, key: Key, array: da.Array) -> tuple[Graph, list[Any]]:
    """Returns the graph of a survey, and the collections that it depends on.

    A small scene is kept in memory between survey and tiles. The chunks of a large one are
    released after windows are cut out of them, and computed again for the tiles.
    """
    if work.tiling.count == 1:
        task, chunk = _read(array, work.tiling.at(0, 0), work.tiling)
        return {key: (survey_scene, work, task)}, [chunk]
    if is_small(work.tiling):
        chunk = array.rechunk(-1, method="tasks")
        return {key: (survey_scene, work, (ArrayPixels, (chunk.name, 0, 0, 0)))}, [chunk]
    name = f"hsi-xr-windows-{work.token}"
    graph, windows = window_tasks(array, survey_rectangles(work.tiling), name)
    return {**graph, key: (survey_scene, work, windows)}, [array]


@dataclass(frozen=True)
class _Known:
    """Statistics as an argument of a task; dask would look for keys in a dictionary."""

    statistics: StatisticsArrays


class _SurveyLayer(MaterializedLayer):
    """A survey that is left out of a graph if this process has already made it.

    Otherwise each part of a lazy cube that is computed would read windows of the whole scene.
    """

    def __init__(self, graph: Mapping[Key, object], token: str) -> None:
        super().__init__(graph)
        self._token = token

    def cull(
        self, keys: set[Key], all_hlg_keys: Collection[Key]
    ) -> tuple[Layer, Mapping[Key, set[Key]]]:
        """Returns the layer without tasks that the keys do not need."""
        statistics = known_statistics(self._token)
        survey = f"{COMPUTED_ONCE}-{self._token}"
        if statistics is None or survey not in keys:
            return super().cull(keys, all_hlg_keys)
        return MaterializedLayer({survey: (statistics_of, _Known(statistics))}), {survey: set()}


def _read(array: da.Array, tile: Tile, tiling: Tiling) -> tuple[Any, da.Array]:
    """Returns a task that reads the view of one tile, and the array that it depends on."""
    rows, columns = source_rectangle(tile, (tiling.rows, tiling.columns))
    part = array[:, rows.start : rows.stop, columns.start : columns.stop]
    chunk = part.rechunk(-1, method="tasks")
    return (ArrayPixels, (chunk.name, 0, 0, 0), rows.start, columns.start), chunk


def _read_chunks(chunks: da.Array, rectangle: Rectangle, tiling: Tiling) -> Any:
    """Returns a task that reads the chunks of the tile size that a rectangle touches."""
    side = _side(tiling)
    down, across = (range(span.start // side, (span.stop - 1) // side + 1) for span in rectangle)
    keys = [[(chunks.name, 0, i, j) for j in across] for i in down]
    return (ChunkPixels, keys, side, (down.start, across.start))


def _rectangle(tiling: Tiling, i: int, j: int) -> Rectangle:
    """Returns the rectangle around all tiles that contribute to a block."""
    size = (tiling.rows, tiling.columns)
    if not tiling.blend:
        return source_rectangle(tiling.at(i, j), size)
    before = product({max(i - 1, 0), i}, {max(j - 1, 0), j})
    rows, columns = zip(*(source_rectangle(tiling.overlapping(*at), size) for at in before))
    return _hull(rows), _hull(columns)


def _hull(spans: Sequence[Span]) -> Span:
    return Span(min(span.start for span in spans), max(span.stop for span in spans))


def _side(tiling: Tiling) -> int:
    return tiling.tile or max(tiling.rows, tiling.columns)
