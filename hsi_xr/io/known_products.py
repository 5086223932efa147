"""Products whose values have a documented meaning, and how they are recognised from files.

Sources:
    Sentinel-2 L2A: Copernicus SentiWiki, "S2 Products", https://sentiwiki.copernicus.eu/web/s2-products:
        reflectance is (value + BOA_ADD_OFFSET) / QUANTIFICATION_VALUE, 10,000; the offset is -1000
        since processing baseline 04.00, and products before it have none. "Naming Convention": the
        baseline is the field Nxxyy of a product's name.
    Sentinel-2 TCI: ESA, "Sentinel-2 MSI User Guide", "Definitions", on the TCI,
        https://sentinel.esa.int/web/sentinel/user-guides/sentinel-2-msi/definitions: values from 1
        to 255 code reflectance, 0 is nodata, and 255 is a reflectance of 0.3558 in L1C products and
        0.2 in L2A products. Neither the rounding nor the role of the offset is stated.
    Landsat: USGS, "How do I use a scale factor with Landsat Level-2 science products?",
        https://www.usgs.gov/faqs/how-do-i-use-a-scale-factor-landsat-level-2-science-products.
    Planet: Planet Support, "How is the Surface Reflectance product provided?",
        https://support.planet.com/hc/en-us/articles/115013886368.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class KnownProduct:
    """Reflectance as a product stores it: scale * stored value + offset."""

    name: str
    dtype: str
    scale: float
    offset: float = 0.0


_TABLE = (
    KnownProduct("sentinel-2-l2a-offset", "uint16", 1e-4, -0.1),
    KnownProduct("sentinel-2-l2a-harmonized", "uint16", 1e-4),
    KnownProduct("sentinel-2-l2a-tci", "uint8", 0.2 / 255),
    KnownProduct("sentinel-2-l1c-tci", "uint8", 0.3558 / 255),
    KnownProduct("landsat-c2-sr", "uint16", 2.75e-5, -0.2),
    KnownProduct("planet-sr", "uint16", 1e-4),
)
PRODUCTS = {product.name: product for product in _TABLE}

AMBIGUOUS = {
    "sentinel-2-l2a": ("sentinel-2-l2a-offset", "sentinel-2-l2a-harmonized"),
    "sentinel-2-tci": ("sentinel-2-l2a-tci", "sentinel-2-l1c-tci"),
}
"""Names that several products share; metadata may state which of them applies."""

NAMES = (*PRODUCTS, *AMBIGUOUS)
"""All names that may be given."""

BASELINE = "s2:processing_baseline"
"""Property of STAC items of Sentinel-2."""

_TCI = re.compile(r"(^|_)TCI(_(?P<metres>\d0)m)?\.(tiff?|jp2|vrt)$", re.IGNORECASE)
_LEVEL = re.compile(r"(?<![A-Z0-9])(MSI)?(?P<level>L1C|L2A)(?![A-Z0-9])", re.IGNORECASE)
_PRODUCT_BASELINE = re.compile(r"_MSIL2A_\d{8}T\d{6}_N(\d{2})(\d{2})_")
_FIRST_WITH_OFFSET = 4.0


def product_of_file(path: str, tags: Mapping[str, str]) -> str | None:
    """Returns the name of the product that a file is part of, if its name or metadata state it.

    Args:
        path: Path or URL, without a query.
        tags: Metadata of the file in the default domain.
    """
    name = re.split(r"[/\\]", path)[-1]
    if match := _TCI.search(name):
        level = _LEVEL.search(path.replace("-", "_").replace("_", "/"))
        if level:
            return f"sentinel-2-{level['level'].lower()}-tci"
        return "sentinel-2-l2a-tci" if match["metres"] else "sentinel-2-tci"
    in_name = _PRODUCT_BASELINE.search(path)
    if in_name and not tags.get("PROCESSING_BASELINE"):
        return _l2a(".".join(in_name.groups()))
    if "2A" in tags.get("PROCESSING_LEVEL", "") or in_name:
        return _l2a(tags.get("PROCESSING_BASELINE"))
    return None


def product_of_item(
    properties: Mapping[str, Any], asset: Mapping[str, Any], *, offset_applied: bool
) -> str | None:
    """Returns the name of the product that an asset of a STAC item is part of, if it is stated.

    Args:
        properties: Properties of the item.
        asset: The asset.
        offset_applied: True if the offset has already been added to the stored values.
    """
    baseline = properties.get(BASELINE)
    is_sentinel = baseline is not None or "s2:product_type" in properties
    if not is_sentinel:
        return None
    level = _level_of_item(properties)
    path = str(asset.get("href", "")).partition("?")[0]
    if str(asset.get("title", "")).lower().startswith("true color") or _TCI.search(path):
        return f"sentinel-2-{level}-tci" if level else product_of_file(path, {}) or "sentinel-2-tci"
    if level == "l1c":
        return None
    return "sentinel-2-l2a-harmonized" if offset_applied else _l2a(baseline)


def _level_of_item(properties: Mapping[str, Any]) -> str | None:
    """Returns the processing level of an item of Sentinel-2: `l1c`, `l2a` or None."""
    kind = str(properties.get("s2:product_type", "")) + str(properties.get("s2:product_uri", ""))
    return "l1c" if "1C" in kind else "l2a" if "2A" in kind else None


def _l2a(baseline: object) -> str | None:
    """Returns the name of L2A products of a processing baseline such as `04.00`."""
    try:
        has_offset = float(str(baseline)) >= _FIRST_WITH_OFFSET
    except ValueError:
        return None
    return "sentinel-2-l2a-offset" if has_offset else "sentinel-2-l2a-harmonized"
