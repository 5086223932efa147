"""Checks of a collection: itself, its items, and its summary of them."""

from pathlib import Path

from hsi_xr.errors import InvalidData
from hsi_xr.stac.collection import extent, summaries
from hsi_xr.stac.document import Document, exists, is_external, mapping
from hsi_xr.stac.validate.findings import Inspection, as_json, difference, short
from hsi_xr.stac.validate.item_checks import check_item
from hsi_xr.stac.validate.object_checks import (
    FIX_COLLECTION,
    FIX_LINK,
    check_object,
    read,
    time_faults,
)
from hsi_xr.stac.validate.schemas import violations


def check_collection(collection: Document, inspection: Inspection) -> None:
    """Checks a collection and its items, and that it summarises them correctly."""
    is_valid = check_object(collection, inspection)
    links = [link for link in collection.links if link.rel == "item"]
    linked = [_check_linked(collection, link.href, inspection) for link in links]
    items = [item for item in linked if item is not None]
    if is_valid and items and len(items) == len(links):
        _compare(collection, items, inspection)


def _check_linked(collection: Document, href: str, inspection: Inspection) -> Document | None:
    """Checks a local item of a collection, and returns it; None if it is missing or invalid."""
    try:
        path = None if is_external(href) else collection.target(href)
    except ValueError:
        return None
    if path is None or not exists(path):
        return None
    if inspection.visit(path):
        item = read(path, inspection)
        is_valid = item is not None and check_item(item, inspection)
    else:
        item = _read_again(path)
        is_valid = item is not None and _is_valid(item, inspection.schemas)
    if item is not None and item.kind != "Feature":
        what = f"its link 'item' refers to {short(href)}, which is not an item"
        inspection.add(collection.path, what, FIX_LINK)
        return None
    if item is not None:
        _check_membership(item, collection, inspection)
    return item if is_valid else None


def _read_again(path: Path) -> Document | None:
    try:
        return Document.read(path)
    except InvalidData:
        return None


def _is_valid(item: Document, schemas: Path | None) -> bool:
    return not violations(item.json, schemas) and not any(time_faults(item.properties))


def _check_membership(item: Document, collection: Document, inspection: Inspection) -> None:
    stated, actual = item.json.get("collection"), collection.json.get("id")
    if stated != actual:
        what = f"its collection is {short(stated)}, but it is an item of {short(actual)}"
        inspection.add(item.path, what, f"set it to {short(actual)}")
    if not any(link.rel == "collection" for link in item.links):
        what = "it has no link to its collection, which STAC requires"
        inspection.add(item.path, what, 'add a link with rel "collection"')


def _compare(collection: Document, items: list[Document], inspection: Inspection) -> None:
    """Checks extent and summaries, as far as the collection has them."""
    contents = [item.json for item in items]
    actual = {"extent": extent(contents), **summaries(contents)}
    stated = {"extent": collection.json.get("extent"), **mapping(collection.json.get("summaries"))}
    for key, value in actual.items():
        found = difference(stated[key], as_json(value), key) if key in stated else None
        if found is not None:
            place, ours, theirs = found
            what = f"{place} is {short(ours)} in the collection, but {short(theirs)} in its items"
            inspection.add(collection.path, what, FIX_COLLECTION)
