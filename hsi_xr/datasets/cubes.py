"""Hyperspectral cubes alone: a camera of known sensitivity takes the pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hsi_xr.band_grid import Bands
from hsi_xr.datasets import _camera, _options, _rasters, _scenes
from hsi_xr.datasets._base import COMMON, Coding, DataSet, Pair, Splits
from hsi_xr.errors import HsiError, InvalidData

if TYPE_CHECKING:
    import xarray as xr


class Cubes:
    """Every `*.tif`, ENVI `*.img` or `*.zarr` of a folder, by its stem.

    Wavelengths are those of the file (see `hsi_xr.open`), else of `wavelengths.csv` beside or in
    the folder above. Splits are `train.txt`, `validation.txt` and `test.txt` in the folder, a name
    a line; without, all train.

    Args:
        folder: With the cubes.
        camera: Who takes the pictures: sensitivities (3, bands), or a JSON file of them, as of
            rawtoaces-data. The pictures are linear, NaN where the cube is not known.
        bands: Brought to these by Gaussians of their widths: a `Bands`, or first and last centre
            and step in nm, (400, 700, 10).
        scale: What brings stored integers to reflectance, e.g. 1e-4.

    Raises:
        MissingFact: No camera is given.
    """

    coding: Coding = "linear"

    def __init__(
        self,
        folder: Path,
        *,
        camera: _camera.CameraLike | None = None,
        bands: Bands | Sequence[float] = COMMON,
        scale: float | None = None,
    ) -> None:
        self.folder = folder
        self.paths = _rasters.cubes(folder)
        self.bands, self.scale = _options.bands(bands), _options.scale(scale)
        self.response = _camera.response(camera, self.bands)
        self.splits: Splits = _scenes.own_lists(folder, self.paths)

    def read(self, name: str) -> Pair:
        cube = _rasters.cube(self._opened(_scenes.known(name, self.splits)), self.bands)
        cube[:, np.isnan(cube).any(0)] = np.nan
        return Pair(name, cube, _camera.photograph(cube, self.response))

    def problems(self, *splits: str) -> Sequence[str]:
        found = _scenes.unlisted(self.splits, self.folder, self.paths, *splits)
        for name in sorted(_scenes.every(self.splits, *splits) & {*self.paths}):
            try:
                self._opened(name)
            except HsiError as error:
                found.append(str(error))
        return found

    def _opened(self, name: str) -> "xr.DataArray":
        path = _scenes.there(self.paths.get(name), name)
        array = _rasters.opened(path, self.bands, self.scale)
        if lacking := _rasters.lacking(array, self.bands):
            raise InvalidData(
                f"{str(path)!r} reaches none of {', '.join(f'{nm:g}' for nm in lacking)} nm, where "
                "the camera looks; give bands=... that it has"
            )
        return array


build: type[DataSet] = Cubes
