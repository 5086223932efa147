"""Images as tiles of one scene: they share its statistics, and use neighbours as context."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import xarray as xr
from affine import Affine

from hsi_xr.batch.config import Conversion
from hsi_xr.batch.inspect import ImageInfo
from hsi_xr.batch.vrt import BandSource, MosaicBand, MosaicFile, MosaicGrid, write_vrt
from hsi_xr.errors import UsageError
from hsi_xr.io.clip import Window
from hsi_xr.io.georef import coordinates
from hsi_xr.io.open import open as open_image
from hsi_xr.io.raster_dataset import rasterio_open
from hsi_xr.pipeline.arguments import ReconstructOptions
from hsi_xr.pipeline.encodings import product_of
from hsi_xr.pipeline.plan import Plan, plan
from hsi_xr.pipeline.reconstruct import reconstruct_part, survey_of_plan
from hsi_xr.pipeline.scene_statistics import Survey

if TYPE_CHECKING:
    from rasterio.crs import CRS

_TOLERANCE = 0.01
"""Pixels by which a tile may be off the grid of the others."""
_VALID = 255.0


class Georeferenced(Protocol):
    """An image, or an open raster."""

    @property
    def crs(self) -> "CRS | None": ...
    @property
    def transform(self) -> Affine: ...


@dataclass(frozen=True, eq=False)
class Mosaic:
    """All images of a conversion as one scene, which is planned and surveyed once."""

    path: Path
    """Virtual raster of the images."""
    tiles: Sequence[ImageInfo]
    config: Conversion
    survey: Survey

    @classmethod
    def create(
        cls, tiles: Sequence[ImageInfo], config: Conversion, path: Path, survey_path: Path
    ) -> "Mosaic":
        """Write the virtual raster of the images and survey it.

        Args:
            tiles: Images that passed `check_tiles`.
            config: Settings of the conversion.
            path: Path of the virtual raster.
            survey_path: Path of the survey. An existing one, of an interrupted run, is used.
        """
        _write_scene(path, tiles, config)
        if survey_path.exists():
            return cls(path, tiles, config, Survey.load(survey_path))
        options = _options(tiles[0], config, config.devices[0])
        scene = plan(_open(path, config), config.model, **options)
        survey = survey_of_plan(scene)
        survey.save(survey_path)
        return cls(path, tiles, config, survey)

    def cube(self, tile: ImageInfo, device: str) -> xr.Dataset:
        """Returns the cube of one image as a part of the scene, on the grid of the image."""
        row, column = (round(offset) for offset in self._grid.offset(_file(tile)))
        rows, columns = tile.shape
        window = Window(slice(row, row + rows), slice(column, column + columns))
        cube = reconstruct_part(self._plan(device), window)
        cube = cube.assign_coords(coordinates(tile.transform, tile.crs, tile.shape))
        return cube.assign_attrs(hsi_xr_mosaic=f"one of {len(self.tiles)} tiles")

    def _plan(self, device: str) -> Plan:
        if device not in self._plans:
            options = _options(self.tiles[0], self.config, device)
            options["survey"] = self.survey
            scene = _open(self.path, self.config)
            self._plans[device] = plan(scene, self.config.model, **options)
        return self._plans[device]

    @cached_property
    def _plans(self) -> dict[str, Plan]:
        return {}

    @cached_property
    def _grid(self) -> MosaicGrid:
        return MosaicGrid.of([_file(tile) for tile in self.tiles])


def check_tiles(images: Sequence[ImageInfo], config: Conversion) -> None:
    """Refuse images that do not fit into one mosaic, if the settings ask for one.

    Raises:
        UsageError: They differ in CRS, pixel size, grid, data type, nodata or scale.
    """
    if not images:
        return
    first = images[0]
    option = "--as-mosaic" if config.as_mosaic else "--vrt"
    properties = _TILE_PROPERTIES if config.as_mosaic else _GRID_PROPERTIES if config.vrt else {}
    for name, value_of in properties.items():
        other = next((image for image in images if value_of(image) != value_of(first)), None)
        if other is not None:
            raise UsageError(
                f"tiles of one mosaic must have the same {name}: that of {first.name!r} is "
                f"{value_of(first)}, that of {other.name!r} is {value_of(other)}; omit {option}, "
                "or convert them separately"
            )
    if config.as_mosaic:
        _check_palettes(images)
        _check_alignment(images)


def _check_palettes(tiles: Sequence[ImageInfo]) -> None:
    if palette := next((tile for tile in tiles if tile.is_palette), None):
        raise UsageError(
            f"{palette.name!r} is a palette image, which cannot be a tile of a mosaic; expand it, "
            "e.g. `gdal_translate -expand rgb in.tif out.tif`, or omit --as-mosaic"
        )


def _check_alignment(tiles: Sequence[ImageInfo]) -> None:
    grid = MosaicGrid.of([_file(tile) for tile in tiles])
    for tile in tiles:
        if any(abs(offset - round(offset)) > _TOLERANCE for offset in grid.offset(_file(tile))):
            raise UsageError(
                f"tiles of one mosaic must share one pixel grid: {tile.name!r} is a fraction of a "
                f"pixel off the grid of {tiles[0].name!r}; omit --as-mosaic"
            )


def check_earlier_products(first: ImageInfo, products: Sequence[str]) -> None:
    """Refuse products of earlier runs that do not fit into one virtual raster with new ones.

    Raises:
        UsageError: They differ in CRS or pixel size.
    """
    for path in products:
        with rasterio_open(path) as raster:
            for name, value_of in _GRID_PROPERTIES.items():
                if value_of(raster) != value_of(first):
                    raise UsageError(
                        f"tiles of one mosaic must have the same {name}: that of {first.name!r} is "
                        f"{value_of(first)}, that of {path!r}, from an earlier run, is "
                        f"{value_of(raster)}; omit --vrt"
                    )


def _crs_name(image: Georeferenced) -> str:
    if image.crs is None:
        return "none"
    return ":".join(image.crs.to_authority() or ()) or image.crs.to_wkt()


_GRID_PROPERTIES: dict[str, Callable[[Georeferenced], Hashable]] = {
    "coordinate reference system": _crs_name,
    "pixel size": lambda image: tuple(round(getattr(image.transform, key), 9) for key in "abde"),
}
_TILE_PROPERTIES: dict[str, Callable[[ImageInfo], Hashable]] = {
    **_GRID_PROPERTIES,
    "data type": lambda image: image.dtype,
    "order of channels": lambda image: ", ".join(image.channels),
    "nodata value": lambda image: tuple(str(band.nodata) for band in image.facts),
    "product": lambda image: image.facts[0].known_product or "none that is known",
    "scale and offset": lambda image: tuple((band.scale, band.offset) for band in image.facts),
}


def _write_scene(path: Path, tiles: Sequence[ImageInfo], config: Conversion) -> None:
    """Write a virtual raster of the bands that are used and alpha, however nodata is marked.

    The bands have the names of their channels, by which `plan` finds them again.
    """
    first = tiles[0]
    bands = [
        MosaicBand(
            dtype=first.dtype,
            sources=[
                BandSource(band=tile.bands[at], dtype=tile.dtype, skip_masked=tile.has_mask)
                for tile in tiles
            ],
            nodata=fact.nodata,
            scale=fact.scale,
            offset=fact.offset,
            description=channel,
        )
        for at, (channel, fact) in enumerate(zip(first.channels, first.facts))
    ]
    alpha = MosaicBand(dtype="uint8", sources=[_alpha(tile) for tile in tiles], colour="Alpha")
    write_vrt(path, [_file(tile) for tile in tiles], [*bands, alpha], crs=first.crs)


def _alpha(tile: ImageInfo) -> BandSource:
    if tile.alpha is not None:
        return BandSource(band=tile.alpha, dtype=tile.dtype, skip_value=0)
    band = tile.bands[0]
    if tile.has_mask:
        return BandSource(band=band, dtype=tile.dtype, use_mask=True, skip_value=0)
    return BandSource(band=band, dtype=tile.dtype, constant=_VALID)


def _file(tile: ImageInfo) -> MosaicFile:
    return MosaicFile(href=tile.source.href, shape=tile.shape, transform=tile.transform)


def _options(tile: ImageInfo, config: Conversion, device: str) -> ReconstructOptions:
    """Returns the options of the scene, whose file has no other bands than those that are used.

    It does not state which product its tiles are.
    """
    options, stated = config.reconstruct_options(tile.dtype, device), config.radiometric(tile.dtype)
    options |= {"rgb": None, "bands": range(1, len(tile.bands) + 1)}
    product = product_of(tile.facts, stated["radiometry"], stated["scale"], stated["offset"])
    return options if product is None else {**options, "radiometry": product.name}


def _open(path: Path, config: Conversion) -> xr.DataArray:
    return open_image(path, nodata=config.nodata)
