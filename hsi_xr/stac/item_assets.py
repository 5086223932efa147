"""The files of a product as STAC assets.

Bands and the fields of the EO, raster, projection and file extensions are written by hand: pystac's
classes for them still write the fields of STAC 1.0.
"""

import math
from pathlib import Path
from typing import Any

from hsi_xr.io import formats, grid
from hsi_xr.io.cube_file import Product
from hsi_xr.io.preview import TITLE, thumbnail_of
from hsi_xr.output_variables import COMPANIONS, OUTPUT_VARIABLES
from hsi_xr.stac.checksums import multihash
from hsi_xr.stac.footprint import ground_resolution

CHANGING = ".aux.xml"
"""GDAL, and so QGIS, adds statistics to such a file when somebody looks at the picture."""
_TYPES = {".hdr": "text/plain", ".xml": "application/xml"}
_COMMON_NAMES = {"blue": 0.45, "green": 0.55, "red": 0.65}
"""um; the nearest band bears the name, if it is within `_NEAR`."""
_NEAR = 0.02

Asset = dict[str, Any]


def assets(product: Product, href: str) -> dict[str, Asset]:
    """The product and those files beside it that come from the same run."""
    folder = href[: href.rstrip("/").rfind("/") + 1]
    title = f"{product.quantity[:1].upper()}{product.quantity[1:]}, estimated by a model"
    found = {"reflectance": _raster(product, href, title)}
    for band, name in _common_names(product).items():
        found["reflectance"]["bands"][band]["eo:common_name"] = name
    found |= _beside(product, folder, "reflectance")
    for name, variable in COMPANIONS.items():
        if (other := product.companion(name)) is not None:
            where = href if product.is_shared else folder + other.path.name
            found[variable.asset] = _raster(other, where, variable.title)
            found |= {} if product.is_shared else _beside(other, folder, variable.asset)
    if (preview := thumbnail_of(product)) is not None:
        found["thumbnail"] = {
            "href": folder + preview.name,
            "type": "image/png",
            "title": f"{TITLE}, no photograph",
            "roles": ["thumbnail", "overview"],
            "proj:code": None,
            **file_facts(preview),
        }
    return found


def roles(product: Product) -> list[str]:
    """Of the asset that a product is; the last is its own, and a companion's name."""
    variable = OUTPUT_VARIABLES.get(product.variable, OUTPUT_VARIABLES["reflectance"])
    return ["data", variable.asset]


def _beside(product: Product, folder: str, role: str) -> dict[str, Asset]:
    """Files without which that of a product cannot be read."""
    laid_out = formats.of_driver(product.driver)
    beside = {} if laid_out is None else laid_out.beside(product.path)
    return {
        f"{role}-{kind}": {
            "href": folder + path.name,
            "type": _TYPES.get(path.suffix, "application/octet-stream"),
            "title": f"{kind.capitalize()} of {product.path.name}",
            "roles": ["metadata"],
            **file_facts(path),
        }
        for kind, path in beside.items()
        if path.exists()
    }


def _raster(product: Product, href: str, title: str) -> Asset:
    about: Asset = {"href": href, "title": title, "roles": roles(product)}
    if product.is_shared:
        about["hsi_xr:variable"] = product.variable
    return {**about, **facts(product), **file_facts(product.path)}


def facts(product: Product) -> Asset:
    """What an asset says of its pixels, and their file of itself."""
    laid_out = formats.of_driver(product.driver)
    found: Asset = {
        "type": None if laid_out is None else laid_out.media_type(product.path),
        "data_type": product.dtype,
        "nodata": _nodata(product.nodata),
        "unit": product.unit,
        "raster:scale": product.scale,
        "raster:offset": product.offset,
        "raster:sampling": product.sampling,
        **_projection(product),
        "bands": _bands(product),
    }
    return {key: value for key, value in found.items() if value is not None}


def file_facts(path: Path) -> Asset:
    """Size and checksum of a file, which is read for it; of a folder nothing."""
    if not path.is_file() or path.name.endswith(CHANGING):
        return {}
    return {"file:size": path.stat().st_size, "file:checksum": multihash(path)}


def _projection(product: Product) -> Asset:
    if product.crs is None:
        return {"proj:shape": list(product.shape)}
    return {
        "raster:spatial_resolution": ground_resolution(
            product.transform, product.shape, product.crs
        ),
        "proj:shape": list(product.shape),
        "proj:transform": list(product.transform)[:6],
        "proj:bbox": list(grid.bounds(product.transform, product.shape)),
    }


def _bands(product: Product) -> list[Asset]:
    digits = max(2, len(str(len(product.descriptions))))
    told = zip(product.descriptions, product.centres, product.widths)
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
        for number, (description, centre, width) in enumerate(told, start=1)
    ]


def _common_names(product: Product) -> dict[int, str]:
    """Index of band -> red, green or blue."""
    centres = {index: centre for index, centre in enumerate(product.centres) if centre}
    names = {}
    for name, wavelength in _COMMON_NAMES.items():
        band = min(centres, key=lambda index: abs(centres[index] - wavelength), default=None)
        if band is not None and abs(centres[band] - wavelength) <= _NEAR:
            names[band] = name
    return names


def _nodata(value: float | None) -> float | int | str | None:
    if value is None or math.isfinite(value):
        return int(value) if value is not None and value == int(value) else value
    return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
