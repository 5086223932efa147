"""Files, items, collections and folders of them: what is wrong."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hsi_xr.errors import InvalidData, UnreadableFile, UsageError
from hsi_xr.io.remote import file_of, is_remote, reaching, without_query
from hsi_xr.io.stores import driver_of
from hsi_xr.stac.validate.collection_checks import check_collection
from hsi_xr.stac.validate.document import Document, exists
from hsi_xr.stac.validate.findings import Fault, Finding, Inspection, fault_of
from hsi_xr.stac.validate.folders import files_in
from hsi_xr.stac.validate.item_checks import check_item
from hsi_xr.stac.validate.object_checks import check_object, read
from hsi_xr.stac.validate.product_checks import RASTERS, is_of_others, variables_of, wrong_with

_MODEL = "Model"
"""An item that describes no product."""


def validate(
    path: str | os.PathLike[str],
    *,
    schemas: str | os.PathLike[str] | None = None,
    report: Callable[[Finding], None] | None = None,
) -> Inspection:
    """Say what is wrong with a product, a STAC item, a collection, or a folder of them.

    Files are held against what items say of them, checksums against bytes, links against what they
    lead to; wavelengths must ascend and be plausible. Nothing is fetched of which the place is not
    told relative to `path`: files elsewhere, and schemas of extensions that are not in `schemas`,
    are named in `unseen`.

    Args:
        path: A product in any format, a JSON file, or a folder, which is searched throughout; here,
            or as a URL (`https://` of a file, `s3://` also of a folder).
        schemas: Folder with the schemas of STAC extensions, as `<name>-v<version>.json`.
        report: Is told each finding when it is found.

    Returns:
        What was found, in `findings`; none where all is right.

    Raises:
        UnreadableFile: There is no such file, or it may not be read.
        UsageError: It is a folder of a web server, `schemas` holds none, or what reads or reaches
            the file is not installed.
    """
    seen = Inspection(Path(schemas) if schemas is not None else None, report)
    place = file_of(path)
    name = without_query(str(place))
    with reaching(name, "look at") if is_remote(name) else _permitted():
        is_folder = driver_of(str(place)) is None and _is_folder(place)
        if not exists(place):
            raise UnreadableFile(f"{name!r} does not exist; check the path")
        if is_folder:
            _check_folder(place, seen)
        else:
            _check_file(place, seen)
    return seen


@contextmanager
def _permitted() -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise UnreadableFile(
            f"{error.filename!r} may not be read ({error.strerror}); run this as somebody who may"
        ) from error


def _is_folder(place: Path) -> bool:
    """Web servers do not tell what lies in a folder, and fsspec would take pages for lists.

    Raises:
        UsageError: It is a folder of a web server.
    """
    name = without_query(str(place))
    if not name.startswith(("http://", "https://")):
        return place.is_dir()
    if not name.lower().endswith((".json", *RASTERS)):
        raise UsageError(
            f"{name!r} is no file, and a web server does not tell what lies in a folder; give the "
            "URL of a collection.json, an item or a product"
        )
    return False


def _check_folder(folder: Path, seen: Inspection) -> None:
    """Collections first, so that what they lead to is looked at as a part of them."""
    files = list(files_in(folder))
    kinds = {path: _kind(path, seen) for path in files if path.suffix == ".json"}
    stac = [path for path, kind in kinds.items() if kind is not None]
    described = not {*kinds.values()} <= {None, _MODEL}
    for path in sorted(stac, key=lambda each: kinds[each] != "Collection"):
        if seen.is_new(path):
            _check_file(path, seen)
    for path in files:
        if path.suffix.lower() in RASTERS and seen.is_new(path):
            _check_left_over(path, seen, described=described)
    if not seen.looked and not seen.findings:
        seen.tell(folder, Fault("it holds no product and no STAC item", "give another folder"))


def _check_left_over(path: Path, seen: Inspection, *, described: bool) -> None:
    """A raster that no item has led to, in a folder whose products are described or are not."""
    if ".part." in path.name:
        repair = "resume that (`--resume`), or remove it"
        seen.tell(path, Fault("it is left from a run that did not end", repair))
    elif is_of_others(path):
        seen.unseen.add(f"{without_query(str(path))}, which hsi_xr did not make")
    else:
        if described:
            repair = "describe it (`hsi_xr.describe`), or move it elsewhere"
            seen.tell(path, Fault("no item in this folder describes it", repair))
        _check_product(path, seen)


def _kind(path: Path, seen: Inspection) -> str | None:
    """`Feature`, `Collection`, ... of STAC, a model's item apart; None of other JSON.

    Broken JSON is told of.
    """
    if not exists(path):
        return None  # a link to nothing
    try:
        found = Document.read(path)
    except InvalidData:
        seen.first(path)
        read(path, seen)
        return None
    if not found.is_stac:
        return None
    return _MODEL if found.is_model else str(found.kind)


def _check_file(path: Path, seen: Inspection) -> None:
    if without_query(str(path)).endswith(".json"):
        document = read(path, seen)
        if document is not None:
            _check_stac(document, seen)
    else:
        _check_product(path, seen)


def _check_stac(stac: Document, seen: Inspection) -> None:
    seen.first(stac.path)
    if stac.kind == "Collection":
        check_collection(stac, seen)
    elif stac.kind == "Feature":
        check_item(stac, seen)
    else:
        check_object(stac, seen)


def _check_product(path: Path, seen: Inspection) -> None:
    try:
        for variable in variables_of(path):
            seen.first(path, variable or "")
            for fault in wrong_with(path, variable):
                seen.tell(path, fault)
    except InvalidData as error:
        seen.first(path)
        seen.tell(path, fault_of(error, path))
