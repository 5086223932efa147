"""ARAD_1K: the data set of the NTIRE 2022 challenge on spectral reconstruction."""

from collections.abc import Sequence
from pathlib import Path

from hsi_xr.band_grid import Bands
from hsi_xr.datasets import _arad, _options, _scenes
from hsi_xr.datasets._base import COMMON, Coding, DataSet, Pair, Splits

LEFT_OUT = ("ARAD_1K_0314", "ARAD_1K_0340", "ARAD_1K_0531")
"""Scenes that the lists of the MST++ benchmark omit; their files do not count as extra."""

_LISTS = {"train": "train_list.txt", "validation": "valid_list.txt"}


class Ntire2022:
    """Opens 950 scenes of 482 x 512 pixels in 31 bands (400-700 nm), each with an 8-bit JPEG.

    Layout:
        - `Train_Spec/ARAD_1K_0001.mat` ...: MATLAB v7.3, variable `cube`, in (0, 1]
        - `Train_RGB/ARAD_1K_0001.jpg` ...: divided by 255
        - `split_txt/train_list.txt` and `split_txt/valid_list.txt`, or in the folder itself:
          names of the scenes, one per line (optional)

    Without lists, the splits are those of the MST++ benchmark: 0001 to 0900 without three scenes
    for training (897), 0901 to 0950 for validation. There is no split `test`, since the cubes of
    the 50 test scenes are not public.

    Published networks expect images stretched to [0, 1] one by one; that is up to the network
    (level `min-max`).

    Args:
        folder: Contains `Train_Spec` and `Train_RGB`.
        coding: Tone curve of the images, which the files do not state: `srgb` (default), as
            published networks are applied to them, or `linear`, as in the example code of the
            challenge, which renders them without a tone curve.
        size: (rows, columns) of a scene; default (482, 512).

    Raises:
        InvalidData: Two splits share a scene.

    Source: Arad et al. 2022, NTIRE 2022 Spectral Recovery Challenge (CVPRW); layout and lists of
        https://github.com/caiyuanhao1998/MST-plus-plus.

    Licence: the files state none; the terms of the challenge apply.
    """

    bands: Bands = COMMON

    def __init__(
        self, folder: Path, *, coding: Coding = "srgb", size: tuple[int, int] = _arad.SIZE
    ) -> None:
        self.folder = _scenes.check_folder(folder)
        self.coding: Coding = _options.coding(coding)
        self.splits: Splits = _scenes.check_disjoint(
            {
                **_benchmark_splits(),
                **_scenes.read_lists(folder, _LISTS),
                **_scenes.read_lists(folder / "split_txt", _LISTS),
            }
        )
        self.size = _options.size(size)

    def read(self, name: str) -> Pair:
        return _arad.read_pair(name, *self._files(_scenes.check_name(name, self.splits)))

    def problems(self, *splits: str) -> Sequence[str]:
        names = sorted(_scenes.names_in(self.splits, *splits))
        lines: list[str] = []
        for name in names:
            lines += _arad.file_problems(*self._files(name), self.size)
        if splits:
            return lines
        known = [path for name in (*names, *LEFT_OUT) for path in self._files(name)]
        for subfolder in ("Train_Spec", "Train_RGB"):
            lines += _scenes.extra_files(self.folder / subfolder, known)
        return lines

    def _files(self, name: str) -> tuple[Path, Path]:
        return (
            self.folder / "Train_Spec" / f"{name}.mat",
            self.folder / "Train_RGB" / f"{name}.jpg",
        )


def _benchmark_splits() -> Splits:
    names = [f"ARAD_1K_{number:04d}" for number in range(1, 951)]
    return {
        "train": tuple(name for name in names[:900] if name not in LEFT_OUT),
        "validation": tuple(names[900:]),
    }


build: type[DataSet] = Ntire2022
