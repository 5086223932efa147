"""ARAD_1K, the data set of the NTIRE 2022 challenge on spectral reconstruction."""

from collections.abc import Sequence
from pathlib import Path

from hsi_xr.band_grid import Bands
from hsi_xr.datasets import _images, _mat, _options, _scenes
from hsi_xr.datasets._base import COMMON, Coding, DataSet, Pair, Splits

LEFT_OUT = ("ARAD_1K_0314", "ARAD_1K_0340", "ARAD_1K_0531")
"""Scenes that the lists of the MST++ benchmark pass over; not extra where they are there."""

_LISTS = {"train": "train_list.txt", "validation": "valid_list.txt"}


class Ntire2022:
    """950 scenes of 482 x 512 pixels in 31 bands, each with an 8-bit JPEG.

    Layout: `Train_Spec/ARAD_1K_0001.mat` (v7.3, `cube`), `Train_RGB/ARAD_1K_0001.jpg`; lists of
    names in `split_txt` or beside. Without lists the splits are those of the MST++ benchmark:
    0001 to 0900 but three to train (897), 0901 to 0950 to validate. The 50 test scenes have no
    public cubes, hence there is no such split.

    Cubes are taken as they are, in (0, 1]. Pictures are over 255; the spreading over [0, 1] by
    picture, which published networks expect, is theirs to do (level `min-max`).

    Args:
        folder: With `Train_Spec` and `Train_RGB`.
        coding: What the pictures count as. Files do not say. Published networks are shown them
            as display-referred values, hence `srgb`; the challenge's own example of their making
            has no tone curve, which is `linear`.
        size: (rows, columns) of a scene.

    Raises:
        InvalidData: A scene is in two splits.

    Source: Arad et al. 2022, NTIRE 2022 Spectral Recovery Challenge (CVPRW); layout and lists
        of https://github.com/caiyuanhao1998/MST-plus-plus.
    """

    bands: Bands = COMMON

    def __init__(
        self, folder: Path, *, coding: Coding = "srgb", size: tuple[int, int] = (482, 512)
    ) -> None:
        self.folder = _scenes.existing(folder)
        self.coding: Coding = _options.coding(coding)
        self.splits: Splits = _scenes.apart(
            {
                **_benchmark(),
                **_scenes.lists(folder, _LISTS),
                **_scenes.lists(folder / "split_txt", _LISTS),
            }
        )
        self.size = _options.size(size)

    def read(self, name: str) -> Pair:
        spectral, picture = self._files(_scenes.known(name, self.splits))
        cube, rgb = _mat.read_cube(spectral, "cube"), _images.read_rgb(picture)
        return _scenes.on_one_grid(Pair(name, cube, rgb))

    def problems(self, *splits: str) -> Sequence[str]:
        found = []
        scenes = sorted(_scenes.every(self.splits, *splits))
        for name in scenes:
            spectral, picture = self._files(name)
            found += _scenes.wrong(spectral, _cube_shape, (*self.size, len(self.bands)))
            found += _scenes.wrong(picture, _images.shape, (3, *self.size))
        wanted = [path for name in (*scenes, *LEFT_OUT) for path in self._files(name)]
        for part in () if splits else ("Train_Spec", "Train_RGB"):
            found += _scenes.extra(self.folder / part, wanted)
        return found

    def _files(self, name: str) -> tuple[Path, Path]:
        return (
            self.folder / "Train_Spec" / f"{name}.mat",
            self.folder / "Train_RGB" / f"{name}.jpg",
        )


def _cube_shape(path: Path) -> tuple[int, ...]:
    return _mat.shape(path, "cube")


def _benchmark() -> Splits:
    names = [f"ARAD_1K_{number:04d}" for number in range(1, 951)]
    return {
        "train": tuple(name for name in names[:900] if name not in LEFT_OUT),
        "validation": tuple(names[900:]),
    }


build: type[DataSet] = Ntire2022
