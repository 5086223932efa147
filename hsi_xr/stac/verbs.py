"""Files, items, collections and folders of them: what is wrong."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hsi_xr.errors import UnreadableFile, UsageError
from hsi_xr.raster.remote import is_remote
from hsi_xr.stac.collection import extent, summaries
from hsi_xr.stac.inspection import Inspection, is_elsewhere, local, short
from hsi_xr.stac.items import check_item, check_object
from hsi_xr.stac.rasters import wrong_with

RASTERS = (".tif", ".tiff")
COLLECTION = "collection.json"


def validate(
    path: str | os.PathLike[str], *, schemas: str | os.PathLike[str] | None = None
) -> Inspection:
    """Say what is wrong with a product, a STAC item, a collection, or a folder of them.

    Files are held against what items say of them, checksums against bytes, links against the disk;
    wavelengths must ascend and be plausible. Nothing is fetched: files elsewhere, and schemas of
    extensions that are not in `schemas`, are named in `unseen`.

    Args:
        path: A GeoTIFF, a JSON file, or a folder, which is searched throughout.
        schemas: Folder with the schemas of STAC extensions, as `<name>-v<version>.json`.

    Returns:
        What was found, in `findings`; none where all is right.

    Raises:
        UnreadableFile: There is no such file.
        UsageError: It is in object storage.
    """
    if is_remote(str(path)):
        raise UsageError(
            f"{str(path)!r} is not on this machine; get a copy of it, and validate that"
        )
    path, seen = Path(path), Inspection(Path(schemas) if schemas is not None else None)
    if not path.exists():
        raise UnreadableFile(f"{str(path)!r} does not exist; check the path")
    if path.is_dir():
        _check_folder(path, seen)
    else:
        _check_file(path, seen)
    return seen


def _check_folder(folder: Path, seen: Inspection) -> None:
    """The collection first, so that what it leads to is looked at as a part of it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    stac = [path for path in files if path.suffix == ".json" and _kind(path)]
    for path in sorted(stac, key=lambda each: (_kind(each) != "Collection", each)):
        _check_file(path, seen)
    rasters = [path for path in files if path.suffix.lower() in RASTERS]
    for path in rasters:
        if ".part." in path.name:
            seen.tell(path, "it is left from a run that did not end; resume that, or remove it")
        elif path.resolve() not in seen.looked:
            if stac:
                seen.tell(path, "no item in this folder describes it")
            _check_file(path, seen)
    if not stac and not rasters:
        seen.tell(folder, "it holds no GeoTIFF and no STAC item")


def _check_file(path: Path, seen: Inspection) -> None:
    if not seen.first(path):
        return
    if path.suffix == ".json":
        if _kind(path) == "Collection":
            _check_collection(path, seen)
        else:
            check_item(path, seen)
        return
    for wrong in wrong_with(path):
        seen.tell(path, wrong)


def _kind(path: Path) -> str | None:
    """`Feature` or `Collection` of STAC; None of any other JSON."""
    import json

    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    is_stac = isinstance(found, dict) and "stac_version" in found
    return str(found.get("type")) if is_stac else None


def _check_collection(path: Path, seen: Inspection) -> None:
    """The collection itself, then each of its items, then what it says of all of them."""
    about = seen.read(path)
    check_object(path, about, seen)
    items, complete = [], True
    for link in about.get("links", ()):
        if link.get("rel") != "item":
            continue
        file = None if is_elsewhere(link["href"]) else local(path.parent, link["href"])
        if file is None or not file.exists():
            complete = False  # told with the links
            continue
        item = check_item(file, seen) if seen.first(file) else seen.read(file)
        complete &= bool(item)
        items.append(item)
        if item and item.get("collection") != about.get("id"):
            seen.tell(
                file,
                f"its collection is {short(item.get('collection'))}, and it is an item of "
                f"{short(about.get('id'))}",
            )
    if items and complete:
        _compare(path, about, items, seen)


def _compare(
    path: Path, about: Mapping[str, Any], items: list[Mapping[str, Any]], seen: Inspection
) -> None:
    """What a collection tells of its items, where it does."""
    try:
        found = {"extent": extent(items), **summaries(items)}
    except (KeyError, TypeError, AttributeError):
        return  # an item is none, which is told
    told = {"extent": about.get("extent"), **about.get("summaries", {})}
    for key, value in found.items():
        if key in told and told[key] != value:
            seen.tell(path, f"{key} is {short(told[key])} there and {short(value)} of its items")
