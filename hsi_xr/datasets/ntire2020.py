"""ARAD-HS, the data set of the NTIRE 2020 challenge on spectral reconstruction."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from hsi_xr.band_grid import Bands
from hsi_xr.datasets import _images, _mat, _options, _scenes
from hsi_xr.datasets._base import COMMON, Coding, DataSet, Pair, Splits
from hsi_xr.errors import UnknownName

Track = Literal["clean", "real-world"]

BAD = "ARAD_HS_0340"
"""Its cube is damaged; the challenge's winner passes over it too."""

VALIDATION = (451, 453, 455, 456, 457, 459, 462, 463, 464, 465)

_PICTURES = {"clean": ("Clean", "_clean.png"), "real-world": ("RealWorld", "_RealWorld.jpg")}
_PARTS = {"train": "NTIRE2020_Train", "validation": "NTIRE2020_Validation"}


class Ntire2020:
    """460 scenes of 482 x 512 pixels in 31 bands, with a picture in each of two tracks.

    Layout: `NTIRE2020_Train_Spectral/ARAD_HS_0001.mat` (`cube`),
    `NTIRE2020_Train_Clean/ARAD_HS_0001_clean.png`,
    `NTIRE2020_Train_RealWorld/ARAD_HS_0001_RealWorld.jpg`, and the same of
    `NTIRE2020_Validation_*`. Cubes to train are MATLAB v5, those to validate v7.3; either is read
    anywhere. 0001 to 0450 train but for 0340, ten validate. Cubes as they are, pictures over 255.
    The test scenes came without cubes, hence there is no such split.

    Args:
        folder: With these folders.
        track: `clean` (noiseless, CIE 1964) or `real-world` (unknown camera, noise, JPEG).
        coding: What the pictures count as; see `ntire2022`.
        size: (rows, columns) of a scene.

    Raises:
        UnknownName: No such track.

    Source: Arad et al. 2020, NTIRE 2020 Challenge on Spectral Reconstruction (CVPRW); layout of
        https://github.com/Deep-imagelab/AWAN.
    """

    bands: Bands = COMMON

    def __init__(
        self,
        folder: Path,
        *,
        track: Track = "clean",
        coding: Coding = "srgb",
        size: tuple[int, int] = (482, 512),
    ) -> None:
        if track not in [*_PICTURES]:  # lists, which JSON has, are no keys
            raise UnknownName(f"no track is called {track!r}; choose one of {', '.join(_PICTURES)}")
        self.folder = _scenes.existing(folder)
        self.coding: Coding = _options.coding(coding)
        self.track, self.size = track, _options.size(size)
        train = (f"ARAD_HS_{number:04d}" for number in range(1, 451))
        self.splits: Splits = {
            "train": tuple(name for name in train if name != BAD),
            "validation": tuple(f"ARAD_HS_{number:04d}" for number in VALIDATION),
        }

    def read(self, name: str) -> Pair:
        spectral, picture = self._files(_scenes.known(name, self.splits))
        cube, rgb = _mat.read_cube(spectral, "cube"), _images.read_rgb(picture)
        return _scenes.on_one_grid(Pair(name, cube, rgb))

    def problems(self, *splits: str) -> Sequence[str]:
        found: list[str] = []
        for split in splits or self.splits:
            names = self.splits[split]
            for name in names:
                spectral, picture = self._files(name)
                found += _scenes.wrong(spectral, _cube_shape, (*self.size, len(self.bands)))
                found += _scenes.wrong(picture, _images.shape, (3, *self.size))
            if splits:
                continue
            wanted = [path for name in (*names, BAD) for path in self._in(split, name)]
            for path in self._in(split, names[0]):
                found += _scenes.extra(path.parent, wanted)
        return found

    def _files(self, name: str) -> tuple[Path, Path]:
        return self._in("train" if name in self.splits["train"] else "validation", name)

    def _in(self, split: str, name: str) -> tuple[Path, Path]:
        part, (kind, ending) = _PARTS[split], _PICTURES[self.track]
        return (
            self.folder / f"{part}_Spectral" / f"{name}.mat",
            self.folder / f"{part}_{kind}" / f"{name}{ending}",
        )


def _cube_shape(path: Path) -> tuple[int, ...]:
    return _mat.shape(path, "cube")


build: type[DataSet] = Ntire2020
