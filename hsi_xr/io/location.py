"""Whether an array has a location: a CRS, and a transform that leads to it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import xarray as xr

from hsi_xr.errors import NotGeoreferenced
from hsi_xr.io.georef import crs_of, transform_of
from hsi_xr.io.raster_source import source_of

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.crs import CRS


@dataclass(frozen=True)
class Location:
    """Where the pixels of an array are: within its scene, and on Earth.

    Attributes:
        pixel_grid: Affine transform from (column, row) to the coordinates of the array. Those of an
            array without a location number the pixels of its scene, so that a slice still knows
            which part of the scene it is. None if the array has no coordinates.
        transform: The same, if the coordinates are more than numbers of pixels; None otherwise.
        crs: The CRS of these coordinates; None without a transform, since a CRS alone is no
            location.
    """

    pixel_grid: "Affine | None"
    transform: "Affine | None"
    crs: "CRS | None"

    @property
    def is_known(self) -> bool:
        """True if the array has a CRS and a transform to it."""
        return self.crs is not None


def location_of(obj: xr.Dataset | xr.DataArray) -> Location:
    """Returns the location of an array.

    Raises:
        InvalidData: Its coordinates are uneven, or its CRS or transform cannot be read.
    """
    grid = transform_of(obj)
    transform = None if grid is not None and grid.is_identity else grid
    return Location(grid, transform, crs_of(obj) if transform is not None else None)


def require_location(array: xr.DataArray, *, allow_ungeoreferenced: bool) -> Location:
    """Returns the location of a scene.

    Raises:
        NotGeoreferenced: It has no CRS or no transform, and `allow_ungeoreferenced` is false.
        InvalidData: As for `location_of`.
    """
    location = location_of(array)
    if not (location.is_known or allow_ungeoreferenced):
        raise NotGeoreferenced(_missing_location(array))
    return location


def _missing_location(array: xr.DataArray) -> str:
    source = source_of(array)
    if source is not None and (points := source.ground_control_points):
        return (
            f"the scene is georeferenced by {points} ground control points, not by a grid; warp it "
            "first, e.g. `gdalwarp scene.tif warped.tif`, or pass allow_ungeoreferenced=True "
            "(--allow-ungeoreferenced) to ignore them"
        )
    missing, method = "coordinate reference system", "write_crs('EPSG:32633')"
    if crs_of(array) is not None:
        missing, method = "transform", "write_transform(affine)"
    return (
        f"the scene has no {missing}; assign it, e.g. `scene.rio.{method}`, or "
        "pass allow_ungeoreferenced=True (--allow-ungeoreferenced)"
    )
