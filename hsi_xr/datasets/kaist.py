"""KAIST: the cubes of the TSA-Net coded-aperture simulation; CAVE to train, KAIST to test."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hsi_xr.band_grid import Bands
from hsi_xr.datasets import _camera, _mat, _options, _scenes
from hsi_xr.datasets._base import Array, Coding, DataSet, Pair, Splits
from hsi_xr.errors import InvalidData

FULL_SCALE = 65536
"""Divisor of the training cubes; the test cubes are stored in [0, 1]."""

_FOLDERS = {"train": "cave_1024_28", "test": "TSA_simu_data/Truth"}
_MASK = "TSA_simu_data/mask.mat"
_KEYS = {"train": ("img_expand", "img"), "test": ("img",)}


class Kaist:
    """Opens 205 cubes of 1024 x 1024 and 10 of 256 x 256 pixels, in 28 bands (453.5-648 nm).

    Layout:
        - `cave_1024_28/scene1.mat` to `scene205.mat`: MATLAB, variable `img_expand` or `img`
        - `TSA_simu_data/Truth/scene01.mat` to `scene10.mat`: variable `img`
        - `TSA_simu_data/mask.mat`: variable `mask`, the coded aperture

    A scene is named by its path, e.g. `TSA_simu_data/Truth/scene01`. The snapshot of a cube is
    simulated by `hsi_xr.coded_aperture.forward`.

    Args:
        folder: Contains `cave_1024_28` and `TSA_simu_data`.
        camera: Camera that renders RGB images, which are linear: a name from `hsi_xr.cameras()`,
            the path of a JSON file in the format of rawtoaces-data, or (3, 28) sensitivities.
            Required only by `read`, not by `cube` and `mask`.
        train_size: (rows, columns) of a training cube; default (1024, 1024).
        test_size: (rows, columns) of a test cube and of the mask; default (256, 256).

    Source: Meng, Ma, Yuan 2020, "End-to-End Low Cost Compressive Spectral Imaging with
        Spatial-Spectral Self-Attention" (ECCV); layout of
        https://github.com/caiyuanhao1998/MST, simulation/train_code.

    Licence: the files state none; see the repository for its terms.
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
        self.folder = _scenes.check_folder(folder)
        self.mask_path = self.folder / _MASK
        self.response = None if camera is None else _camera.response(camera, self.bands)
        self.sizes = {
            "train": _options.size(train_size, "train_size"),
            "test": _options.size(test_size, "test_size"),
        }

    def read(self, name: str) -> Pair:
        """Reads a cube and renders its RGB image.

        Raises:
            MissingFact: The data set was opened without a camera.
        """
        _scenes.check_name(name, self.splits)
        response = _camera.response(self.response, self.bands)
        cube = self.cube(name)
        return Pair(name, cube, _camera.render_rgb(cube, response))

    def cube(self, name: str) -> Array:
        """Reads a cube as (28, rows, columns) in [0, 1]."""
        split = _split(_scenes.check_name(name, self.splits))
        cube = _mat.read_cube(self.folder / f"{name}.mat", *_KEYS[split])
        return cube / np.float32(FULL_SCALE) if split == "train" else cube

    def mask(self) -> Array:
        """Reads the measured coded aperture as (rows, columns), with values near 0 and near 1.

        Raises:
            InvalidData: Its size differs from that of the test cubes.
        """
        mask = _mat.read(self.mask_path, "mask").astype("float32")
        if mask.shape != self.sizes["test"]:
            raise InvalidData(
                f"the mask in {str(self.mask_path)!r} has shape {mask.shape}; expected "
                f"{self.sizes['test']}; download it again"
            )
        return mask

    def problems(self, *splits: str) -> Sequence[str]:
        lines: list[str] = []
        for split in splits or self.splits:
            lines += self._split_problems(split, report_extra=not splits)
        if not splits:
            lines += _scenes.shape_problems(self.mask_path, _mask_shape, self.sizes["test"])
        return lines

    def _split_problems(self, split: str, *, report_extra: bool) -> list[str]:
        files = [self.folder / f"{name}.mat" for name in self.splits[split]]
        folder = files[0].parent
        if not folder.is_dir():
            return [
                f"the folder {str(folder)!r} of the split {split!r} does not exist; give the "
                f"folder that contains {_FOLDERS[split]!r}"
            ]
        lines: list[str] = []
        for path in files:
            expected = (*self.sizes[split], len(self.bands))
            lines += _scenes.shape_problems(path, _CUBE_SHAPES[split], expected)
        return [*lines, *_scenes.extra_files(folder, files)] if report_extra else lines


def _split(name: str) -> str:
    return "train" if name.startswith(_FOLDERS["train"]) else "test"


def _mask_shape(path: Path) -> tuple[int, ...]:
    return _mat.shape(path, "mask")


_CUBE_SHAPES = {
    "train": lambda path: _mat.shape(path, *_KEYS["train"]),
    "test": lambda path: _mat.shape(path, *_KEYS["test"]),
}


build: type[DataSet] = Kaist
