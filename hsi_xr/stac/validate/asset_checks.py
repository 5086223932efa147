"""What is wrong with an asset: with its file, and with what the item says of that."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hsi_xr.errors import InvalidData, UnknownName
from hsi_xr.io.cube_file import Product
from hsi_xr.io.stores import driver_of
from hsi_xr.stac.checksums import algorithm, multihash
from hsi_xr.stac.footprint import footprint
from hsi_xr.stac.item import properties
from hsi_xr.stac.item_assets import CHANGING, facts, roles
from hsi_xr.stac.validate.band_checks import implausible, nm
from hsi_xr.stac.validate.document import (
    Document,
    Json,
    bands_of,
    difference,
    plain,
    sequence,
    short,
)
from hsi_xr.stac.validate.findings import Fault, Inspection, fault_of
from hsi_xr.stac.validate.object_checks import BY_SPECIFICATION, REFER, leading
from hsi_xr.stac.validate.product_checks import wrong_with
from hsi_xr.stac.validate.time_checks import canonical
from hsi_xr.times import stac_times

ANEW = "describe the file anew (`hsi_xr.describe`), or get back the one that was described"
_CENTRE, _WIDTH = "eo:center_wavelength", "eo:full_width_half_max"
_WORDS = ("processing:lineage",)
"""Properties that another version of this package may word otherwise."""
_MEDIA = {".png": "image/png", ".hdr": "text/plain", ".xml": "application/xml"}
"""Of files beside a product."""


def check_asset(item: Document, name: str, asset: Json, seen: Inspection) -> None:
    what = f"its asset {name!r}"
    for fault in _wrong_bands(what, asset, named_only=item.is_model):
        seen.tell(item.path, fault)
    file = _file(item, what, asset, seen)
    if file is None:
        return
    variable = asset.get("hsi_xr:variable")
    part = variable if isinstance(variable, str) else None
    first = seen.first(file, part or "")
    intact = first and file.is_file() and _are_same_bytes(item, what, asset, file, seen)
    if not item.is_made_here:
        return
    if file.suffix in _MEDIA:
        if (kind := asset.get("type")) != _MEDIA[file.suffix]:
            text = f"{what} is {short(kind)} by the item, and {_MEDIA[file.suffix]} by its name"
            seen.tell(item.path, Fault(text, BY_SPECIFICATION))
        return
    for fault in wrong_with(file, part, pixels=not intact) if first else ():
        seen.tell(file, fault)
    _compare(item, name, asset, file, part, seen)


def _file(item: Document, what: str, asset: Json, seen: Inspection) -> Path | None:
    """The file or the store of an asset, if it is here."""
    href = asset.get("href")
    file = leading(item, href, what, seen) if isinstance(href, str) else None
    if file is not None and driver_of(str(file)) is None and not file.is_file():
        seen.tell(item.path, Fault(f"{what} leads to {short(href)}, which is no file", REFER))
        return None
    return file


def _wrong_bands(what: str, asset: Json, *, named_only: bool) -> Iterator[Fault]:
    """Names; and wavelengths, unless they are of a model, whose inputs are bands, too."""
    bands = bands_of(asset)
    names = [str(band.get("name")) for band in bands]
    if len({*names}) < len(names):
        yield Fault(f"{what} has bands of one name", "number them, e.g. B01, B02")
    told = [[band.get(key) for band in bands] for key in (_CENTRE, _WIDTH)]
    texts = [each for each in [*told[0], *told[1]] if not isinstance(each, int | float | None)]
    if texts:
        yield Fault(f"{what} has a wavelength {short(texts[0])}", "STAC has numbers, in um")
    elif not named_only and any(each is not None for each in told[0]):
        for wrong in implausible(*([nm(each) for each in lengths] for lengths in told)):
            yield Fault(f"{what}: {wrong}", "STAC has um, in the order of the file's bands")


def _are_same_bytes(item: Document, what: str, asset: Json, file: Path, seen: Inspection) -> bool:
    """Whether a checksum says that the file is the one that was described."""
    size, told = asset.get("file:size"), asset.get("file:checksum")
    found = file.stat().st_size
    if size is not None and size != found:
        text = f"{what} has {short(size)} bytes by the item, and {found} in fact"
        seen.tell(item.path, Fault(text, ANEW))
        return False
    if told is None:
        if item.is_made_here and not file.name.endswith(CHANGING):
            seen.tell(item.path, Fault(f"{what} has no file:checksum", ANEW))
        return False
    known = algorithm(told)
    if known is None and item.is_made_here:
        text = f"{what} has {short(told)} for a checksum, which is no multihash of SHA-256"
        seen.tell(item.path, Fault(text, ANEW))
        return False
    if known is None:
        seen.unseen.add(f"the checksum {short(told)} of {file.name}, whose algorithm is not known")
        return False
    try:
        is_same = multihash(file, known) == told
    except PermissionError as error:
        text = f"{what} may not be read ({error.strerror})"
        seen.tell(item.path, Fault(text, "run this as somebody who may"))
        return False
    if not is_same:
        text = f"{what} has other bytes than those that the item was written of (file:checksum)"
        seen.tell(item.path, Fault(text, ANEW))
    return is_same


def _compare(
    item: Document, name: str, asset: Json, file: Path, variable: str | None, seen: Inspection
) -> None:
    """An item against what its file says of itself."""
    try:
        product = Product.read(file, variable)
    except (InvalidData, UnknownName):
        return  # told already
    for key, value in facts(product).items():
        stated = asset.get(key)
        if key == "bands":
            stated, value = _first_difference(bands_of(asset), value)
        if stated != value:
            seen.tell(item.path, _differs(f"its asset {name!r}: {key}", stated, value))
    if absent := [role for role in roles(product) if role not in sequence(asset.get("roles"))]:
        text = f"its asset {name!r} is not of the role {absent[0]!r}"
        seen.tell(item.path, Fault(text, BY_SPECIFICATION))
    if name == "reflectance":
        _compare_item(item, product, seen)


def _compare_item(item: Document, product: Product, seen: Inspection) -> None:
    try:
        found = _outline(product)
    except InvalidData as error:
        seen.tell(product.path, fault_of(error, product.path))
        return
    stated = {**item.properties, **{key: item.json.get(key) for key in found}}
    if product.acquired is not None:
        times = stac_times(product.acquired)
        found |= times
        stated |= {key: canonical(stated.get(key)) for key in times}
    found |= {key: each for key, each in properties(product).items() if key not in _WORDS}
    for key, value in found.items():
        if (unlike := difference(stated.get(key), plain(value), key)) is not None:
            seen.tell(item.path, _differs(*unlike))


def _outline(product: Product) -> dict[str, Any]:
    found: tuple[Any, Any] = (None, None)
    if product.crs is not None:
        found = footprint(product.transform, product.shape, product.crs)
    return dict(zip(("geometry", "bbox"), found))


def _first_difference(stated: list[Json], found: list[dict[str, Any]]) -> tuple[Any, Any]:
    """The first band that differs, by what a file knows; common names are the item's choice."""
    bare = [{key: each for key, each in b.items() if key != "eo:common_name"} for b in stated]
    if len(bare) != len(found):
        return f"{len(bare)} bands", f"{len(found)} bands"
    return next(((a, b) for a, b in zip(bare, found) if a != b), (None, None))


def _differs(what: str, stated: Any, found: Any) -> Fault:
    return Fault(f"{what} is {short(stated)} in the item and {short(found)} in the file", ANEW)
