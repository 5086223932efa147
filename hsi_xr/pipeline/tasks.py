"""What dask runs for a block. The scene's numbers meet the engine here."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsi_xr.errors import InvalidData
from hsi_xr.pipeline.job import Job
from hsi_xr.pipeline.pixels import HeldPixels, Pixels, View, look
from hsi_xr.pipeline.radiometry import Radiometry
from hsi_xr.pipeline.scene_statistics import StatisticsArrays, Survey
from hsi_xr.pipeline.tiles import Tile, Tiling

Array = NDArray[np.float32]

FILL = "scene/rgb"
"""Fact: mean linear RGB of the scene's valid pixels, for holes that have no neighbour."""

ABSURD = 0.01
"""Share of pixels far brighter than white from which the scale is wrong, and not the pixels."""


@dataclass(frozen=True, eq=False)
class Work:
    """A job on a scene."""

    job: Job
    tiling: Tiling
    radiometry: Radiometry
    token: str
    """Names scene, model and settings; equal work has equal tokens."""


def reconstruct_block(work: Work, pixels: Pixels, tile: Tile, facts: StatisticsArrays) -> Array:
    """Reconstructs a tile of a surveyed scene.

    The result is (channels of the job's outputs, rows, columns), NaN where the scene is invalid.
    """
    from hsi_xr.pipeline.devices import Request, reconstruct

    view = look(pixels, [tile], work.tiling, work.radiometry)[0]
    if not view.valid[tile.core].any():
        shape = (work.job.outputs.channels, len(tile.rows), len(tile.columns))
        return np.full(shape, np.nan, dtype="float32")
    rgb = view.filled(facts[FILL])
    answer = reconstruct([Request(work.job, rgb, *_ground(work, tile), facts)])[0]
    return _masked(answer, view, tile)


def reconstruct_held(
    work: Work,
    chunks: list[list[Array]],
    corner: tuple[int, int],
    tile: Tile,
    facts: StatisticsArrays,
) -> Array:
    """The same from the chunks around a tile, whose first pixel lies at `corner`."""
    held = np.concatenate([np.concatenate(row, axis=2) for row in chunks], axis=1)
    return reconstruct_block(work, HeldPixels(held, *corner), tile, facts)


def reconstruct_scene(work: Work, pixels: Pixels) -> Array:
    """A scene in one piece, which is its own survey."""
    tile = work.tiling.at(0, 0)
    view = look(pixels, [tile], work.tiling, work.radiometry)[0]
    answer, _ = whole(work, [view], [tile], colours([view], [tile]))
    return _masked(answer[0], view, tile)


def given_facts(survey: Survey) -> StatisticsArrays:
    """The facts of a survey that the caller handed in."""
    return survey.facts


@dataclass(frozen=True, eq=False)
class Colours:
    """What the pixels of a scene, or very many of them, tell of how its picture was made."""

    chromaticity: Array
    """See `hsi_xr.pipeline.devices.chromaticity`."""
    extremes: Array
    """Lowest and highest number of linear RGB."""

    @property
    def mean(self) -> Array:
        """Of linear RGB, (3,)."""
        return self.chromaticity.reshape(4, -1)[1:].sum(axis=1)


def colours(views: list[View], tiles: list[Tile]) -> Colours:
    """Those of the valid pixels of tiles' cores.

    Raises:
        InvalidData: No pixel is valid, or too many are absurdly bright.
    """
    from hsi_xr.pipeline.devices import chromaticity_histogram

    sums, low, high, count = [], np.inf, -np.inf, 0
    for view, tile in zip(views, tiles):
        valid = view.valid[tile.core]
        if share := int(valid.sum()):
            core = np.where(valid, view.rgb[(slice(None), *tile.core)], np.float32(0))
            sums.append(share * chromaticity_histogram(core, valid).astype("float64"))
            low, high = min(low, core[:, valid].min()), max(high, core[:, valid].max())
            count += share
    if np.mean([view.absurd for view in views]) > ABSURD:
        raise InvalidData(
            "many pixels are more than 16 times as bright as white; give the scale that brings "
            "the scene's numbers to [0, 1], e.g. scale=1/255 or scale=1e-4"
        )
    if not count:
        raise InvalidData("every pixel of the scene is nodata; check its nodata value or mask")
    mean = (np.sum(sums, axis=0) / count).astype("float32")
    return Colours(mean, np.array([low, high], dtype="float32"))


def whole(
    work: Work, views: list[View], tiles: list[Tile], of: Colours
) -> tuple[Array, StatisticsArrays]:
    """Runs the windows of a scene in step: their answers, and the scene's facts."""
    from hsi_xr.pipeline.devices import reconstruct_whole
    from hsi_xr.pipeline.inference import Windows

    weights = np.zeros((len(views), 1, *views[0].valid.shape), dtype="float32")
    for weight, view, tile in zip(weights, views, tiles):
        weight[0][tile.core] = view.valid[tile.core]
    rows, columns = zip(*(_ground(work, tile) for tile in tiles))
    windows = Windows(
        rgb=np.stack([view.filled(of.mean) for view in views]),
        weights=weights,
        lines=(np.stack(rows), np.stack(columns)),
        chromaticity=None if work.job.level_known else of.chromaticity,
        extremes=of.extremes,
    )
    answer, facts = reconstruct_whole(work.job, windows)
    return answer, {**facts, FILL: of.mean}


def _ground(work: Work, tile: Tile) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return work.tiling.ground(tile.view_rows, 0), work.tiling.ground(tile.view_columns, 1)


def _masked(answer: Array, view: View, tile: Tile) -> Array:
    core = np.ascontiguousarray(answer[(slice(None), *tile.core)])
    core[:, ~view.valid[tile.core]] = np.nan
    return core
