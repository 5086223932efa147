"""The tasks of a graph: they read pixels, run a model on them, and mask the result."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsi_xr.errors import InvalidData
from hsi_xr.pipeline.job import Job
from hsi_xr.pipeline.pixels import Pixels, View, read_views
from hsi_xr.pipeline.radiometry import Radiometry
from hsi_xr.pipeline.scene_statistics import StatisticsArrays, Survey
from hsi_xr.pipeline.tiles import Tile, Tiling

Array = NDArray[np.float32]

MEAN_RGB = "scene/rgb"
"""Key of the mean linear RGB of a scene, which fills holes that have no valid neighbour."""

MAX_IMPLAUSIBLE = 0.01
"""Share of implausibly bright pixels above which the scale, not the pixels, must be wrong."""


@dataclass(frozen=True, eq=False)
class Work:
    """A job on a scene.

    Attributes:
        job: The model and how to run it.
        tiling: The grid of tiles.
        radiometry: What the stored values mean.
        token: Hash of scene, model and settings; equal work has equal tokens.
    """

    job: Job
    tiling: Tiling
    radiometry: Radiometry
    token: str


@dataclass(frozen=True, eq=False)
class ColourStatistics:
    """The distribution of a scene's colours.

    Attributes:
        chromaticity: Histogram of red, green and blue, see `hsi_xr.networks.chromaticity`; None if
            a white reflector is known to be 1.
        mean: Mean of each channel.
        extremes: Lowest and highest linear value.
    """

    chromaticity: Array | None
    mean: Array
    extremes: Array


def reconstruct_tile(work: Work, pixels: Pixels, tile: Tile, statistics: StatisticsArrays) -> Array:
    """Reconstructs a tile of a surveyed scene.

    The result is (channels of the job's outputs, rows, columns), NaN where the scene is invalid.
    """
    from hsi_xr.pipeline.devices import Request, reconstruct

    view = read_views(pixels, [tile], work.tiling, work.radiometry)[0]
    if not view.valid[tile.core].any():
        shape = (work.job.outputs.channels, len(tile.rows), len(tile.columns))
        return np.full(shape, np.nan, dtype="float32")
    rgb = view.fill(statistics[MEAN_RGB])
    output = reconstruct([Request(work.job, rgb, *_ground(work, tile), statistics)])[0]
    return _crop_and_mask(output, view, tile)


def reconstruct_scene(work: Work, pixels: Pixels) -> tuple[Array, StatisticsArrays]:
    """Reconstructs a scene in one piece, which is a survey as well."""
    tile = work.tiling.at(0, 0)
    view = read_views(pixels, [tile], work.tiling, work.radiometry)[0]
    colours = colour_statistics(work, [view], [tile])
    output, statistics = reconstruct_windows(work, [view], [tile], colours)
    return _crop_and_mask(output[0], view, tile), statistics


def statistics_of(survey: Survey) -> StatisticsArrays:
    return survey.statistics


def colour_statistics(work: Work, views: Sequence[View], tiles: Sequence[Tile]) -> ColourStatistics:
    """Returns the colour statistics of the valid pixels in the cores of tiles.

    Raises:
        InvalidData: No pixel is valid, or too many are implausibly bright.
    """
    from hsi_xr.pipeline.devices import chromaticity_histogram

    sums, totals, low, high, count = [], [], np.inf, -np.inf, 0
    for view, tile in zip(views, tiles):
        valid = view.valid[tile.core]
        if n := int(valid.sum()):
            core = np.where(valid, view.rgb[(slice(None), *tile.core)], np.float32(0))
            if not work.job.level_known:
                sums.append(n * chromaticity_histogram(core, valid).astype("float64"))
            totals.append(core.sum(axis=(1, 2), dtype="float64"))
            low, high = min(low, core[:, valid].min()), max(high, core[:, valid].max())
            count += n
    if np.mean([view.implausible for view in views]) > MAX_IMPLAUSIBLE:
        raise InvalidData(
            "many pixels are more than 16 times as bright as white; give the scale that brings "
            "the scene's values to [0, 1], e.g. scale=1/255 or scale=1e-4, or the product that "
            "they are, e.g. radiometry='sentinel-2-l2a-tci'"
        )
    if not count:
        raise InvalidData("every pixel of the scene is nodata; check its nodata value or mask")
    mean = (np.sum(totals, axis=0) / count).astype("float32")
    chromaticity = (np.sum(sums, axis=0) / count).astype("float32") if sums else None
    return ColourStatistics(chromaticity, mean, np.array([low, high], dtype="float32"))


def reconstruct_windows(
    work: Work, views: Sequence[View], tiles: Sequence[Tile], colours: ColourStatistics
) -> tuple[Array, StatisticsArrays]:
    """Reconstructs windows of a scene together.

    Returns:
        The outputs of the windows' views, (windows, channels, rows, columns), and the statistics
        of the scene.
    """
    from hsi_xr.pipeline.devices import reconstruct_together
    from hsi_xr.pipeline.inference import Windows

    weights = np.zeros((len(views), 1, *views[0].valid.shape), dtype="float32")
    for weight, view, tile in zip(weights, views, tiles):
        weight[0][tile.core] = view.valid[tile.core]
    rows, columns = zip(*(_ground(work, tile) for tile in tiles))
    windows = Windows(
        rgb=np.stack([view.fill(colours.mean) for view in views]),
        weights=weights,
        lines=(np.stack(rows), np.stack(columns)),
        chromaticity=colours.chromaticity,
        extremes=colours.extremes,
    )
    output, statistics = reconstruct_together(work.job, windows)
    return output, {**statistics, MEAN_RGB: colours.mean}


def _ground(work: Work, tile: Tile) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the absolute rows and columns of a tile's view."""
    return work.tiling.ground(tile.view_rows, 0), work.tiling.ground(tile.view_columns, 1)


def _crop_and_mask(output: Array, view: View, tile: Tile) -> Array:
    """Returns the core of a view's output, with NaN at invalid pixels."""
    core = np.ascontiguousarray(output[(slice(None), *tile.core)])
    core[:, ~view.valid[tile.core]] = np.nan
    return core
