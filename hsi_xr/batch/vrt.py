"""Mosaics as virtual rasters (VRT) of GDAL: XML that states where each file is in the mosaic.

Rasterio's wheels do not contain `gdalbuildvrt`, which would also lose the metadata of bands.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as Xml

import numpy as np
from affine import Affine

from hsi_xr.io import atomic
from hsi_xr.io.grid import points
from hsi_xr.io.remote import gdal_name

if TYPE_CHECKING:
    from rasterio.crs import CRS

Domains = Mapping[str, Mapping[str, str]]
"""Metadata domain -> tags."""

_TYPES = {
    **{"uint8": "Byte", "int8": "Int8", "uint16": "UInt16", "int16": "Int16"},
    **{"uint32": "UInt32", "int32": "Int32", "float32": "Float32", "float64": "Float64"},
}


@dataclass(frozen=True, kw_only=True)
class MosaicFile:
    """A file that is a part of a mosaic."""

    href: str
    shape: tuple[int, int]
    """Rows, columns."""
    transform: Affine


@dataclass(frozen=True, kw_only=True)
class BandSource:
    """What a file contributes to a band of the mosaic."""

    band: int
    """Number of the band in the file."""
    dtype: str
    skip_masked: bool = False
    """Leave out pixels that the file masks, so that files below show through."""
    skip_value: float | None = None
    """Leave out pixels with this stored value."""
    use_mask: bool = False
    """Use the mask of the band, 0 or 255, instead of its values."""
    constant: float | None = None
    """Use this value for all pixels."""


@dataclass(frozen=True, kw_only=True)
class MosaicBand:
    """A band of a mosaic."""

    dtype: str
    sources: Sequence[BandSource]
    """One for each file."""
    nodata: float | None = None
    scale: float = 1.0
    offset: float = 0.0
    unit: str | None = None
    description: str | None = None
    colour: str | None = None
    """Colour interpretation, as GDAL spells it: Red, Alpha, ..."""
    tags: Domains = field(default_factory=dict)


@dataclass(frozen=True)
class MosaicGrid:
    """The pixel grid of a mosaic."""

    transform: Affine
    shape: tuple[int, int]
    """Rows, columns."""

    @classmethod
    def of(cls, files: Sequence[MosaicFile]) -> "MosaicGrid":
        """Returns the grid of the first file, extended to cover all of them."""
        first = files[0].transform
        left, top = np.min([_first_corner(file, first) for file in files], axis=0)
        right, bottom = np.max([_last_corner(file, first) for file in files], axis=0)
        origin = Affine.translation(round(float(left), 6), round(float(top), 6))
        return cls(first @ origin, (round(bottom - top), round(right - left)))

    def offset(self, file: MosaicFile) -> tuple[float, float]:
        """Returns row and column of a file's first pixel."""
        column, row = _first_corner(file, self.transform)
        return row, column


def write_vrt(
    path: Path,
    files: Sequence[MosaicFile],
    bands: Sequence[MosaicBand],
    *,
    crs: "CRS | None",
    tags: Domains | None = None,
) -> Path:
    """Write a mosaic of files, complete or not at all. Later files cover earlier ones."""
    grid = MosaicGrid.of(files)
    rows, columns = grid.shape
    root = Xml.Element("VRTDataset", rasterXSize=str(columns), rasterYSize=str(rows))
    if crs is not None:
        _add_text(root, "SRS", crs.to_wkt())
    _add_text(root, "GeoTransform", ", ".join(f"{value!r}" for value in grid.transform.to_gdal()))
    _add_tags(root, tags or {})
    for number, band in enumerate(bands, start=1):
        element = Xml.SubElement(
            root, "VRTRasterBand", dataType=_TYPES[band.dtype], band=str(number)
        )
        _add_band_metadata(element, band)
        for file, source in zip(files, band.sources):
            skipped = band.nodata if source.skip_value is None else source.skip_value
            source_element = Xml.SubElement(element, "ComplexSource")
            _add_file(source_element, file, source, path.parent)
            _add_rectangles(source_element, file, grid)
            _add_pixel_rules(source_element, source, skipped)
    with atomic.replacing(path) as temporary:
        Xml.ElementTree(root).write(temporary, encoding="utf-8")
    return path


def _add_band_metadata(element: Xml.Element, band: MosaicBand) -> None:
    _add_tags(element, band.tags)
    texts = {
        "Description": band.description,
        "UnitType": band.unit,
        "NoDataValue": None if band.nodata is None else f"{band.nodata:.17g}",
        "ColorInterp": band.colour,
        "Offset": f"{band.offset:.17g}",
        "Scale": f"{band.scale:.17g}",
    }
    for name, text in texts.items():
        if text:
            _add_text(element, name, text)


def _add_file(element: Xml.Element, file: MosaicFile, source: BandSource, folder: Path) -> None:
    """Add the name, band and properties of a file, so that GDAL opens it only to read pixels."""
    href = gdal_name(file.href)
    if is_relative := not href.startswith("/vsi"):
        href = os.path.relpath(os.path.abspath(href), os.path.abspath(folder))
    name = _add_text(element, "SourceFilename", href)
    # threads that read at once must not share a handle
    name.attrib.update(relativeToVRT=str(int(is_relative)), shared="0")
    _add_text(element, "SourceBand", f"mask,{source.band}" if source.use_mask else str(source.band))
    rows, columns = file.shape
    Xml.SubElement(
        element,
        "SourceProperties",
        RasterXSize=str(columns),
        RasterYSize=str(rows),
        DataType="Byte" if source.use_mask else _TYPES[source.dtype],
    )


def _add_rectangles(element: Xml.Element, file: MosaicFile, grid: MosaicGrid) -> None:
    """Add the position of the pixels in the file, and in the mosaic."""
    row, column = grid.offset(file)
    rows, columns = file.shape
    size = {"xSize": str(columns), "ySize": str(rows)}
    Xml.SubElement(element, "SrcRect", {"xOff": "0", "yOff": "0", **size})
    Xml.SubElement(element, "DstRect", {"xOff": f"{column:.10g}", "yOff": f"{row:.10g}", **size})


def _add_pixel_rules(element: Xml.Element, source: BandSource, skipped: float | None) -> None:
    """Add which pixels are used, and the constant that replaces their values, if any."""
    if source.constant is not None:
        _add_text(element, "ScaleOffset", f"{source.constant:.17g}")
        _add_text(element, "ScaleRatio", "0")
    elif skipped is not None:
        _add_text(element, "NODATA", f"{skipped:.17g}")
    elif source.skip_masked:
        _add_text(element, "UseMaskBand", "true")


def _add_tags(parent: Xml.Element, tags: Domains) -> None:
    for domain, pairs in tags.items():
        if pairs:
            element = Xml.SubElement(parent, "Metadata", {"domain": domain} if domain else {})
            for key, value in pairs.items():
                _add_text(element, "MDI", value).set("key", key)


def _add_text(parent: Xml.Element, name: str, text: str) -> Xml.Element:
    element = Xml.SubElement(parent, name)
    element.text = text
    return element


def _first_corner(file: MosaicFile, grid: Affine) -> tuple[float, float]:
    """Returns column and row, on a grid, of the corner where a file's first pixel starts."""
    return _on_grid(file.transform, (0, 0), grid)


def _last_corner(file: MosaicFile, grid: Affine) -> tuple[float, float]:
    """Returns column and row, on a grid, of the corner where a file's last pixel ends."""
    rows, columns = file.shape
    return _on_grid(file.transform, (columns, rows), grid)


def _on_grid(transform: Affine, pixel: tuple[float, float], grid: Affine) -> tuple[float, float]:
    """Convert a pixel position between grids, rounded to a millionth of a pixel."""
    column, row = points(~grid, points(transform, [pixel]))[0]
    return round(float(column), 6), round(float(row), 6)
