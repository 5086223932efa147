"""Your own pairs: georeferenced hyperspectral cubes, and RGB images of the same ground."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hsi_xr.band_grid import Bands
from hsi_xr.datasets import _options, _rasters, _scenes
from hsi_xr.datasets._base import COMMON, Coding, DataSet, Pair, Splits
from hsi_xr.errors import BandMismatch, InvalidData, MissingFact, NotGeoreferenced
from hsi_xr.io.averaging import Grid, average
from hsi_xr.io.colours import choose
from hsi_xr.io.georef import crs_of, transform_of
from hsi_xr.io.open import open as open_raster
from hsi_xr.pipeline.array_facts import facts_of
from hsi_xr.pipeline.radiometry import Radiometry, resolve_radiometry

if TYPE_CHECKING:
    import xarray as xr
    from rasterio.crs import CRS

_IMAGE_SUFFIXES = (".tif", ".tiff")
_MAX_AREA_RATIO = 1.01
"""Area of an image pixel over that of a cube pixel, above which the image is too coarse."""


@dataclass(frozen=True)
class _OpenPair:
    """An open scene, of which no pixel has been read yet."""

    cube: "xr.DataArray"
    image: "xr.DataArray"
    radiometry: Radiometry
    """Meaning of the stored values of the image."""
    cube_grid: Grid
    image_grid: Grid


class Pairs:
    """Opens cubes and RGB images with the same names, e.g. `hsi/plot1.tif` and `rgb/plot1.tif`.

    Layout:
        - `hsi/NAME.tif`, `.tiff`, `.img` (ENVI, with `.hdr`) or `.zarr` (a single array): the cubes
        - `rgb/NAME.tif` or `.tiff`: images with red, green and blue; their pixels must not be
          larger than those of the cube
        - `wavelengths.csv`, in `hsi` or next to it: band centres in nm, one per line, for cubes
          that do not state them
        - `train.txt`, `validation.txt`, `test.txt`: names of the scenes, one per line (optional;
          without them all scenes are for training)

    Images are resampled to the grid of the cube: decoded to linear values, then averaged over the
    area of each pixel of the cube, so that cubes stay as measured and images are linear. Extents
    may differ, but the CRS must be the same. Both are NaN where either is unknown.

    Args:
        folder: Contains `hsi` and `rgb`.
        bands: Bands to which the cubes are averaged with Gaussian responses: a `Bands`, or first
            centre, last centre and step in nm; default (400, 700, 10).
        scale: Factor from stored values of cubes to reflectance, e.g. 1e-4. Required for integers,
            unless the file states it.
        radiometry: Meaning of the stored values of images: `srgb`, `linear` or `reflectance`. By
            default what the file states, or `srgb` for 8-bit files.
        rgb_scale: Factor from stored values of images to [0, 1], e.g. 1/255.
        crs: CRS of files that state none, e.g. "EPSG:32618".
    """

    coding: Coding = "linear"

    def __init__(
        self,
        folder: Path,
        *,
        bands: Bands | Sequence[float] = COMMON,
        scale: float | None = None,
        radiometry: str | None = None,
        rgb_scale: float | None = None,
        crs: str | None = None,
    ) -> None:
        self.folder = folder
        self.cubes = _rasters.find_cubes(folder / "hsi")
        self.images = _rasters.find_files(folder / "rgb", _IMAGE_SUFFIXES)
        self.bands, self.scale = _options.bands(bands), _options.scale(scale)
        self.radiometry, self.crs = _options.radiometry(radiometry), _options.crs(crs)
        self.rgb_scale = _options.scale(rgb_scale, "rgb_scale")
        self.splits: Splits = _scenes.read_splits(folder, {*self.cubes} & {*self.images})

    def read(self, name: str) -> Pair:
        scene = self._open(_scenes.check_name(name, self.splits))
        cube = _rasters.read_cube(scene.cube, self.bands)
        linear = scene.radiometry.linear(scene.image.values)
        _rasters.check_level(linear, scene.image.encoding["source"], "rgb_scale=1/255")
        rgb = average(linear, scene.image_grid, scene.cube_grid)
        unknown = np.isnan(rgb).any(0) | np.isnan(cube).all(0)
        cube[:, unknown], rgb[:, unknown] = np.nan, np.nan
        return Pair(name, cube, np.minimum(rgb, 1))

    def problems(self, *splits: str) -> Sequence[str]:
        present = {*self.cubes} & {*self.images} & _scenes.names_in(self.splits, *splits)
        return [
            *_scenes.name_problems(self.splits, self.folder / "hsi", self.cubes, *splits),
            *_scenes.name_problems(self.splits, self.folder / "rgb", self.images, *splits),
            *_scenes.open_problems(present, self._open),
        ]

    def _open(self, name: str) -> _OpenPair:
        cube_path = _scenes.require_path(self.cubes.get(name), name)
        cube = _rasters.open_cube(cube_path, self.bands, self.scale)
        path = _scenes.require_path(self.images.get(name), name)
        image = _open_image(path)
        radiometry = self._resolve_radiometry(image, path)
        image_grid, cube_grid = _grid(image, self.crs), _grid(cube, self.crs)
        _check_overlap(image_grid, cube_grid, repr(str(path)))
        return _OpenPair(cube, image, radiometry, cube_grid, image_grid)

    def _resolve_radiometry(self, image: "xr.DataArray", path: Path) -> Radiometry:
        try:
            return resolve_radiometry(
                facts_of(image).bands, radiometry=self.radiometry, scale=self.rgb_scale
            )
        except MissingFact as error:
            raise MissingFact(f"{str(path)!r}: {error}; here, give it as rgb_scale=...") from error


def _open_image(path: Path) -> "xr.DataArray":
    """Opens red, green and blue of an image.

    Raises:
        BandMismatch: It is not clear which bands they are.
    """
    image = open_raster(path)
    try:
        chosen = choose(facts_of(image).bands)
    except BandMismatch as error:
        raise BandMismatch(f"{str(path)!r}: {error}") from error
    return image if chosen.indices == (0, 1, 2) else image.isel(band=list(chosen.indices))


def _grid(array: "xr.DataArray", crs: "CRS | None") -> Grid:
    transform, crs = transform_of(array), crs_of(array) or crs
    if transform is None or crs is None:
        raise NotGeoreferenced(
            f"{array.encoding['source']!r} has no georeference; if only its CRS is missing, give "
            "crs=..., e.g. crs='EPSG:32618'"
        )
    return Grid(transform, crs, (array.sizes["y"], array.sizes["x"]))


def _check_overlap(image: Grid, cube: Grid, name: str) -> None:
    """Checks that the pixels of an image can be averaged over those of a cube.

    Raises:
        InvalidData: The CRS differ, axes are rotated, the extents do not overlap, or the pixels of
            the image are larger.
    """
    if image.crs != cube.crs or any(g.transform.b or g.transform.d for g in (image, cube)):
        raise InvalidData(
            f"{name} and its cube have different CRS or rotated axes; warp the image to the grid "
            f"of the cube first, e.g. with `rio warp --dst-crs {cube.crs} ...`"
        )
    for edges, size in zip(cube.edges_in(image), image.shape):
        if edges.max() <= 0 or edges.min() >= size:
            raise InvalidData(f"{name} and the cube of the same name do not overlap")
    if abs(image.transform.determinant) > _MAX_AREA_RATIO * abs(cube.transform.determinant):
        raise InvalidData(
            f"{name} has larger pixels than the cube of the same name; resample the cube to the "
            "grid of the image first"
        )


build: type[DataSet] = Pairs
