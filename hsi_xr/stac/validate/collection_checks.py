"""What is wrong with a collection: with itself, its items, and what it says of them."""

from pathlib import Path

from hsi_xr.errors import InvalidData
from hsi_xr.stac.collection import extent, summaries
from hsi_xr.stac.validate.document import (
    Document,
    difference,
    exists,
    is_elsewhere,
    mapping,
    plain,
    short,
)
from hsi_xr.stac.validate.findings import Fault, Inspection
from hsi_xr.stac.validate.item_checks import check_item
from hsi_xr.stac.validate.object_checks import REFER, check_object, read
from hsi_xr.stac.validate.schemas import violations

_ANEW = "correct it; `hsi-xr convert --resume` writes its own collection anew"


def check_collection(collection: Document, seen: Inspection) -> None:
    """The collection itself, then each of its items, then what it says of all of them."""
    is_valid = check_object(collection, seen)
    links = [link for link in collection.links if link.rel == "item"]
    found = [_item(collection, link.href, seen) for link in links]
    items = [item for item in found if item is not None]
    for item in items:
        _check_member(item, collection, seen)
    if is_valid and items and len(items) == len(links):
        _compare(collection, items, seen)


def _item(collection: Document, href: str, seen: Inspection) -> Document | None:
    """An item that is here and as its schemas have it; what is wrong otherwise is told of it."""
    try:
        path = None if is_elsewhere(href) else collection.target(href)
    except ValueError:
        return None
    if path is None or not exists(path):
        return None
    if seen.first(path):
        item = read(path, seen)
        is_valid = item is not None and check_item(item, seen)
    else:
        item = _known(path)
        is_valid = item is not None and not violations(item.json)
    if item is not None and item.kind != "Feature":
        text = f"its link 'item' leads to {short(href)}, which is no item"
        seen.tell(collection.path, Fault(text, REFER))
        return None
    return item if is_valid else None


def _known(path: Path) -> Document | None:
    try:
        return Document.read(path)
    except InvalidData:
        return None


def _check_member(item: Document, collection: Document, seen: Inspection) -> None:
    told, own = item.json.get("collection"), collection.json.get("id")
    if told != own:
        text = f"its collection is {short(told)}, and it is an item of {short(own)}"
        seen.tell(item.path, Fault(text, f"make it {short(own)}"))
    if not any(link.rel == "collection" for link in item.links):
        text = "it has no link to its collection, which STAC wants of an item of one"
        seen.tell(item.path, Fault(text, 'add one of rel "collection"'))


def _compare(collection: Document, items: list[Document], seen: Inspection) -> None:
    """What a collection tells of its items, where it does."""
    of_all = [item.json for item in items]
    found = {"extent": extent(of_all), **summaries(of_all)}
    told = {"extent": collection.json.get("extent"), **mapping(collection.json.get("summaries"))}
    for key, value in found.items():
        unlike = difference(told[key], plain(value), key) if key in told else None
        if unlike is not None:
            place, stated, actual = unlike
            text = f"{place} is {short(stated)} there and {short(actual)} of its items"
            seen.tell(collection.path, Fault(text, _ANEW))
