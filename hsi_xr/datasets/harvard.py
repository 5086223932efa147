"""Harvard: real-world hyperspectral images, outdoors and under artificial light."""

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
"""Bands of the files."""

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
_NAMES = tuple(f"img{letter}{number}" for letter, digits in _SERIES.items() for number in digits)

_FOLDERS = ("CZ_hsdb", "CZ_hsdbi")
"""Folders of 50 images under daylight, and of 27 under artificial and mixed light."""


class Harvard:
    """Opens 77 scenes of 1040 x 1392 pixels in 31 bands (420-720 nm); radiance of unknown unit.

    Layout, in two folders or all files in one:
        - `CZ_hsdb/img1.mat` ..., `CZ_hsdbi/imga3.mat` ...: MATLAB, variable `ref` (rows, columns,
          bands), and `lbl` (rows, columns), which is 0 where something moved

    Cubes are NaN where something moved. There is no official split; the splits are those of HSGAN,
    73 scenes for training and 4 for validation.

    The bands are not those of ARAD or CAVE. Resampled to 400-700 nm, the bands at 400 and 410 nm
    are NaN, since they were not measured.

    Args:
        folder: Contains these files.
        camera: Camera that renders the images, which are linear: a name from `hsi_xr.cameras()`,
            the path of a JSON file in the format of rawtoaces-data, or (3, 31) sensitivities over
            the measured bands. Required. Images are valid where something moved, too.
        resampled: Band grid to which cubes are interpolated linearly: a `Bands` such as
            `hsi_xr.datasets.COMMON`, or first centre, last centre and step in nm; by default the
            measured bands.
        scale: Factor on all scenes, or `maximum` (default), which brings the brightest valid value
            of each scene to 1, since levels differ by scene and the unit is unknown.
        size: (rows, columns) of a scene; default (1040, 1392).

    Raises:
        MissingFact: No camera is given.
        UsageError: The scale is not positive.

    Source: Chakrabarti, Zickler 2011, "Statistics of Real-World Hyperspectral Images" (CVPR),
        http://vision.seas.harvard.edu/hyperspec; splits of https://github.com/zhaoyuzhi/HSGAN.

    Licence: the files state none; see the site for its terms.
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
            raise UsageError(f"scale must be 'maximum' or a positive number; got {scale!r}")
        self.folder = _scenes.check_folder(folder)
        self.response = _camera.response(camera, MEASURED)
        self.bands = MEASURED if resampled is None else _options.bands(resampled, "resampled")
        self.scale, self.size = scale, _options.size(size)

    def read(self, name: str) -> Pair:
        path = self._file(_scenes.check_name(name, self.splits))
        cube = _mat.read_cube(path, "ref")
        still = np.asarray(_mat.read(path, "lbl") != 0)
        if still.shape != cube.shape[1:] or not still.any():
            raise InvalidData(
                f"the mask `lbl` of {str(path)!r} has another size than the cube, or masks every "
                "pixel; download the file again"
            )
        brightest = cube[:, still].max()
        cube *= np.float32(1 / brightest if self.scale == "maximum" else self.scale)
        rgb = _camera.render_rgb(cube, self.response)
        cube[:, ~still] = np.nan
        if self.bands != MEASURED:
            cube = band_grid.interpolate(cube, np.array(MEASURED.centres, "float32"), self.bands)
        return Pair(name, cube, rgb)

    def problems(self, *splits: str) -> Sequence[str]:
        files = [self._file(name) for name in sorted(_scenes.names_in(self.splits, *splits))]
        lines: list[str] = []
        for path in files:
            cube = _scenes.shape_problems(path, _cube_shape, (*self.size, len(MEASURED)))
            lines += cube or _scenes.shape_problems(path, _mask_shape, self.size)
        for folder in [] if splits else self._folders():
            lines += _scenes.extra_files(folder, files, pattern="*.mat")
        return lines

    def _file(self, name: str) -> Path:
        paths = [folder / f"{name}.mat" for folder in self._folders()]
        return next((path for path in paths if path.exists()), paths[0])

    def _folders(self) -> list[Path]:
        folders = [self.folder / name for name in _FOLDERS]
        return [folder for folder in folders if folder.is_dir()] or [self.folder]


def _cube_shape(path: Path) -> tuple[int, ...]:
    return _mat.shape(path, "ref")


def _mask_shape(path: Path) -> tuple[int, ...]:
    return _mat.shape(path, "lbl")


build: type[DataSet] = Harvard
