"""Whether an array has a location: a CRS, and a transform that leads to it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr
from affine import Affine

from hsi_xr.errors import HsiError, NotGeoreferenced
from hsi_xr.io.georef import crs_of, pixel_grid_of, transform_of
from hsi_xr.io.grid import pixel_size
from hsi_xr.io.grid_mapping import crs_name, grid_mapping_of
from hsi_xr.io.raster_dataset import open_raster_dataset
from hsi_xr.io.remote import is_remote
from hsi_xr.io.stores import store_driver

if TYPE_CHECKING:
    from rasterio.crs import CRS


@dataclass(frozen=True)
class Location:
    """The location of the pixels of an array, within its scene and on Earth.

    Attributes:
        pixel_grid: Affine transform from (column, row) to the coordinates of the array. If the
            array has no location, its coordinates count the pixels of its scene, so that the
            position of a slice within the scene is still known. None if the array has no
            coordinates.
        transform: The same, unless the coordinates merely count pixels; None if they do.
        crs: The CRS of these coordinates; None without a transform, since a CRS alone does not
            determine a location.
    """

    pixel_grid: Affine | None
    transform: Affine | None
    crs: "CRS | None"

    @property
    def is_known(self) -> bool:
        """True if the array has a CRS and a transform to it."""
        return self.crs is not None

    def __str__(self) -> str:
        if self.crs is None or self.transform is None:
            return "none"
        down, right = pixel_size(self.transform)
        return f"{crs_name(self.crs)}, {down:.6g} x {right:.6g}"


def location_of(obj: xr.Dataset | xr.DataArray) -> Location:
    """Returns the location of an array.

    Raises:
        InvalidData: Its coordinates are uneven, or its CRS or transform cannot be read.
    """
    transform = transform_of(obj)
    crs = None if transform is None else crs_of(obj)
    return Location(pixel_grid_of(obj), transform, crs)


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
    """Returns what the scene lacks and how to repair it."""
    missing, repair = _points(array) or _file_points(array) or _plain(array)
    return (
        f"the scene {missing}; {repair}, or pass allow_ungeoreferenced=True "
        "(--allow-ungeoreferenced) to continue without a location"
    )


def _plain(array: xr.DataArray) -> tuple[str, str]:
    missing, calls, options = [], "scene", ""
    grid = pixel_grid_of(array)
    if crs_of(array) is None:
        missing.append("no coordinate reference system")
        calls, options = "scene.rio.write_crs('EPSG:32633')", " --crs EPSG:32633"
    if transform_of(array) is None:
        missing.append("no transform" + (": its coordinates only count pixels" if grid else ""))
        if grid not in (None, Affine.identity()):  # coordinates of a slice would shift its pixels
            calls += ".drop_vars(['x', 'y'])"
        calls += ".rio.write_transform(affine)"
        options += " --transform '[0.1, 0, 500000, 0, -0.1, 4650000]'"
    repair = f"assign it, e.g. `{calls}`"
    if _file(array) is not None:
        repair += f" (in the file: `rio edit-info{options} scene.tif`)"
    return f"has {' and '.join(missing)}", repair


def _points(array: xr.DataArray) -> tuple[str, str] | None:
    """Returns the problem and repair if rioxarray has read ground control points, or None."""
    mapping = grid_mapping_of(array)
    if not mapping.ground_control_points:
        return None
    warp = "scene.rio.reproject(scene.rio.crs)"
    if mapping.crs is None:
        warp = "scene.rio.write_crs('EPSG:32633').rio.reproject('EPSG:32633')"
    return _by_points(mapping.ground_control_points), f"warp it first, e.g. `{warp}`"


def _file_points(array: xr.DataArray) -> tuple[str, str] | None:
    """Returns the problem and repair if the file has control points or RPCs, or None."""
    path = _file(array)
    if path is None:
        return None
    try:
        with open_raster_dataset(path) as raster:
            (points, crs), rpcs = raster.gcps, raster.rpcs
    except HsiError:
        return None
    if points:
        option = "" if crs else "-s_srs EPSG:32633 "
        warp = f"gdalwarp {option}-dstalpha scene.tif warped.tif"
        return _by_points(len(points)), f"warp its file first, e.g. `{warp}`"
    if rpcs:
        missing = "is located by rational polynomial coefficients (RPCs), not by a grid"
        warp = "gdalwarp -rpc -t_srs EPSG:32633 -dstalpha scene.tif warped.tif"
        return missing, f"warp its file first, e.g. `{warp}` (with -to RPC_DEM=dem.tif on terrain)"
    return None


def _by_points(count: int) -> str:
    return f"is located by {count} ground control points, not by a grid"


def _file(array: xr.DataArray) -> str | None:
    """Returns the file that an array was opened from, if it is there and GDAL reads it."""
    path = str(array.encoding.get("source", ""))
    if not path or store_driver(path):
        return None
    return path if is_remote(path) or Path(path).is_file() else None
