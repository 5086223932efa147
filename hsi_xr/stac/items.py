"""What is wrong with a STAC item: against its schemas, its files, and what those say themselves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hsi_xr.errors import InvalidData
from hsi_xr.raster.assets import checksum, facts
from hsi_xr.raster.describe import properties
from hsi_xr.raster.footprint import footprint
from hsi_xr.raster.formats._tiff import MEDIA_TYPE as GEOTIFF
from hsi_xr.raster.product import Product
from hsi_xr.stac.inspection import Inspection, short
from hsi_xr.stac.rasters import wrong_with
from hsi_xr.stac.schemas import unseen, violations
from hsi_xr.stac.spectrum import implausible, nm

Item = Mapping[str, Any]

_WORDS = ("processing:lineage",)
"""Properties that another version of this package may word otherwise."""


def check_item(path: Path, seen: Inspection) -> Item:
    """Look at an item and all that it leads to here; gives what it says."""
    item = seen.read(path)
    if not item:
        return item
    check_object(path, item, seen)
    for name, asset in item.get("assets", {}).items():
        _check_asset(path, name, asset, item, seen)
    if "mlm:name" in item.get("properties", {}):
        _check_model(path, item, seen)
    else:
        _check_expression(path, item, seen)
    return item


def check_object(path: Path, stac: Mapping[str, Any], seen: Inspection) -> None:
    """What items and collections have in common: schemas, and links that lead somewhere."""
    for violation in violations(stac, seen.schemas):
        seen.tell(path, violation)
    seen.unseen.update(unseen(stac, seen.schemas))
    for link in stac.get("links", ()):
        if isinstance(link, dict) and isinstance(link.get("href"), str):
            seen.here(path, link["href"], f"its link {link.get('rel')!r}")


def _check_asset(
    path: Path, name: str, asset: Mapping[str, Any], item: Item, seen: Inspection
) -> None:
    what = f"its asset {name!r}"
    bands = [band for band in asset.get("bands", ()) if isinstance(band, dict)]
    names = [band.get("name") for band in bands]
    if len({*names}) < len(names):
        seen.tell(path, f"{what} has bands of one name")
    centres = [nm(band.get("eo:center_wavelength")) for band in bands]
    if any(centres) and "mlm:name" not in item.get("properties", {}):  # there, colours are inputs
        widths = [nm(band.get("eo:full_width_half_max")) for band in bands]
        for wrong in implausible(centres, widths):
            seen.tell(path, f"{what}: {wrong}")
    file = seen.here(path, str(asset.get("href", "")), what)
    if file is None or file.is_dir() or not seen.first(file):
        return
    intact = _same_bytes(path, what, asset, file, seen)
    made_here = any(key.startswith("hsi_xr:") for key in item.get("properties", {}))
    if made_here and str(asset.get("type", "")).startswith(GEOTIFF):
        for wrong in wrong_with(file, cog=False, pixels=not intact):
            seen.tell(file, wrong)
        _compare(path, name, asset, item, file, seen)


def _same_bytes(
    path: Path, what: str, asset: Mapping[str, Any], file: Path, seen: Inspection
) -> bool:
    """Whether a checksum says that the file is the one that was described."""
    size, told = asset.get("file:size"), asset.get("file:checksum")
    if size is not None and size != file.stat().st_size:
        seen.tell(path, f"{what} has {size} bytes by the item, and {file.stat().st_size} in fact")
    if told is None or not str(told).startswith("1220"):
        return False
    if (found := checksum(file)) != told:
        seen.tell(path, f"{what} has the checksum {told} by the item, and {found} in fact")
        return False
    return True


def _compare(
    path: Path, name: str, asset: Mapping[str, Any], item: Item, file: Path, seen: Inspection
) -> None:
    """An item against what its file says of itself."""
    try:
        product = Product.read(file)
        found = facts(product)
    except InvalidData:
        return  # told already
    for key, value in found.items():
        stated = asset.get(key)
        if key == "bands":
            stated, value = _first_difference(stated, value)
        if not key.startswith("file:") and stated != value:
            seen.tell(path, _differs(f"its asset {name!r}: {key}", stated, value))
    if "reflectance" in asset.get("roles", ()):
        _compare_item(path, item, product, seen)


def _compare_item(path: Path, item: Item, product: Product, seen: Inspection) -> None:
    told = item.get("properties", {})
    for key, value in properties(product).items():
        if key not in _WORDS and told.get(key) != value:
            seen.tell(path, _differs(key, told.get(key), value))
    place: tuple[Any, Any] = (None, None)
    if product.crs is not None:
        place = footprint(product.transform, product.shape, product.crs)
    for key, value in zip(("geometry", "bbox"), place):
        if _plain(item.get(key)) != _plain(value):
            seen.tell(path, _differs(key, item.get(key), value))


def _first_difference(stated: Any, found: list[dict[str, Any]]) -> tuple[Any, Any]:
    """The first band that differs, by what a file knows; common names are the item's choice."""
    bare = [
        {key: value for key, value in band.items() if key != "eo:common_name"}
        for band in stated or ()
        if isinstance(band, dict)
    ]
    if len(bare) != len(found):
        return f"{len(bare)} bands", f"{len(found)} bands"
    return next(((a, b) for a, b in zip(bare, found) if a != b), (None, None))


def _differs(what: str, stated: Any, found: Any) -> str:
    return f"{what} is {short(stated)} in the item and {short(found)} in the file"


def _plain(value: Any) -> Any:
    """Tuples as lists, which is what JSON makes of them."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _check_expression(path: Path, item: Item, seen: Inspection) -> None:
    """Whether the model that an item names is described by an item, and is the one that it says."""
    told = item.get("properties", {})
    expression = told.get("processing:expression")
    if not isinstance(expression, dict) or expression.get("format") != "stac-mlm":
        return
    model = seen.here(path, str(expression.get("expression")), "its processing:expression")
    if model is None:
        return
    about = check_item(model, seen) if seen.first(model) else seen.read(model)
    sums = [asset.get("file:checksum") for asset in about.get("assets", {}).values()]
    if (weights := told.get("hsi_xr:model_sha256")) and f"1220{weights}" not in sums:
        seen.tell(path, f"its model has the sha256 {weights}, and {str(model)!r} describes another")


def _check_model(path: Path, item: Item, seen: Inspection) -> None:
    """Bands that inputs and outputs name must be described: the schema does not ask for it."""
    told = item["properties"]
    named = {band.get("name") for band in told.get("bands", ()) if isinstance(band, dict)}
    for key in ("mlm:input", "mlm:output"):
        used = [band for each in told.get(key, ()) for band in each.get("bands", ())]
        absent = [band for band in used if isinstance(band, str) and band not in named]
        if absent:
            seen.tell(path, f"{key} names {', '.join(absent[:5])}, which is none of its bands")
