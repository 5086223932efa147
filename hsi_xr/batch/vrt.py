"""Mosaics as virtual rasters of GDAL: XML that says which file has which pixels.

Written by hand, since `gdalbuildvrt` is not among what rasterio's wheels bring, and since it would
lose what the bands say of themselves.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
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
"""Domain -> tags."""

_TYPES = {
    **{"uint8": "Byte", "int8": "Int8", "uint16": "UInt16", "int16": "Int16"},
    **{"uint32": "UInt32", "int32": "Int32", "float32": "Float32", "float64": "Float64"},
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """A file of the mosaic."""

    href: str
    shape: tuple[int, int]
    """Rows, columns."""
    transform: Affine


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A band of the mosaic, and where its pixels come from in each part."""

    dtype: str
    sources: Sequence["From"]
    nodata: float | None = None
    scale: float = 1.0
    offset: float = 0.0
    unit: str | None = None
    description: str | None = None
    colour: str | None = None
    """As GDAL calls it: Red, Alpha, ..."""
    tags: Domains = field(default_factory=dict)


@dataclass(frozen=True)
class From:
    """What of a part goes into a band."""

    band: int
    """Its number in the part."""
    dtype: str
    only_valid: bool = False
    """Whether pixels that the part masks out leave what is below."""
    empty: float | None = None
    """A number that leaves what is below."""
    mask: bool = False
    """Take the mask of the band, 0 or 255, in place of its numbers."""
    constant: float | None = None
    """This number in place of what is there."""


@dataclass(frozen=True)
class Frame:
    """The grid of a mosaic."""

    transform: Affine
    shape: tuple[int, int]


def frame(parts: Sequence[Part]) -> Frame:
    """The grid of the first part, as far as all of them reach."""
    first = parts[0].transform
    boxes = np.array([(*_corner(part, first), *_stop(part, first)) for part in parts])
    (left, top), (right, bottom) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    shape = (round(bottom - top), round(right - left))
    return Frame(first @ Affine.translation(round(left, 6), round(top, 6)), shape)


def place(part: Part, on: Frame) -> tuple[float, float]:
    """Row and column of a part's first pixel in the mosaic."""
    column, row = _corner(part, on.transform)
    return row, column


def write_vrt(
    path: Path,
    parts: Sequence[Part],
    layers: Sequence[Layer],
    *,
    crs: "CRS | None",
    tags: Domains | None = None,
) -> Path:
    """The mosaic of parts, later ones above earlier ones; complete or not at all."""
    on = frame(parts)
    rows, columns = on.shape
    root = Xml.Element("VRTDataset", rasterXSize=str(columns), rasterYSize=str(rows))
    if crs is not None:
        _text(root, "SRS", crs.to_wkt())
    _text(root, "GeoTransform", ", ".join(f"{value!r}" for value in on.transform.to_gdal()))
    _put_tags(root, tags or {})
    for number, layer in enumerate(layers, start=1):
        band = Xml.SubElement(root, "VRTRasterBand", dataType=_TYPES[layer.dtype], band=str(number))
        _describe(band, layer)
        for part, source in zip(parts, layer.sources):
            _put_source(band, part, source, layer, place(part, on), path.parent)
    with atomic.replacing(path) as temporary:
        Xml.ElementTree(root).write(temporary, encoding="utf-8")
    return path


def _describe(band: Xml.Element, layer: Layer) -> None:
    _put_tags(band, layer.tags)
    told = {
        "Description": layer.description,
        "UnitType": layer.unit,
        "NoDataValue": None if layer.nodata is None else f"{layer.nodata:.17g}",
        "ColorInterp": layer.colour,
        "Offset": f"{layer.offset:.17g}",
        "Scale": f"{layer.scale:.17g}",
    }
    for name, text in told.items():
        if text:
            _text(band, name, text)


def _put_source(
    band: Xml.Element,
    part: Part,
    source: From,
    layer: Layer,
    at: tuple[float, float],
    folder: Path,
) -> None:
    element = Xml.SubElement(band, "ComplexSource")
    href = gdal_name(part.href)
    if here := not href.startswith("/vsi"):
        href = os.path.relpath(os.path.abspath(href), os.path.abspath(folder))
    name = _text(element, "SourceFilename", href)
    # threads read at once, each through a file of its own
    name.attrib.update(relativeToVRT=str(int(here)), shared="0")
    _text(element, "SourceBand", f"mask,{source.band}" if source.mask else str(source.band))
    rows, columns = (str(length) for length in part.shape)
    kind = "Byte" if source.mask else _TYPES[source.dtype]
    Xml.SubElement(
        element, "SourceProperties", RasterXSize=columns, RasterYSize=rows, DataType=kind
    )
    size = {"xSize": columns, "ySize": rows}
    Xml.SubElement(element, "SrcRect", {"xOff": "0", "yOff": "0", **size})
    Xml.SubElement(element, "DstRect", {"xOff": f"{at[1]:.10g}", "yOff": f"{at[0]:.10g}", **size})
    if source.constant is not None:
        _text(element, "ScaleOffset", f"{source.constant:.17g}")
        _text(element, "ScaleRatio", "0")
    elif (empty := source.empty if source.empty is not None else layer.nodata) is not None:
        _text(element, "NODATA", f"{empty:.17g}")
    elif source.only_valid:
        _text(element, "UseMaskBand", "true")


def _put_tags(parent: Xml.Element, tags: Domains) -> None:
    for domain, pairs in tags.items():
        if pairs:
            element = Xml.SubElement(parent, "Metadata", {"domain": domain} if domain else {})
            for key, value in pairs.items():
                _text(element, "MDI", value).set("key", key)


def _text(parent: Xml.Element, name: str, text: str) -> Xml.Element:
    element = Xml.SubElement(parent, name)
    element.text = text
    return element


def _corner(part: Part, grid: Affine) -> tuple[float, float]:
    """Column and row of a part's first corner on a grid; a millionth of a pixel is rounding."""
    return _on(part, grid, (0, 0))


def _stop(part: Part, grid: Affine) -> tuple[float, float]:
    return _on(part, grid, (part.shape[1], part.shape[0]))


def _on(part: Part, grid: Affine, pixel: Iterable[float]) -> tuple[float, float]:
    place = points(part.transform, [tuple(pixel)])
    column, row = points(~grid, place)[0]
    return round(float(column), 6), round(float(row), 6)
