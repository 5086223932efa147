"""The multispectral image database of Columbia University (CAVE): still lifes under daylight."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hsi_xr.band_grid import Bands
from hsi_xr.datasets import _camera, _images, _options, _scenes
from hsi_xr.datasets._base import COMMON, Coding, DataSet, Pair, Splits
from hsi_xr.errors import InvalidData, UnknownName, UsageError

MANY_CHANNELS = "watercolors"
"""The scene whose pictures of bands have several channels, all alike; the first is read."""

VALIDATION = ("balloons", "watercolors")

_TRAIN = """
beads cd chart_and_stuffed_toy clay cloth egyptian_statue face fake_and_real_beers
fake_and_real_food fake_and_real_lemon_slices fake_and_real_lemons fake_and_real_peppers
fake_and_real_strawberries fake_and_real_sushi fake_and_real_tomatoes feathers flowers glass_tiles
hairs jelly_beans oil_painting paints photo_and_face pompoms real_and_fake_apples
real_and_fake_peppers sponges stuffed_toys superballs thread_spools
"""
TRAIN = tuple(_TRAIN.split())


class Cave:
    """32 scenes of 512 x 512 pixels in 31 bands, a 16-bit PNG each; reflectance.

    Layout: `balloons_ms/balloons_ms/balloons_ms_01.png` to `_31.png`, and beside them the picture
    for display `balloons_RGB.bmp`. Numbers are over the largest of their type, 65,535. There is no
    official split; this is the one of HSGAN.

    Args:
        folder: With the folders `*_ms`.
        camera: Who takes the pictures: sensitivities (3, 31), or a JSON file of them, as of
            rawtoaces-data. The pictures are linear.
        rgb: `camera`, or `display` for the distributed pictures (sRGB, made of the cubes).
        size: (rows, columns) of a scene.

    Raises:
        MissingFact: Pictures are to be taken, and no camera is given.
        UsageError: A camera is given for pictures that are there.

    Source: Yasuma, Mitsunaga, Iso, Nayar 2010, "Generalized Assorted Pixel Camera" (IEEE TIP
        19:9), https://cave.cs.columbia.edu/repository/Multispectral; split of
        https://github.com/zhaoyuzhi/HSGAN.
    """

    bands: Bands = COMMON
    splits: Splits = {"train": TRAIN, "validation": VALIDATION}  # noqa: RUF012 - a Mapping

    def __init__(
        self,
        folder: Path,
        *,
        camera: _camera.CameraLike | None = None,
        rgb: Literal["camera", "display"] = "camera",
        size: tuple[int, int] = (512, 512),
    ) -> None:
        if rgb not in ("camera", "display"):
            raise UnknownName(f"no pictures are called {rgb!r}; choose 'camera' or 'display'")
        if rgb == "display" and camera is not None:
            raise UsageError("rgb='display' takes the distributed pictures; leave out the camera")
        self.folder = _scenes.existing(folder)
        self.response = None if rgb == "display" else _camera.response(camera, self.bands)
        self.coding: Coding = "srgb" if rgb == "display" else "linear"
        self.size = _options.size(size)

    def read(self, name: str) -> Pair:
        *planes, display = self._files(_scenes.known(name, self.splits))
        cube = _images.of_full_scale(_stacked([_images.read(path)[0] for path in planes], name))
        if self.response is None:
            return _scenes.on_one_grid(Pair(name, cube, _images.read_rgb(display)))
        return Pair(name, cube, _camera.photograph(cube, self.response))

    def problems(self, *splits: str) -> Sequence[str]:
        found: list[str] = []
        for name in sorted(_scenes.every(self.splits, *splits)):
            files = self._files(name)
            channels = None if name == MANY_CHANNELS else 1
            for path in files[:-1]:
                found += _scenes.wrong(path, _images.shape, (channels, *self.size))
            if self.response is None:
                found += _scenes.wrong(files[-1], _images.shape, (3, *self.size))
            found += [] if splits else _scenes.extra(files[0].parent, files)
        if splits:
            return found
        folders = [self.folder / f"{name}_ms" for name in _scenes.every(self.splits)]
        return [*found, *_scenes.extra(self.folder, folders, pattern="*_ms")]

    def _files(self, name: str) -> list[Path]:
        """Of the bands, then of the display."""
        scene = self.folder / f"{name}_ms" / f"{name}_ms"
        planes = [scene / f"{name}_ms_{band:02d}.png" for band in range(1, len(self.bands) + 1)]
        return [*planes, scene / f"{name}_RGB.bmp"]


def _stacked(planes: list[NDArray[Any]], name: str) -> NDArray[Any]:
    if len(found := {(plane.shape, plane.dtype) for plane in planes}) > 1:
        raise InvalidData(f"the bands of {name!r} are not alike: {found}; get its files anew")
    return np.stack(planes)


build: type[DataSet] = Cave
