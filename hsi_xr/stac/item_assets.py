"""The files of a product as STAC assets.

Bands and the fields of the EO, raster, projection and file extensions are written directly: the
classes of pystac still write those of STAC 1.0.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsi_xr.errors import InvalidData
from hsi_xr.io import formats, grid
from hsi_xr.io.cube_file import CubeFile
from hsi_xr.io.preview import TITLE, caption, find_thumbnail
from hsi_xr.output_variables import OUTPUT_VARIABLES, draw_of, output_variable
from hsi_xr.stac.files import multihash
from hsi_xr.stac.footprint import ground_resolution

if TYPE_CHECKING:
    from pyproj import CRS

VOLATILE = ".aux.xml"
"""Suffix of files to which GDAL, and so QGIS, adds statistics when an image is displayed."""
_MEDIA_TYPES = {".hdr": "text/plain", ".xml": "application/xml"}
_COMMON_NAMES = {"blue": 0.45, "green": 0.55, "red": 0.65}
"""Wavelength in um. The nearest band gets the name, if it is within `_TOLERANCE`."""
_TOLERANCE = 0.02

Asset = dict[str, Any]


def assets(product: CubeFile, href: str) -> dict[str, Asset]:
    """Returns the assets of a product: the cube, and the files of the same run next to it."""
    folder = href[: href.rstrip("/").rfind("/") + 1]
    title = f"{product.quantity[:1].upper()}{product.quantity[1:]}, estimated by a model"
    by_key = {"reflectance": _raster(product, href, title)}
    for band, name in _common_names(product).items():
        by_key["reflectance"]["bands"][band]["eo:common_name"] = name
    by_key |= _sidecars(product, folder, "reflectance")
    for name, companion in product.companions.items():
        if product.is_shared and draw_of(name) is not None:
            continue  # all draws are the first asset
        if (variable := output_variable(name)) is not None:
            target = href if product.is_shared else folder + companion.path.name
            by_key[variable.asset] = _raster(companion, target, variable.title)
            by_key |= {} if product.is_shared else _sidecars(companion, folder, variable.asset)
    if (preview := find_thumbnail(product)) is not None:
        by_key["thumbnail"] = {
            "href": folder + preview.name,
            "type": "image/png",
            "title": f"{TITLE}, not a photograph",
            "description": caption(product),
            "roles": ["thumbnail", "overview"],
            "proj:code": None,
            **file_fields(preview),
        }
    return by_key


def roles(product: CubeFile) -> list[str]:
    """Returns the roles of a variable's asset. The last one is also the key of the asset."""
    variable = output_variable(product.variable) or OUTPUT_VARIABLES["reflectance"]
    return ["data", variable.asset]


def _sidecars(product: CubeFile, folder: str, role: str) -> dict[str, Asset]:
    """Returns the files that are needed to read a product, such as the header of ENVI."""
    layout = formats.by_driver(product.driver)
    sidecars = {} if layout is None else layout.sidecars(product.path)
    return {
        f"{role}-{kind}": {
            "href": folder + path.name,
            "type": _MEDIA_TYPES.get(path.suffix, "application/octet-stream"),
            "title": f"{kind.capitalize()} of {product.path.name}",
            "roles": ["metadata"],
            **file_fields(path),
        }
        for kind, path in sidecars.items()
        if path.exists()
    }


def _raster(product: CubeFile, href: str, title: str) -> Asset:
    asset: Asset = {"href": href, "title": title, "roles": roles(product)}
    if product.is_shared:
        asset["hsi_xr:variable"] = product.variable
    return {**asset, **raster_fields(product), **file_fields(product.path)}


def raster_fields(product: CubeFile) -> Asset:
    """Returns the fields that describe the pixels of an asset, as its file states them."""
    layout = formats.by_driver(product.driver)
    fields: Asset = {
        "type": None if layout is None else layout.media_type(product.path),
        "data_type": product.dtype,
        "nodata": _nodata(product.nodata),
        "unit": product.unit,
        "raster:scale": product.scale,
        "raster:offset": product.offset,
        "raster:sampling": product.sampling,
        **_projection(product),
        "bands": _bands(product),
    }
    return {key: value for key, value in fields.items() if value is not None}


def file_fields(path: Path) -> Asset:
    """Returns size and checksum of a file, which is read once; nothing for a folder."""
    if not path.is_file() or path.name.endswith(VOLATILE):
        return {}
    return {"file:size": path.stat().st_size, "file:checksum": multihash(path)}


def _projection(product: CubeFile) -> Asset:
    if product.crs is None:
        return {"proj:shape": list(product.shape)}
    return {
        "raster:spatial_resolution": _resolution(product, product.crs),
        "proj:shape": list(product.shape),
        "proj:transform": list(product.transform)[:6],
        "proj:bbox": list(grid.bounds(product.transform, product.shape)),
    }


def _resolution(product: CubeFile, crs: "CRS") -> float | None:
    """Returns metres on the ground; None if the CRS does not lead there."""
    try:
        return ground_resolution(product.transform, product.shape, crs)
    except InvalidData:
        return None


def _bands(product: CubeFile) -> list[Asset]:
    digits = max(2, len(str(len(product.descriptions))))
    bands = zip(product.descriptions, product.centres, product.widths)
    return [
        {
            key: value
            for key, value in {
                "name": f"B{number:0{digits}d}",
                "description": description,
                "eo:center_wavelength": centre,
                "eo:full_width_half_max": width,
            }.items()
            if value
        }
        for number, (description, centre, width) in enumerate(bands, start=1)
    ]


def _common_names(product: CubeFile) -> dict[int, str]:
    """Returns red, green and blue by the index of the band that has the name."""
    centres = {index: centre for index, centre in enumerate(product.centres) if centre}
    names = {}
    for name, wavelength in _COMMON_NAMES.items():
        band = min(centres, key=lambda index: abs(centres[index] - wavelength), default=None)
        if band is not None and abs(centres[band] - wavelength) <= _TOLERANCE:
            names[band] = name
    return names


def _nodata(value: float | None) -> float | int | str | None:
    if value is None or math.isfinite(value):
        return int(value) if value is not None and value == int(value) else value
    return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
