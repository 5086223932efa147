"""The layout that both ARAD data sets share: a MATLAB cube and an RGB image per scene."""

from pathlib import Path

from hsi_xr.datasets import _images, _mat, _scenes
from hsi_xr.datasets._base import COMMON, Pair

SIZE = (482, 512)
"""(rows, columns) of all scenes."""


def read_pair(name: str, cube: Path, image: Path) -> Pair:
    """Reads a scene from the `cube` of a MATLAB file, and from its image, divided by 255."""
    pair = Pair(name, _mat.read_cube(cube, "cube"), _images.read_rgb(image))
    return _scenes.check_same_size(pair)


def file_problems(cube: Path, image: Path, size: tuple[int, int]) -> list[str]:
    """Reports what is wrong with the two files of a scene."""
    return [
        *_scenes.shape_problems(cube, _cube_shape, (*size, len(COMMON))),
        *_scenes.shape_problems(image, _images.shape, (3, *size)),
    ]


def _cube_shape(path: Path) -> tuple[int, ...]:
    return _mat.shape(path, "cube")
