"""Cubes of the coded-aperture simulation of TSA-Net: CAVE to train, ten scenes of KAIST to test."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hsi_xr.band_grid import Bands
from hsi_xr.datasets import _camera, _mat, _options, _scenes
from hsi_xr.datasets._base import Array, Coding, DataSet, Pair, Splits
from hsi_xr.errors import InvalidData

FULL_SCALE = 65536
"""Of the cubes to train; those to test are in [0, 1]."""

_FOLDERS = {"train": "cave_1024_28", "test": "TSA_simu_data/Truth"}
_MASK = "TSA_simu_data/mask.mat"
_KEYS = {"train": ("img_expand", "img"), "test": ("img",)}


class Kaist:
    """205 cubes of 1024 x 1024 and 10 of 256 x 256 pixels, in 28 bands of 453.5 to 648 nm.

    Layout: `cave_1024_28/scene1.mat` to `scene205.mat` (`img_expand`, else `img`) and
    `TSA_simu_data/Truth/scene01.mat` to `scene10.mat` (`img`); a scene is named by its path, as
    `TSA_simu_data/Truth/scene01`. The mask is `TSA_simu_data/mask.mat`. What the instrument sees
    of a cube is in `hsi_xr.coded_aperture.forward`.

    Args:
        folder: With both folders.
        camera: Who takes the pictures: sensitivities (3, 28), or a JSON file of them, as of
            rawtoaces-data. The pictures are linear. The coded aperture needs none: without,
            `cube` and `mask` can be read, and no pair.
        train_size: (rows, columns) of a cube to train.
        test_size: The same of those to test, and of the mask.

    Source: Meng, Ma, Yuan 2020, "End-to-End Low Cost Compressive Spectral Imaging with
        Spatial-Spectral Self-Attention" (ECCV); layout of
        https://github.com/caiyuanhao1998/MST, simulation/train_code.
    """

    # fmt: off
    bands: Bands = Bands((
        453.5, 457.5, 462, 466, 471.5, 476.5, 481.5, 487, 492.5, 498, 504, 510, 516, 522.5,
        529.5, 536.5, 544, 551.5, 558.5, 567.5, 575.5, 584.5, 594.5, 604, 614.5, 625, 636.5, 648,
    ))
    # fmt: on
    coding: Coding = "linear"
    splits: Splits = {  # noqa: RUF012 - a Mapping
        "train": tuple(f"{_FOLDERS['train']}/scene{number}" for number in range(1, 206)),
        "test": tuple(f"{_FOLDERS['test']}/scene{number:02d}" for number in range(1, 11)),
    }

    def __init__(
        self,
        folder: Path,
        *,
        camera: _camera.CameraLike | None = None,
        train_size: tuple[int, int] = (1024, 1024),
        test_size: tuple[int, int] = (256, 256),
    ) -> None:
        self.folder = _scenes.existing(folder)
        self.mask_path = self.folder / _MASK
        self.response = None if camera is None else _camera.response(camera, self.bands)
        self.sizes = {
            "train": _options.size(train_size, "train_size"),
            "test": _options.size(test_size, "test_size"),
        }

    def read(self, name: str) -> Pair:
        """A cube and its picture.

        Raises:
            MissingFact: No camera is given.
        """
        _scenes.known(name, self.splits)
        response = _camera.response(self.response, self.bands)
        cube = self.cube(name)
        return Pair(name, cube, _camera.photograph(cube, response))

    def cube(self, name: str) -> Array:
        """(28, rows, columns) in [0, 1]."""
        split = _split(_scenes.known(name, self.splits))
        cube = _mat.read_cube(self.folder / f"{name}.mat", *_KEYS[split])
        return cube / np.float32(FULL_SCALE) if split == "train" else cube

    def mask(self) -> Array:
        """(rows, columns) of the aperture as it was measured, near 0 and near 1.

        Raises:
            InvalidData: It has another size than the scenes to test.
        """
        mask = _mat.read(self.mask_path, "mask").astype("float32")
        if mask.shape != self.sizes["test"]:
            raise InvalidData(
                f"{str(self.mask_path)!r}: the mask is {mask.shape}, and not "
                f"{self.sizes['test']}; get it anew"
            )
        return mask

    def problems(self, *splits: str) -> Sequence[str]:
        found: list[str] = []
        for split in splits or self.splits:
            wanted = [self.folder / f"{name}.mat" for name in self.splits[split]]
            if not wanted[0].parent.is_dir():
                found.append(_no_folder(wanted[0].parent, split))
                continue
            for path in wanted:
                found += _scenes.wrong(path, _SHAPES[split], (*self.sizes[split], len(self.bands)))
            found += [] if splits else _scenes.extra(wanted[0].parent, wanted)
        mask = _scenes.wrong(self.mask_path, _mask_shape, self.sizes["test"])
        return found if splits else [*found, *mask]


def _split(name: str) -> str:
    return "train" if name.startswith(_FOLDERS["train"]) else "test"


def _no_folder(place: Path, split: str) -> str:
    lies = f"the data set's folder is the one that {_FOLDERS[split]!r} lies in"
    return f"there is no folder {str(place)!r} with the scenes of {split}; {lies}"


def _mask_shape(path: Path) -> tuple[int, ...]:
    return _mat.shape(path, "mask")


_SHAPES = {
    "train": lambda path: _mat.shape(path, *_KEYS["train"]),
    "test": lambda path: _mat.shape(path, *_KEYS["test"]),
}


build: type[DataSet] = Kaist
