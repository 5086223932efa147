"""What dask runs: survey a scene, reconstruct a block. The scene's numbers meet the engine here."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsi_xr.errors import InvalidData
from hsi_xr.facts import Survey
from hsi_xr.job import Job
from hsi_xr.raster.pixels import HeldPixels, Pixels, View, look
from hsi_xr.raster.radiometry import Radiometry
from hsi_xr.raster.tiles import Span, Tile, Tiling, spread_windows

Array = NDArray[np.float32]
Facts = Mapping[str, NDArray[Any]]

WINDOW, WINDOWS, MARGIN = 64, 64, 8
"""Side, number and margin of survey windows: many small ones beat few large ones."""

LEVEL_SIDE, LEVEL_WINDOWS = 512, 1024
"""For the scene's brightness pixels are only read, so that many more of them can count."""

SPARSE = 0.05
"""Share of valid pixels in the windows under which they are sought where the data is."""

BRIGHTEST = 16.0
"""Linear RGB far beyond white: the scale is wrong, not the ground."""


@dataclass(frozen=True, eq=False)
class Work:
    """A job on a scene."""

    job: Job
    tiling: Tiling
    radiometry: Radiometry
    token: str
    """Names scene, model and settings; equal work has equal tokens."""


def reconstruct_block(work: Work, pixels: Pixels, tile: Tile, facts: Facts) -> Array:
    """A tile of a surveyed scene; (bands or 2 bands, rows, columns), NaN where invalid."""
    from hsi_xr.engine import Request, reconstruct

    view = _look(work, pixels, tile)
    if not view.valid[tile.core].any():
        return _nothing(work, tile)
    rows, columns = _ground(work, tile)
    answer = reconstruct([Request(work.job, view.rgb, rows, columns, facts)])[0]
    return _masked(answer, view, tile)


def reconstruct_held(
    work: Work, chunks: list[list[Array]], corner: tuple[int, int], tile: Tile, facts: Facts
) -> Array:
    """The same from the chunks around a tile, whose first pixel lies at `corner`."""
    held = np.concatenate([np.concatenate(row, axis=2) for row in chunks], axis=1)
    return reconstruct_block(work, HeldPixels(held, *corner), tile, facts)


def reconstruct_scene(work: Work, pixels: Pixels) -> Array:
    """A scene in one piece, which is its own survey."""
    tile = work.tiling.at(0, 0)
    view = _look(work, pixels, tile)
    if not view.valid.any():
        raise InvalidData(_NO_DATA)
    answer, _ = _whole(work, [view], [tile], _means(work, [(view, tile)]))
    return _masked(answer[0], view, tile)


def survey_scene(work: Work, pixels: Pixels) -> Facts:
    """The scene's facts, from windows spread over it; made once per process.

    Raises:
        InvalidData: The scene has no valid pixel at all.
    """
    with _surveying:
        if work.token not in _surveys:
            _surveys[work.token] = _survey(work, pixels)
            while len(_surveys) > _KEPT:
                _surveys.popitem(last=False)
        return _surveys[work.token]


def given_facts(survey: Survey) -> Facts:
    """The facts of a survey that the caller handed in."""
    return survey.facts


_surveying = threading.Lock()  # one thread surveys, the others wait for its answer
_surveys: OrderedDict[str, Facts] = OrderedDict()
_KEPT = 8
_NO_DATA = "every pixel of the scene is nodata; check the nodata value, e.g. with `hsi-xr info`"


def _survey(work: Work, pixels: Pixels) -> Facts:
    near = replace(work.tiling, halo=MARGIN)
    one = work.tiling.count == 1
    tiles = [work.tiling.at(0, 0)] if one else spread_windows(near, side=WINDOW, count=WINDOWS)
    views = [_look(work, pixels, tile) for tile in tiles]
    if np.mean([view.valid[tile.core].mean() for view, tile in zip(views, tiles)]) < SPARSE:
        tiles = _where_data_is(work, pixels)
        views = [_look(work, pixels, tile) for tile in tiles]
    means = None if work.job.level_known else _means(work, _for_level(work, pixels))
    return _whole(work, views, tiles, means)[1]


def _for_level(work: Work, pixels: Pixels) -> Iterator[tuple[View, Tile]]:
    """All of a scene in large pieces, or of a larger one many small ones."""
    bare = replace(work.tiling, tile=LEVEL_SIDE, halo=0)
    if bare.rows * bare.columns <= LEVEL_WINDOWS * WINDOW**2:
        tiles = [bare.at(i, j) for i, j in np.ndindex(*bare.shape)]
    else:
        tiles = spread_windows(bare, side=WINDOW, count=LEVEL_WINDOWS)
    return ((_look(work, pixels, tile), tile) for tile in tiles)


def _means(work: Work, pieces: Iterable[tuple[View, Tile]]) -> Array | None:
    """Colour means of the scene; None where its level is known and they are not needed."""
    from hsi_xr.engine import colour_means

    if work.job.level_known:
        return None
    total, count = np.zeros(9), 0
    for view, tile in pieces:
        valid = view.valid[tile.core]
        share = int(valid.sum())
        total += share * colour_means(np.ascontiguousarray(view.rgb[(..., *tile.core)]), valid)
        count += share
    return (total / max(count, 1)).astype("float32")


def _where_data_is(work: Work, pixels: Pixels) -> list[Tile]:
    """The fullest windows of a scene that is mostly nodata; reads its mask once."""
    cells = replace(work.tiling, tile=WINDOW, halo=MARGIN)
    size = (cells.rows, cells.columns)
    full: list[tuple[float, int, int]] = []
    for i in range(cells.shape[0]):
        strip = pixels.read(cells.row_spans[i], Span(0, size[1]))
        seen = np.isfinite(strip).all(0)
        full += [
            (-float(seen[:, span.start : span.stop].mean()), i, j)
            for j, span in enumerate(cells.column_spans)
        ]
        full = sorted(full)[:WINDOWS]
    if not full or full[0][0] == 0:
        raise InvalidData(_NO_DATA)
    whole = [cells.at(i, j) for share, i, j in full if share < 0]
    shape = max((len(t.view_rows), len(t.view_columns)) for t in whole)
    return [t for t in whole if (len(t.view_rows), len(t.view_columns)) == shape]


def _whole(
    work: Work, views: list[View], tiles: list[Tile], means: Array | None
) -> tuple[Array, Facts]:
    from hsi_xr.engine import reconstruct_whole

    weights = np.zeros((len(views), 1, *views[0].valid.shape), dtype="float32")
    for weight, view, tile in zip(weights, views, tiles):
        weight[0][tile.core] = view.valid[tile.core]
    rows, columns = zip(*(_ground(work, tile) for tile in tiles))
    return reconstruct_whole(
        work.job,
        np.stack([v.rgb for v in views]),
        weights,
        np.stack(rows),
        np.stack(columns),
        means,
    )


def _look(work: Work, pixels: Pixels, tile: Tile) -> View:
    view = look(pixels, tile, (work.tiling.rows, work.tiling.columns), work.radiometry)
    _check_range(view, work.radiometry)
    return view


def _ground(work: Work, tile: Tile) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return work.tiling.ground(tile.view_rows, 0), work.tiling.ground(tile.view_columns, 1)


def _masked(answer: Array, view: View, tile: Tile) -> Array:
    core = np.ascontiguousarray(answer[(slice(None), *tile.core)])
    core[:, ~view.valid[tile.core]] = np.nan
    return core


def _nothing(work: Work, tile: Tile) -> Array:
    shape = (work.job.answers, len(tile.rows), len(tile.columns))
    return np.full(shape, np.nan, dtype="float32")


def _check_range(view: View, radiometry: Radiometry) -> None:
    brightest = float(view.rgb.max())
    if brightest > BRIGHTEST:
        raise InvalidData(
            f"read as {radiometry.kind} with scale {radiometry.scale:.6g}, the scene is "
            f"{brightest:.3g} times as bright as white; give the scale that brings its numbers to "
            "[0, 1], e.g. scale=1/255 or 1e-4 (--input-scale)"
        )
