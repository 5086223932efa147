"""Real-world hyperspectral images of Harvard University: outdoors, and under artificial light."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from hsi_xr import band_grid
from hsi_xr.band_grid import Bands
from hsi_xr.datasets import _camera, _mat, _options, _scenes
from hsi_xr.datasets._base import Coding, DataSet, Pair, Splits
from hsi_xr.errors import InvalidData, UsageError

MEASURED = Bands.regular(420, 720, 10)

VALIDATION = ("img2", "imgc3", "imge7", "imgh1")

_SERIES = {
    "": "123456",
    "a": "12345678",
    "b": "0123456789",
    "c": "123456789",
    "d": "0123456789",
    "e": "01234567",
    "f": "12345678",
    "g": "0123456789",
    "h": "01234567",
}
_NAMES = tuple(f"img{letter}{number}" for letter, all_ in _SERIES.items() for number in all_)

_FOLDERS = ("CZ_hsdb", "CZ_hsdbi")
"""Of 50 images under daylight and of 27 under artificial and mixed light."""


class Harvard:
    """77 scenes of 1040 x 1392 pixels in 31 bands of 420 to 720 nm; radiance of unknown unit.

    Layout: `CZ_hsdb/img1.mat` or `CZ_hsdbi/imga3.mat`, or all in one folder; MATLAB with `ref`
    (rows, columns, bands) and `lbl`, which is 0 where something moved: there the cube is NaN.
    There is no official split; this is the one of HSGAN.

    Its band i is not band i of ARAD or CAVE. On a grid of 400 to 700 nm the bands 400 and 410 are
    NaN, which nobody measured, and the others move to their place.

    Args:
        folder: With these files.
        camera: Who takes the pictures: sensitivities (3, 31) over the measured bands, or a JSON
            file of them, as of rawtoaces-data. The pictures are linear, and known where something
            moved too.
        resampled: Another band grid, e.g. `hsi_xr.datasets.COMMON`, or first and last centre and
            step in nm, (400, 700, 10); on lines between those.
        scale: `maximum` brings the brightest known number of each scene to 1, since levels differ
            by scene and no unit is told; a number multiplies all alike.
        size: (rows, columns) of a scene.

    Raises:
        MissingFact: No camera is given.
        UsageError: The scale is not positive.

    Source: Chakrabarti, Zickler 2011, "Statistics of Real-World Hyperspectral Images" (CVPR),
        http://vision.seas.harvard.edu/hyperspec; split of https://github.com/zhaoyuzhi/HSGAN.
    """

    coding: Coding = "linear"
    splits: Splits = {  # noqa: RUF012 - a Mapping
        "train": tuple(name for name in _NAMES if name not in VALIDATION),
        "validation": VALIDATION,
    }

    def __init__(
        self,
        folder: Path,
        *,
        camera: _camera.CameraLike | None = None,
        resampled: Bands | Sequence[float] | None = None,
        scale: float | Literal["maximum"] = "maximum",
        size: tuple[int, int] = (1040, 1392),
    ) -> None:
        if scale != "maximum" and not _options.is_positive(scale):
            raise UsageError(f"scale is 'maximum' or a positive number; got {scale!r}")
        self.folder = _scenes.existing(folder)
        self.response = _camera.response(camera, MEASURED)
        self.bands = MEASURED if resampled is None else _options.bands(resampled, "resampled")
        self.scale, self.size = scale, _options.size(size)

    def read(self, name: str) -> Pair:
        path = self._file(_scenes.known(name, self.splits))
        cube = _mat.read_cube(path, "ref")
        still = np.asarray(_mat.read(path, "lbl") != 0)
        if still.shape != cube.shape[1:] or not still.any():
            raise InvalidData(f"`lbl` of {str(path)!r} masks other pixels, or all; get it anew")
        brightest = cube[:, still].max()
        cube *= np.float32(1 / brightest if self.scale == "maximum" else self.scale)
        rgb = _camera.photograph(cube, self.response)
        cube[:, ~still] = np.nan
        if self.bands != MEASURED:
            cube = band_grid.interpolate(cube, np.array(MEASURED.centres, "float32"), self.bands)
        return Pair(name, cube, rgb)

    def problems(self, *splits: str) -> Sequence[str]:
        names = sorted(_scenes.every(self.splits, *splits))
        wanted = [self._file(name) for name in names]
        found: list[str] = []
        for path in wanted:
            cube = _scenes.wrong(path, _ref_shape, (*self.size, len(MEASURED)))
            found += cube or _scenes.wrong(path, _lbl_shape, self.size)
        for place in [] if splits else self._places():
            found += _scenes.extra(place, wanted, pattern="*.mat")
        return found

    def _file(self, name: str) -> Path:
        paths = [place / f"{name}.mat" for place in self._places()]
        return next((path for path in paths if path.exists()), paths[0])

    def _places(self) -> list[Path]:
        places = [self.folder / name for name in _FOLDERS]
        return [place for place in places if place.is_dir()] or [self.folder]


def _ref_shape(path: Path) -> tuple[int, ...]:
    return _mat.shape(path, "ref")


def _lbl_shape(path: Path) -> tuple[int, ...]:
    return _mat.shape(path, "lbl")


build: type[DataSet] = Harvard
