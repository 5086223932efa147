"""CAVE: the multispectral image database of Columbia University, still lifes under daylight."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from hsi_xr.band_grid import Bands
from hsi_xr.datasets import _camera, _images, _options, _scenes
from hsi_xr.datasets._base import COMMON, Coding, DataSet, Pair, Splits
from hsi_xr.errors import InvalidData, UnknownName, UsageError

MULTI_CHANNEL = "watercolors"
"""Scene whose band images have several equal channels; the first one is read."""

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
    """Opens 32 scenes of 512 x 512 pixels in 31 bands (400-700 nm); reflectance.

    Layout:
        - `balloons_ms/balloons_ms/balloons_ms_01.png` to `_31.png`: 16-bit, divided by 65535
        - `balloons_ms/balloons_ms/balloons_RGB.bmp`: 8-bit image for display, divided by 255

    There is no official split; the splits are those of HSGAN, 30 scenes for training and 2 for
    validation.

    Args:
        folder: Contains the folders `*_ms`.
        camera: Camera that renders the images, which are then linear: a name from
            `hsi_xr.cameras()`, the path of a JSON file in the format of rawtoaces-data, or
            (3, 31) sensitivities. Required unless rgb="display".
        rgb: `camera` (default), or `display` for the distributed images (sRGB, computed from the
            cubes).
        size: (rows, columns) of a scene; default (512, 512).

    Raises:
        MissingFact: No camera is given, and the images are to be rendered.
        UsageError: A camera is given, and the distributed images are to be read.

    Source: Yasuma, Mitsunaga, Iso, Nayar 2010, "Generalized Assorted Pixel Camera" (IEEE TIP
        19:9), https://cave.cs.columbia.edu/repository/Multispectral; splits of
        https://github.com/zhaoyuzhi/HSGAN.

    Licence: the files state none; see the site for its terms.
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
            raise UnknownName(f"rgb must be 'camera' or 'display'; got {rgb!r}")
        if rgb == "display" and camera is not None:
            raise UsageError("rgb='display' reads the distributed images; omit camera=...")
        self.folder = _scenes.check_folder(folder)
        self.response = None if rgb == "display" else _camera.response(camera, self.bands)
        self.coding: Coding = "srgb" if rgb == "display" else "linear"
        self.size = _options.size(size)

    def read(self, name: str) -> Pair:
        *planes, display = self._files(_scenes.check_name(name, self.splits))
        stored = _stack([_images.read(path)[0] for path in planes], name)
        cube = _images.scale_to_one(stored)
        if self.response is None:
            return _scenes.check_same_size(Pair(name, cube, _images.read_rgb(display)))
        return Pair(name, cube, _camera.render_rgb(cube, self.response))

    def problems(self, *splits: str) -> Sequence[str]:
        lines: list[str] = []
        for name in sorted(_scenes.names_in(self.splits, *splits)):
            *planes, display = self._files(name)
            channels = None if name == MULTI_CHANNEL else 1
            for path in planes:
                lines += _scenes.shape_problems(path, _images.shape, (channels, *self.size))
            if self.response is None:
                lines += _scenes.shape_problems(display, _images.shape, (3, *self.size))
            lines += [] if splits else _scenes.extra_files(display.parent, [*planes, display])
        return lines if splits else [*lines, *self._extra_folders()]

    def _extra_folders(self) -> Iterator[str]:
        folders = [self.folder / f"{name}_ms" for name in _scenes.names_in(self.splits)]
        return _scenes.extra_files(self.folder, folders, pattern="*_ms")

    def _files(self, name: str) -> list[Path]:
        """Returns the images of the bands, then the image for display."""
        scene = self.folder / f"{name}_ms" / f"{name}_ms"
        planes = [scene / f"{name}_ms_{band:02d}.png" for band in range(1, len(self.bands) + 1)]
        return [*planes, scene / f"{name}_RGB.bmp"]


def _stack(planes: list[_images.Stored], name: str) -> _images.Stored:
    if len({(plane.shape, plane.dtype) for plane in planes}) > 1:
        shapes = ", ".join(sorted({f"{plane.shape} {plane.dtype}" for plane in planes}))
        raise InvalidData(
            f"the bands of {name!r} differ in shape or type: {shapes}; download its files again"
        )
    return np.stack(planes)


build: type[DataSet] = Cave
