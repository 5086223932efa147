"""Pictures as tiles of one: one survey, one ground, and neighbours to look at beyond an edge."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import xarray as xr
from affine import Affine

from hsi_xr.batch.config import Conversion
from hsi_xr.batch.inspect import ImageInfo
from hsi_xr.batch.vrt import Frame, From, Layer, Part, frame, place, write_vrt
from hsi_xr.errors import UsageError
from hsi_xr.io.clip import Window
from hsi_xr.io.georef import coordinates
from hsi_xr.io.open import open as open_image
from hsi_xr.io.raster_dataset import rasterio_open
from hsi_xr.pipeline.plan import Plan, plan
from hsi_xr.pipeline.reconstruct import reconstruct_part, survey_of_plan
from hsi_xr.pipeline.scene_statistics import Survey

if TYPE_CHECKING:
    from rasterio.crs import CRS

_WHOLE = 0.01
"""Pixels by which a tile may miss the grid of the others."""
_VALID = 255.0


class Georeferenced(Protocol):
    """What lies on a grid: a picture, or an open raster."""

    @property
    def crs(self) -> "CRS | None": ...
    @property
    def transform(self) -> Affine: ...


@dataclass(frozen=True, eq=False)
class Mosaic:
    """All pictures of a conversion as one scene, which is planned and surveyed once."""

    path: Path
    """Of the virtual raster over the pictures."""
    tiles: Sequence[ImageInfo]
    how: Conversion
    survey: Survey

    @classmethod
    def over(cls, tiles: Sequence[ImageInfo], how: Conversion, path: Path, kept: Path) -> "Mosaic":
        """Lay pictures side by side and survey them, unless that is done and kept.

        Args:
            tiles: All that fit together; see `check_tiles`.
            how: What is asked for.
            path: Of the virtual raster to write.
            kept: Of the survey, which is read if it is there and else written.
        """
        _write(path, tiles, how)
        if kept.exists():
            return cls(path, tiles, how, Survey.load(kept))
        options = {**how.reading(tiles[0].dtype), "device": how.devices[0]}
        found = survey_of_plan(plan(_open(path, how), how.model, **options))
        found.save(kept)
        return cls(path, tiles, how, found)

    def planned(self, device: str) -> Plan:
        """The reconstruction of all of it on a device."""
        if device not in self._plans:
            options = self.how.reading(self.tiles[0].dtype)
            self._plans[device] = plan(
                _open(self.path, self.how),
                self.how.model,
                **options,
                device=device,
                survey=self.survey,
            )
        return self._plans[device]

    def cube(self, tile: ImageInfo, device: str) -> xr.Dataset:
        """The cube of one picture, as it is in the whole; on the very grid of that picture."""
        row, column = (round(at) for at in place(_part(tile), self._frame))
        rows, columns = tile.shape
        window = Window(slice(row, row + rows), slice(column, column + columns))
        cube = reconstruct_part(self.planned(device), window)
        cube = cube.assign_coords(coordinates(tile.transform, tile.crs, tile.shape))
        return cube.assign_attrs(hsi_xr_mosaic=f"one of {len(self.tiles)} tiles")

    @cached_property
    def _plans(self) -> dict[str, Plan]:
        return {}

    @cached_property
    def _frame(self) -> Frame:
        return frame([_part(tile) for tile in self.tiles])


def check_tiles(tiles: Sequence[ImageInfo], how: Conversion) -> None:
    """Refuse, before any work, pictures that are no tiles of one where they are to be.

    Raises:
        UsageError: They differ in CRS, resolution, grid, type or nodata; named by a tile that does.
    """
    if not tiles:
        return
    first = tiles[0]
    asked = "--as-mosaic" if how.as_mosaic else "--vrt"
    for name, of in (_ALIKE if how.as_mosaic else _PLACED if how.vrt else {}).items():
        other = next((tile for tile in tiles if of(tile) != of(first)), None)
        if other is not None:
            raise UsageError(
                f"tiles of one mosaic have one {name}: {first.name!r} has {of(first)}, "
                f"{other.name!r} has {of(other)}; convert them without {asked}, or apart"
            )
    if not how.as_mosaic:
        return
    on = frame([_part(tile) for tile in tiles])
    for tile in tiles:
        if any(abs(at - round(at)) > _WHOLE for at in place(_part(tile), on)):
            raise UsageError(
                f"tiles of one mosaic lie on one grid of pixels, and {tile.name!r} is off that of "
                f"{first.name!r} by a part of a pixel; convert them without --as-mosaic"
            )


def check_beside(first: ImageInfo, products: Sequence[str]) -> None:
    """Refuse, before any work, a virtual raster over products of earlier runs that lie otherwise.

    Raises:
        UsageError: They differ in CRS or resolution.
    """
    for path in products:
        with rasterio_open(path) as src:
            for name, of in _PLACED.items():
                if of(src) != of(first):
                    raise UsageError(
                        f"tiles of one mosaic have one {name}: {first.name!r} has {of(first)}, and "
                        f"{path!r} of an earlier run has {of(src)}; go on without --vrt"
                    )


def _of_crs(tile: Georeferenced) -> str:
    if tile.crs is None:
        return "none"
    return ":".join(tile.crs.to_authority() or ()) or tile.crs.to_wkt()


_PLACED: dict[str, Callable[[Georeferenced], Hashable]] = {
    "coordinate reference system": _of_crs,
    "pixel size": lambda tile: tuple(round(getattr(tile.transform, side), 9) for side in "abde"),
}
_ALIKE: dict[str, Callable[[ImageInfo], Hashable]] = {
    **_PLACED,
    "data type": lambda tile: tile.dtype,
    "nodata value": lambda tile: str(tile.nodata),
    "scale and offset": lambda tile: (tile.scale, tile.offset),
}


def _write(path: Path, tiles: Sequence[ImageInfo], how: Conversion) -> None:
    """Three colours, and what of them is a pixel as alpha, whichever way each picture tells it."""
    first = tiles[0]
    colours = [
        Layer(
            dtype=first.dtype,
            sources=[From(tile.bands[at], tile.dtype, tile.masked) for tile in tiles],
            nodata=first.nodata if how.nodata is None else how.nodata,
            scale=first.scale,
            offset=first.offset,
            colour=colour,
        )
        for at, colour in enumerate(("Red", "Green", "Blue"))
    ]
    alpha = Layer(dtype="uint8", sources=[_alpha(tile) for tile in tiles], colour="Alpha")
    write_vrt(path, [_part(tile) for tile in tiles], [*colours, alpha], crs=first.crs)


def _alpha(tile: ImageInfo) -> From:
    if tile.alpha is not None:
        return From(tile.alpha, tile.dtype, empty=0)
    if tile.masked:
        return From(tile.bands[0], tile.dtype, mask=True, empty=0)
    return From(tile.bands[0], tile.dtype, constant=_VALID)


def _part(tile: ImageInfo) -> Part:
    return Part(href=tile.picture.href, shape=tile.shape, transform=tile.transform)


def _open(path: Path, how: Conversion) -> xr.DataArray:
    return open_image(path, rgb=(1, 2, 3), nodata=how.nodata)
