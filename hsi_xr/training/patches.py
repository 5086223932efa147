"""Random patches of a data set. A batch is a function of the seed and its number."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hsi_xr.reconstructors._base import SceneStatistics
from hsi_xr.reconstructors._whole_image import reflect
from hsi_xr.training.data import Data, Scene, Scenes
from hsi_xr.training.seeds import Use, numpy_generator

T = TypeVar("T")


@dataclass(frozen=True)
class PatchBatch:
    """Patches of several scenes. See `updates.Batch`.

    Attributes:
        names: Name of the scene of each patch.
        cube: (batch, bands, side, side); 0 where unknown.
        known: True where the cube is known; of the same shape.
        rgb: (batch, 3, side, side), linear.
        statistics: Statistics of the scene of each patch, concatenated.
    """

    names: tuple[str, ...]
    cube: Tensor
    known: Tensor
    rgb: Tensor
    statistics: SceneStatistics

    def to(self, device: str) -> "PatchBatch":
        cube, known, rgb = (tensor.to(device) for tensor in (self.cube, self.known, self.rgb))
        statistics = {name: value.to(device) for name, value in self.statistics.items()}
        return replace(self, cube=cube, known=known, rgb=rgb, statistics=statistics)

    def is_finite(self) -> bool:
        return all(bool(tensor.isfinite().all()) for tensor in (self.cube, self.rgb))


class Patches:
    """Draws batches. Scene, position, rotation and flips of each patch are uniformly random."""

    def __init__(self, scenes: Scenes, names: Sequence[str], data: Data, *, seed: int) -> None:
        self._scenes, self._names, self._data, self._seed = scenes, names, data, seed

    def draw(self, number: int) -> PatchBatch:
        """Returns the batch with this number."""
        rng = numpy_generator(self._seed, Use.BATCHES, number)
        names = tuple(self._names[i] for i in rng.integers(len(self._names), size=self._data.batch))
        scenes = [self._scenes.read(name) for name in names]
        patches = [self._cut(scene, rng) for scene in scenes]
        cube, rgb = (torch.stack(tensors) for tensors in zip(*patches))
        statistics = {
            name: torch.cat([scene.statistics[name] for scene in scenes])
            for name in scenes[0].statistics
        }
        return PatchBatch(names, cube.nan_to_num(nan=0.0), ~cube.isnan(), rgb, statistics)

    def _cut(self, scene: Scene, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        side, grid = self._data.patch, self._data.grid
        sizes = scene.cube.shape[1:]
        row, column = (grid * int(rng.integers(max(0, size - side) // grid + 1)) for size in sizes)
        turns, down, right = (int(rng.integers(count)) for count in (4, 2, 2))
        window = (..., slice(row, row + side), slice(column, column + side))
        patch = extend(scene.cube[window], scene.rgb[window], (side, side))
        if not self._data.augment:
            return patch
        flipped = [axis for axis, flip in ((1, down), (2, right)) if flip]
        cube, rgb = (torch.rot90(tensor, turns, (1, 2)).flip(flipped) for tensor in patch)
        return cube, rgb


def extend(cube: Tensor, rgb: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Pad a cube and its image to a minimum size.

    Args:
        cube: (bands, rows, columns).
        rgb: (3, rows, columns).
        size: Minimum number of rows and columns.

    Returns:
        The cube, with NaN beyond the scene, and the image, mirrored there as often as needed.
    """
    below, right = (max(0, wanted - has) for wanted, has in zip(size, cube.shape[1:]))
    if not (below or right):
        return cube, rgb
    rows, columns = (reflect(*each) for each in zip(rgb.shape[1:], size))
    return F.pad(cube, (0, right, 0, below), value=torch.nan), rgb[:, rows][:, :, columns]


def read_ahead(draw: Callable[[int], T], numbers: Sequence[int], *, workers: int) -> Iterator[T]:
    """Yields the batches of these numbers in order, drawn ahead by threads if there are workers."""
    if not workers:
        yield from map(draw, numbers)
        return
    with ThreadPoolExecutor(workers) as pool:
        pending: list[Future[T]] = []
        try:
            for number in numbers:
                pending.append(pool.submit(draw, number))
                if len(pending) > 2 * workers:
                    yield pending.pop(0).result()
            while pending:
                yield pending.pop(0).result()
        finally:
            pool.shutdown(cancel_futures=True)
