"""Checks of an asset: that its file exists, is unchanged, and agrees with the item."""

from pathlib import Path

from hsi_xr.errors import InvalidData, UnknownName
from hsi_xr.io.cube_file import Product
from hsi_xr.io.stores import driver_of
from hsi_xr.stac.document import Document, Json, bands_of, sequence
from hsi_xr.stac.files import algorithm_of, multihash
from hsi_xr.stac.item import outline, properties
from hsi_xr.stac.item_assets import VOLATILE, raster_fields, roles
from hsi_xr.stac.validate.band_checks import asset_band_faults
from hsi_xr.stac.validate.findings import (
    Difference,
    Fault,
    Inspection,
    as_json,
    difference,
    fault_of,
    short,
)
from hsi_xr.stac.validate.object_checks import FIX_ITEM, FIX_LINK, follow, normalise_time
from hsi_xr.stac.validate.product_checks import product_faults
from hsi_xr.times import stac_times

REDESCRIBE = (
    "describe the file again with `hsi_xr.describe`, or restore the file that was described"
)
_REWORDED = ("processing:lineage",)
"""Properties whose wording depends on the version of this package."""
_MEDIA_TYPES = {".png": "image/png", ".hdr": "text/plain", ".xml": "application/xml"}
"""Media types of files other than rasters."""


def check_asset(item: Document, name: str, asset: Json, inspection: Inspection) -> None:
    """Check an asset, and its file if that is local."""
    what = f"its asset {name!r}"
    for fault in asset_band_faults(what, asset, named_only=item.is_model):
        inspection.add(item.path, *fault)
    file = _file(item, what, asset, inspection)
    if file is None:
        return
    variable = asset.get("hsi_xr:variable")
    part = variable if isinstance(variable, str) else None
    is_first = inspection.visit(file, part or "")
    is_intact = is_first and file.is_file() and _is_intact(item, what, asset, file, inspection)
    if not item.is_ours:
        return
    if file.suffix in _MEDIA_TYPES:
        stated, implied = asset.get("type"), _MEDIA_TYPES[file.suffix]
        if stated != implied:
            wrong = f"{what} has the type {short(stated)}, but its suffix implies {implied}"
            inspection.add(item.path, wrong, FIX_ITEM)
        return
    for fault in product_faults(file, part, pixels=not is_intact) if is_first else ():
        inspection.add(file, *fault)
    _compare(item, name, asset, file, part, inspection)


def _file(item: Document, what: str, asset: Json, inspection: Inspection) -> Path | None:
    """Returns the local file or store of an asset."""
    href = asset.get("href")
    file = follow(item, href, what, inspection) if isinstance(href, str) else None
    if file is not None and driver_of(str(file)) is None and not file.is_file():
        wrong = f"{what} refers to {short(href)}, which is not a file"
        inspection.add(item.path, wrong, FIX_LINK)
        return None
    return file


def _is_intact(item: Document, what: str, asset: Json, file: Path, inspection: Inspection) -> bool:
    """True if the checksum proves that the file is the one that was described."""
    size, checksum = asset.get("file:size"), asset.get("file:checksum")
    if size is not None and size != (actual := file.stat().st_size):
        inspection.add(item.path, *_differs(f"{what}: file:size", size, actual))
        return False
    if checksum is None:
        if item.is_ours and not file.name.endswith(VOLATILE):
            inspection.add(item.path, f"{what} has no file:checksum", REDESCRIBE)
        return False
    algorithm = algorithm_of(checksum)
    if algorithm is None:
        if item.is_ours:
            wrong = f"{what}: file:checksum {short(checksum)} is not a multihash of SHA-256"
            inspection.add(item.path, wrong, REDESCRIBE)
        else:
            inspection.unseen.add(f"checksum {short(checksum)} of {file.name}: unknown algorithm")
        return False
    try:
        is_same = multihash(file, algorithm) == checksum
    except PermissionError as error:
        wrong = f"{what} cannot be read ({error.strerror})"
        inspection.add(item.path, wrong, "grant permission to read it")
        return False
    if not is_same:
        inspection.add(item.path, f"{what} does not match its file:checksum", REDESCRIBE)
    return is_same


def _compare(
    item: Document, name: str, asset: Json, file: Path, variable: str | None, inspection: Inspection
) -> None:
    """Check that an asset agrees with its file; the main asset, also the item."""
    try:
        product = Product.read(file, variable)
    except (InvalidData, UnknownName):
        return  # reported by product_faults
    what = f"its asset {name!r}"
    fields = raster_fields(product)
    if (unlike := _band_difference(bands_of(asset), fields.pop("bands"))) is not None:
        inspection.add(item.path, *_differs(f"{what}: {unlike[0]}", *unlike[1:]))
    for key, value in fields.items():
        if (stated := asset.get(key)) != value:
            inspection.add(item.path, *_differs(f"{what}: {key}", stated, value))
    if missing := [role for role in roles(product) if role not in sequence(asset.get("roles"))]:
        inspection.add(item.path, f"{what} lacks the role {missing[0]!r}", FIX_ITEM)
    if name == "reflectance":
        _compare_item(item, product, inspection)


def _compare_item(item: Document, product: Product, inspection: Inspection) -> None:
    try:
        geometry, bbox = outline(product)
    except InvalidData as error:
        inspection.add(product.path, *fault_of(error, product.path))
        return
    actual: dict[str, object] = {"geometry": geometry, "bbox": bbox}
    stated = {**item.properties, **{key: item.json.get(key) for key in actual}}
    if product.acquired is not None:
        times = stac_times(product.acquired)
        actual |= times
        stated |= {key: normalise_time(stated.get(key)) or stated.get(key) for key in times}
    actual |= {key: value for key, value in properties(product).items() if key not in _REWORDED}
    for key, value in actual.items():
        if (found := difference(stated.get(key), as_json(value), key)) is not None:
            inspection.add(item.path, *_differs(*found))


def _band_difference(stated: list[Json], actual: list[dict[str, object]]) -> Difference | None:
    """Returns where bands first differ, except for common names, which files do not record."""
    bands = [{key: b[key] for key in b if key != "eo:common_name"} for b in stated]
    if len(bands) != len(actual):
        return "number of bands", len(bands), len(actual)
    return difference(bands, actual, "bands")


def _differs(what: str, stated: object, actual: object) -> Fault:
    return Fault(
        f"{what} is {short(stated)} in the item, but {short(actual)} in the file", REDESCRIBE
    )
