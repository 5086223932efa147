"""Expands palette images, in which a pixel is an index into a table of colours."""

import os
import xml.etree.ElementTree as Xml
from typing import TYPE_CHECKING

from hsi_xr.io.remote import gdal_name

if TYPE_CHECKING:
    from rasterio import DatasetReader

_COMPONENTS = ("Red", "Green", "Blue", "Alpha")


def is_palette(raster: "DatasetReader") -> bool:
    """True if the only colour band of a raster is an index into a colour table."""
    from rasterio.enums import ColorInterp

    return bool(raster.count) and raster.colorinterp[0] == ColorInterp.palette


def is_expanded(name: str) -> bool:
    """True if the name of an open raster is that of an expanded palette image."""
    return name.startswith("<VRTDataset")


def expanded(raster: "DatasetReader", path: str) -> str:
    """Returns a virtual raster of red, green, blue and alpha, as GDAL takes it for a file name.

    GDAL looks the colours up when it reads. Alpha is that of the table, and 0 at nodata.

    Args:
        raster: An open palette image.
        path: Its path or URL.
    """
    root = Xml.Element("VRTDataset", rasterXSize=str(raster.width), rasterYSize=str(raster.height))
    if raster.crs is not None:
        _add(root, "SRS", raster.crs.to_wkt())
    if not raster.transform.is_identity:
        _add(root, "GeoTransform", ", ".join(map(repr, raster.transform.to_gdal())))
    metadata = Xml.SubElement(root, "Metadata")
    for key, value in raster.tags().items():
        _add(metadata, "MDI", value).set("key", key)
    for component, colour in enumerate(_COMPONENTS, start=1):
        band = Xml.SubElement(root, "VRTRasterBand", dataType="Byte", band=str(component))
        _add(band, "ColorInterp", colour)
        source = Xml.SubElement(band, "ComplexSource")
        _add(source, "SourceFilename", _absolute(path)).attrib.update(relativeToVRT="0", shared="0")
        _add(source, "SourceBand", "1")
        if raster.nodata is not None:
            _add(source, "NODATA", f"{raster.nodata:.17g}")
        _add(source, "ColorTableComponent", str(component))
    return Xml.tostring(root, encoding="unicode")


def _absolute(path: str) -> str:
    return os.path.abspath(path) if os.path.exists(path) else gdal_name(path)


def _add(parent: Xml.Element, name: str, text: str) -> Xml.Element:
    element = Xml.SubElement(parent, name)
    element.text = text
    return element
