"""The data set of a training run: which one, and its scenes as training reads them."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from msgspec import field
from torch import Tensor

from hsi_xr.camera.srgb import srgb_decode
from hsi_xr.datasets import load, verify
from hsi_xr.datasets._base import DataSet
from hsi_xr.errors import InvalidData, UsageError
from hsi_xr.reconstructors._base import SceneStatistics
from hsi_xr.training.tables import NonNegativeInt, PositiveInt, Table

HELD_OUT = "test"
"""The split that is used neither to train nor to select a checkpoint."""


class Data(Table, frozen=True, kw_only=True):
    """The scenes of a run, and how patches and validation scenes are cut from them."""

    name: str
    """Name of the data set; see `hsi_xr.datasets`."""
    folder: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the data set."""
    train: str = "train"
    """Split to train on."""
    validation: str = "validation"
    """Split whose scores select the best checkpoint."""
    patch: PositiveInt = 128
    """Side of a training patch, in pixels. The images of smaller scenes are mirrored beyond their
    edges, where the cube is unknown."""
    grid: PositiveInt = 1
    """Patches start at multiples of this: 8 in the NTIRE 2022 baselines."""
    batch: PositiveInt = 20
    """Patches in a batch."""
    augment: bool = True
    """Rotate patches by multiples of 90 degrees, and flip them."""
    crop: NonNegativeInt = 0
    """Margin of a validation scene that is not scored, in pixels: 128 in NTIRE 2022."""
    scenes: PositiveInt | None = None
    """How many scenes of the split to validate on, from the first; None takes all."""
    kept: PositiveInt = 64
    """Scenes to keep in memory."""
    workers: NonNegativeInt = 0
    """Threads that read ahead; the batches do not depend on it."""

    def __post_init__(self) -> None:
        if HELD_OUT in (self.train, self.validation):
            raise UsageError(
                f"the {HELD_OUT!r} split is used neither to train nor to select a checkpoint; "
                "name another one for data.train and data.validation"
            )


def open_data(data: Data) -> DataSet:
    """Open the data set of a run, after checking its files; see `hsi_xr.datasets.verify`."""
    return verify(load(data.name, data.folder, **data.options))


def scenes_of(dataset: DataSet, split: str) -> Sequence[str]:
    """Returns the names of the scenes of a split.

    Raises:
        UsageError: The data set has no such split.
    """
    if not dataset.splits.get(split):
        known = ", ".join(repr(name) for name, scenes in dataset.splits.items() if scenes)
        raise UsageError(f"the data set has no split {split!r}; it has {known}")
    return dataset.splits[split]


Survey = Callable[[Tensor, Tensor], SceneStatistics]
"""(rgb, weights) -> the statistics of a scene: its linear image, (1, 3, rows, columns), and 1 where
a pixel counts, (1, 1, rows, columns)."""


class Scene(NamedTuple):
    cube: Tensor
    """(bands, rows, columns); NaN where unknown."""
    rgb: Tensor
    """(3, rows, columns), linear."""
    statistics: SceneStatistics


class Scenes:
    """Reads whole scenes for training; the last few stay in memory.

    Args:
        dataset: Data set from which scenes are read.
        survey: Computes the statistics of a scene.
        kept: How many scenes stay in memory.
    """

    def __init__(self, dataset: DataSet, survey: Survey, *, kept: int) -> None:
        self._dataset, self._survey = dataset, survey
        self.read = lru_cache(maxsize=kept)(self._read)

    def _read(self, name: str) -> Scene:
        pair = self._dataset.read(name)
        cube, rgb = (torch.from_numpy(np.ascontiguousarray(a)) for a in (pair.cube, pair.rgb))
        bands = len(self._dataset.bands)
        if cube.shape[1:] != rgb.shape[1:] or len(cube) != bands or len(rgb) != 3:
            raise InvalidData(
                f"scene {name!r} has a cube of shape {tuple(cube.shape)} and an image of shape "
                f"{tuple(rgb.shape)}; they must have the same rows and columns, {bands} bands and "
                "3 channels"
            )
        unknown = rgb.isnan().any(0)
        cube, rgb = cube.masked_fill(unknown, torch.nan), rgb.masked_fill(unknown, 0.0)
        if not rgb.isfinite().all():
            raise InvalidData(f"scene {name!r} has infinite values in its image")
        linear = srgb_decode(rgb) if self._dataset.coding == "srgb" else rgb
        with torch.no_grad():
            return Scene(cube, linear, self._survey(linear[None], scene_weights(cube)))


def scene_weights(cube: Tensor) -> Tensor:
    """Returns 1 where any band of a cube is known, else 0, as (1, 1, rows, columns)."""
    return (~cube.isnan()).any(0).to(cube)[None, None]
