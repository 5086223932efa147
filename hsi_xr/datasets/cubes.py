"""Your own hyperspectral cubes without images; a known camera renders the images."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hsi_xr.band_grid import Bands
from hsi_xr.datasets import _camera, _options, _rasters, _scenes
from hsi_xr.datasets._base import COMMON, Coding, DataSet, Pair, Splits
from hsi_xr.errors import InvalidData

if TYPE_CHECKING:
    import xarray as xr


class Cubes:
    """Opens every GeoTIFF, ENVI or Zarr cube in a folder; a scene is named by its file's stem.

    Layout:
        - `*.tif`, `*.tiff`, `*.img` (ENVI, with `*.hdr`) or `*.zarr` (a single array): the cubes
        - `wavelengths.csv`, in the folder or its parent: band centres in nm, one per line, for
          cubes that do not state them
        - `train.txt`, `validation.txt`, `test.txt`: names of the scenes, one per line (optional;
          without them all scenes are for training)

    Args:
        folder: Contains the cubes.
        camera: Camera that renders the images, which are linear: a name from `hsi_xr.cameras()`,
            the path of a JSON file in the format of rawtoaces-data, or (3, bands) sensitivities.
            Required. A pixel is NaN where a band of the cube is.
        bands: Bands to which the cubes are averaged with Gaussian responses: a `Bands`, or first
            centre, last centre and step in nm; default (400, 700, 10).
        scale: Factor from stored values to reflectance, e.g. 1e-4. Required for integers, unless
            the file states it.

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
        self.paths = _rasters.find_cubes(folder)
        self.bands, self.scale = _options.bands(bands), _options.scale(scale)
        self.response = _camera.response(camera, self.bands)
        self.splits: Splits = _scenes.read_splits(folder, self.paths)

    def read(self, name: str) -> Pair:
        array = self._open(_scenes.check_name(name, self.splits))
        cube = _rasters.read_cube(array, self.bands)
        cube[:, np.isnan(cube).any(0)] = np.nan
        return Pair(name, cube, _camera.render_rgb(cube, self.response))

    def problems(self, *splits: str) -> Sequence[str]:
        present = _scenes.names_in(self.splits, *splits) & {*self.paths}
        return [
            *_scenes.name_problems(self.splits, self.folder, self.paths, *splits),
            *_scenes.open_problems(present, self._open),
        ]

    def _open(self, name: str) -> "xr.DataArray":
        path = _scenes.require_path(self.paths.get(name), name)
        array = _rasters.open_cube(path, self.bands, self.scale)
        if uncovered := _rasters.uncovered(array, self.bands):
            raise InvalidData(
                f"{str(path)!r} does not cover {', '.join(f'{nm:g}' for nm in uncovered)} nm, "
                "which the camera needs; give bands=[first, last, step] within its range"
            )
        return array


build: type[DataSet] = Cubes
