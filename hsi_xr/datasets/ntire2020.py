"""ARAD-HS: the data set of the NTIRE 2020 challenge on spectral reconstruction."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from hsi_xr.band_grid import Bands
from hsi_xr.datasets import _arad, _options, _scenes
from hsi_xr.datasets._base import COMMON, Coding, DataSet, Pair, Splits
from hsi_xr.errors import UnknownName

Track = Literal["clean", "real-world"]

DAMAGED = "ARAD_HS_0340"
"""Scene with a damaged cube; the winner of the challenge skips it as well."""

VALIDATION = (451, 453, 455, 456, 457, 459, 462, 463, 464, 465)
"""Numbers of the scenes for validation."""

_IMAGES = {"clean": ("Clean", "_clean.png"), "real-world": ("RealWorld", "_RealWorld.jpg")}
_PREFIXES = {"train": "NTIRE2020_Train", "validation": "NTIRE2020_Validation"}


class Ntire2020:
    """Opens 459 scenes of 482 x 512 pixels in 31 bands (400-700 nm), with images of two tracks.

    Layout, and the same for `NTIRE2020_Validation_*`:
        - `NTIRE2020_Train_Spectral/ARAD_HS_0001.mat` ...: MATLAB, variable `cube`, not rescaled
        - `NTIRE2020_Train_Clean/ARAD_HS_0001_clean.png` ...: divided by 255
        - `NTIRE2020_Train_RealWorld/ARAD_HS_0001_RealWorld.jpg` ...: divided by 255

    Scenes 0001 to 0450 without the damaged 0340 are for training, ten for validation. There is no
    split `test`, since the test scenes were published without cubes.

    Args:
        folder: Contains these folders.
        track: `clean` (default; noiseless, CIE 1964 observer) or `real-world` (unknown camera,
            noise, JPEG).
        coding: Tone curve of the images, `srgb` (default) or `linear`; see `ntire2022`.
        size: (rows, columns) of a scene; default (482, 512).

    Raises:
        UnknownName: No track has this name.

    Source: Arad et al. 2020, NTIRE 2020 Challenge on Spectral Reconstruction (CVPRW); layout of
        https://github.com/Deep-imagelab/AWAN.

    Licence: the files state none; the terms of the challenge apply.
    """

    bands: Bands = COMMON

    def __init__(
        self,
        folder: Path,
        *,
        track: Track = "clean",
        coding: Coding = "srgb",
        size: tuple[int, int] = _arad.SIZE,
    ) -> None:
        if track not in [*_IMAGES]:  # a list from a JSON option cannot be looked up in a dict
            raise UnknownName(f"no track is called {track!r}; choose one of {', '.join(_IMAGES)}")
        self.folder = _scenes.check_folder(folder)
        self.coding: Coding = _options.coding(coding)
        self.track, self.size = track, _options.size(size)
        train = (f"ARAD_HS_{number:04d}" for number in range(1, 451))
        self.splits: Splits = {
            "train": tuple(name for name in train if name != DAMAGED),
            "validation": tuple(f"ARAD_HS_{number:04d}" for number in VALIDATION),
        }

    def read(self, name: str) -> Pair:
        _scenes.check_name(name, self.splits)
        split = "train" if name in self.splits["train"] else "validation"
        return _arad.read_pair(name, *self._files(split, name))

    def problems(self, *splits: str) -> Sequence[str]:
        lines: list[str] = []
        for split in splits or self.splits:
            for name in self.splits[split]:
                lines += _arad.file_problems(*self._files(split, name), self.size)
            lines += [] if splits else self._extra_files(split)
        return lines

    def _extra_files(self, split: str) -> list[str]:
        files = [self._files(split, name) for name in (*self.splits[split], DAMAGED)]
        known = [path for pair in files for path in pair]
        folders = [path.parent for path in files[0]]
        return [line for folder in folders for line in _scenes.extra_files(folder, known)]

    def _files(self, split: str, name: str) -> tuple[Path, Path]:
        prefix, (kind, suffix) = _PREFIXES[split], _IMAGES[self.track]
        return (
            self.folder / f"{prefix}_Spectral" / f"{name}.mat",
            self.folder / f"{prefix}_{kind}" / f"{name}{suffix}",
        )


build: type[DataSet] = Ntire2020
