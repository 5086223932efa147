"""Random patches of a data set: a function of seed and number, so that nothing is to be resumed."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hsi_xr.camera.srgb import srgb_decode
from hsi_xr.datasets._base import DataSet
from hsi_xr.errors import InvalidData
from hsi_xr.reconstructors._base import SceneStatistics
from hsi_xr.training.config import Data

Survey = Callable[[Tensor, Tensor], SceneStatistics]
"""A picture, (1, 3, rows, columns) linear, and what counts of it, (1, 1, rows, columns), -> the
facts of a scene of its own."""


class Scene(NamedTuple):
    cube: Tensor
    """(bands, rows, columns); NaN where it is not known."""
    rgb: Tensor
    """(3, rows, columns), linear."""
    facts: SceneStatistics


@dataclass(frozen=True)
class Batch:
    """Patches of several scenes."""

    names: tuple[str, ...]
    cube: Tensor
    """(batch, bands, side, side); 0 where it is not known."""
    known: Tensor
    """Whether it is; of the same shape."""
    rgb: Tensor
    """(batch, 3, side, side), linear."""
    facts: SceneStatistics
    """Of the scene that each patch is of."""

    def to(self, device: str) -> "Batch":
        cube, known, rgb = (each.to(device) for each in (self.cube, self.known, self.rgb))
        facts = {key: value.to(device) for key, value in self.facts.items()}
        return replace(self, cube=cube, known=known, rgb=rgb, facts=facts)


class Use(IntEnum):
    """What random numbers are for. From 1: to numpy a seed and the same followed by 0 are one."""

    WEIGHTS = 1
    BESIDE = 2
    PATCHES = 3
    LOSSES = 4


def numbers(seed: int, use: Use, *place: int) -> np.random.Generator:
    """Random numbers of a place in a run, e.g. of a step; independent of those of other places."""
    return np.random.default_rng([seed, use, *place])


class Scenes:
    """Whole scenes as training sees them; the last few stay in memory.

    Args:
        survey: Tells a scene's facts; a picture is a scene.
    """

    def __init__(self, data: DataSet, survey: Survey, *, kept: int) -> None:
        self._data, self._survey = data, survey
        self.read = lru_cache(maxsize=kept)(self._read)

    def _read(self, name: str) -> Scene:
        pair = self._data.read(name)
        cube, rgb = (torch.from_numpy(np.ascontiguousarray(each)) for each in (pair.cube, pair.rgb))
        if cube.shape[1:] != rgb.shape[1:] or len(cube) != len(self._data.bands) or len(rgb) != 3:
            raise InvalidData(
                f"scene {name!r}: a cube of {tuple(cube.shape)} and a picture of "
                f"{tuple(rgb.shape)}; they must share rows and columns, with "
                f"{len(self._data.bands)} bands and 3 channels"
            )
        unknown = rgb.isnan().any(0)
        cube, rgb = cube.masked_fill(unknown, torch.nan), rgb.masked_fill(unknown, 0.0)
        if not rgb.isfinite().all():
            raise InvalidData(f"scene {name!r}: the picture has values that are infinite")
        linear = srgb_decode(rgb) if self._data.coding == "srgb" else rgb
        with torch.no_grad():
            return Scene(cube, linear, self._survey(linear[None], counts(cube)))


def counts(cube: Tensor) -> Tensor:
    """1 where any band of a cube is known, 0 where a data set has filled; (1, 1, rows, columns)."""
    return (~cube.isnan()).any(0).to(cube)[None, None]


class Patches:
    """Batches by number. Scene, place, turn and flip of each patch are drawn uniformly."""

    def __init__(self, scenes: Scenes, names: Sequence[str], data: Data, *, seed: int) -> None:
        self._scenes, self._names, self._data, self._seed = scenes, names, data, seed

    def draw(self, number: int) -> Batch:
        rng = numbers(self._seed, Use.PATCHES, number)
        names = tuple(self._names[i] for i in rng.integers(len(self._names), size=self._data.batch))
        scenes = [self._scenes.read(name) for name in names]
        cut = [self._patch(scene, rng) for scene in scenes]
        cube, rgb = (torch.stack(each) for each in zip(*cut))
        facts = {key: torch.cat([s.facts[key] for s in scenes]) for key in scenes[0].facts}
        return Batch(names, cube.nan_to_num(nan=0.0), ~cube.isnan(), rgb, facts)

    def run(self, order: Sequence[int]) -> Iterator[Batch]:
        """The batches of these numbers, one after the other."""
        if not self._data.workers:
            yield from map(self.draw, order)
            return
        with ThreadPoolExecutor(self._data.workers) as pool:
            ahead: list[Future[Batch]] = []
            try:
                for number in order:
                    ahead.append(pool.submit(self.draw, number))
                    if len(ahead) > 2 * self._data.workers:
                        yield ahead.pop(0).result()
                while ahead:
                    yield ahead.pop(0).result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _patch(self, scene: Scene, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        side, grid = self._data.patch, self._data.grid
        sizes = scene.cube.shape[1:]
        row, column = (grid * int(rng.integers(max(0, size - side) // grid + 1)) for size in sizes)
        turns, down, right = (int(rng.integers(count)) for count in (4, 2, 2))
        window = (..., slice(row, row + side), slice(column, column + side))
        both = extended(scene.cube[window], scene.rgb[window], (side, side))
        if not self._data.augment:
            return both
        flipped = [axis for axis, flip in ((1, down), (2, right)) if flip]
        cube, rgb = (torch.rot90(each, turns, (1, 2)).flip(flipped) for each in both)
        return cube, rgb


def extended(cube: Tensor, rgb: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Both with so many rows and columns, where they have less of them.

    Beyond the scene the picture is its own mirror image, as often as it takes, and the cube is not
    known: (bands, rows, columns), (3, rows, columns) -> the same of that size, NaN in the cube.
    """
    missing = [max(0, to - here) for to, here in zip(size, cube.shape[1:])]
    if not any(missing):
        return cube, rgb
    rows, columns = (_mirrored(*each) for each in zip(rgb.shape[1:], size))
    below, beside = missing
    return F.pad(cube, (0, beside, 0, below), value=torch.nan), rgb[:, rows][:, :, columns]


def _mirrored(size: int, count: int) -> Tensor:
    """Where to read, for `count` pixels of a line of `size` that is thrown back at both ends."""
    period = max(1, 2 * size - 2)
    place = torch.arange(count) % period
    return torch.minimum(place, period - place)
