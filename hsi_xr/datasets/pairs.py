"""Pairs of anybody's own: georeferenced cubes, and pictures of the same ground."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hsi_xr.band_grid import Bands
from hsi_xr.datasets import _options, _rasters, _scenes
from hsi_xr.datasets._base import COMMON, Coding, DataSet, Pair, Splits
from hsi_xr.errors import BandMismatch, HsiError, InvalidData, MissingFact, NotGeoreferenced
from hsi_xr.io.averaging import Grid, average
from hsi_xr.io.georef import crs_of, transform_of
from hsi_xr.io.open import open as open_raster
from hsi_xr.io.raster_source import stated_radiometry, stored_dtype
from hsi_xr.pipeline.radiometry import Radiometry, resolve_radiometry

if TYPE_CHECKING:
    import xarray as xr

_PICTURES = (".tif", ".tiff")
_COARSER = 1.01
"""Ratio of areas from which the fine pixels are larger than the coarse ones."""


class Pairs:
    """`rgb/NAME.tif` and `hsi/NAME.tif`, ENVI `hsi/NAME.img` or `hsi/NAME.zarr` of one array.

    The picture is brought to the grid of the cube: its light, decoded to linear, is averaged over
    the area of each of the cube's pixels. So it is the cube that stays as it was measured, and
    pictures are linear here. The extents may differ, the CRS may not. Where one of the two is not
    known both are NaN.

    Wavelengths are those of the cube's file (see `hsi_xr.open`), else of `wavelengths.csv` in
    `hsi` or beside it. Splits are `train.txt`, `validation.txt` and `test.txt` in the folder, a
    name a line; without, all train.

    Args:
        folder: With `rgb` and `hsi`.
        bands: Cubes are brought to these by Gaussians of their widths: a `Bands`, or first and last
            centre and step in nm, (400, 700, 10).
        scale: What brings stored integers of cubes to reflectance, e.g. 1e-4.
        radiometry: Of the pictures as they are stored, `srgb`, `linear` or `reflectance`; may be
            left out for 8-bit files, which count as sRGB.
        rgb_scale: What brings the stored numbers of pictures to [0, 1], e.g. 1/255.
        crs: Of files that tell none, e.g. "EPSG:32618".
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
        self.cubes = _rasters.cubes(folder / "hsi")
        self.pictures = _rasters.by_stem(folder / "rgb", _PICTURES)
        self.bands, self.scale = _options.bands(bands), _options.scale(scale)
        self.radiometry, self.crs = _options.radiometry(radiometry), _options.crs(crs)
        self.rgb_scale = _options.scale(rgb_scale, "rgb_scale")
        self.splits: Splits = _scenes.own_lists(folder, {*self.cubes} & {*self.pictures})

    def read(self, name: str) -> Pair:
        measured, seen, kind = self._opened(_scenes.known(name, self.splits))
        cube = _rasters.cube(measured, self.bands)
        light = kind.linear(seen.values)
        _rasters.check_level(light, seen.encoding["source"], "rgb_scale=1/255")
        rgb = average(light, _grid(seen, self.crs), _grid(measured, self.crs))
        unknown = np.isnan(rgb).any(0) | np.isnan(cube).all(0)
        cube[:, unknown], rgb[:, unknown] = np.nan, np.nan
        return Pair(name, cube, np.minimum(rgb, 1))

    def problems(self, *splits: str) -> Sequence[str]:
        found = [
            *_scenes.unlisted(self.splits, self.folder / "hsi", self.cubes, *splits),
            *_scenes.unlisted(self.splits, self.folder / "rgb", self.pictures, *splits),
        ]
        names = _scenes.every(self.splits, *splits)
        for name in sorted({*self.cubes} & {*self.pictures} & names):
            try:
                self._opened(name)
            except HsiError as error:
                found.append(str(error))
        return found

    def _opened(self, name: str) -> tuple["xr.DataArray", "xr.DataArray", Radiometry]:
        """Cube and picture, lazily, and what the numbers of the picture mean."""
        measured = _rasters.opened(
            _scenes.there(self.cubes.get(name), name), self.bands, self.scale
        )
        path = _scenes.there(self.pictures.get(name), name)
        seen = open_raster(path)
        if seen.sizes["band"] != 3:
            raise BandMismatch(
                f"{str(path)!r} has {seen.sizes['band']} bands; a picture has red, green and blue"
            )
        dtype, stated = stored_dtype(seen), stated_radiometry(seen)
        try:
            kind = resolve_radiometry(
                dtype, radiometry=self.radiometry, scale=self.rgb_scale, stated=stated
            )
        except MissingFact as error:
            raise MissingFact(f"{str(path)!r}: {error}; that scale is rgb_scale here") from error
        _check_ground(_grid(seen, self.crs), _grid(measured, self.crs), repr(str(path)))
        return measured, seen, kind


def _grid(array: "xr.DataArray", crs: str | None) -> Grid:
    from rasterio.crs import CRS

    transform, told = transform_of(array), crs_of(array)
    if transform is None or (told is None and crs is None):
        raise NotGeoreferenced(
            f"{array.encoding['source']!r} does not tell where it lies; "
            "give crs=..., e.g. 'EPSG:32618', if it is its CRS alone that is missing"
        )
    rows, columns = array.sizes["y"], array.sizes["x"]
    return Grid(transform, told or CRS.from_user_input(crs), (rows, columns))


def _check_ground(fine: Grid, coarse: Grid, name: str) -> None:
    """Whether there is anything to average.

    Raises:
        InvalidData: Another CRS, rotated axes, other ground, or larger pixels.
    """
    if fine.crs != coarse.crs or any(g.transform.b or g.transform.d for g in (fine, coarse)):
        raise InvalidData(
            f"{name} and its cube have different CRS or rotated axes; bring the picture to the "
            f"axes of the cube first, e.g. `rio warp --dst-crs {coarse.crs} ...`"
        )
    for edges, size in zip(coarse.edges_in(fine), fine.shape):
        if edges.max() <= 0 or edges.min() >= size:
            raise InvalidData(f"{name} shows other ground than the cube of its name")
    if abs(fine.transform.determinant) > _COARSER * abs(coarse.transform.determinant):
        raise InvalidData(
            f"{name} has larger pixels than the cube of its name; there is nothing to average: "
            "bring the cube to the grid of the picture first"
        )


build: type[DataSet] = Pairs
