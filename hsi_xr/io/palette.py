"""Palette images, in which a pixel is an index into a table of colours."""

import os
from typing import TYPE_CHECKING

from hsi_xr.io.remote import gdal_name

if TYPE_CHECKING:
    from rasterio import DatasetReader

_DRIVER_PREFIX = "vrt://"


def is_palette(raster: "DatasetReader") -> bool:
    """True if the only band of a raster is an index into a colour table."""
    from rasterio.enums import ColorInterp

    return raster.count == 1 and raster.colorinterp[0] == ColorInterp.palette


def expanded_name(path: str) -> str:
    """Returns the name by which GDAL opens a palette image as red, green, blue and alpha.

    Mask and control points are kept; alpha is that of the table, and 0 at nodata.
    """
    name = os.path.abspath(path) if os.path.exists(path) else gdal_name(path)
    return f"{_DRIVER_PREFIX}{name}?expand=rgba"


def is_expanded(name: str) -> bool:
    """True if the name of an open raster is that of an expanded palette image."""
    return name.startswith(_DRIVER_PREFIX)
