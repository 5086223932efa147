"""Validation of products, STAC items and collections, and of folders with them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hsi_xr.errors import InvalidData, UnreadableFile, UsageError
from hsi_xr.io.remote import file_of, is_remote, store_access, without_query
from hsi_xr.io.stores import store_driver
from hsi_xr.stac.document import Document, exists
from hsi_xr.stac.validate.collection_checks import check_collection
from hsi_xr.stac.validate.findings import Finding, Inspection, fault_of
from hsi_xr.stac.validate.item_checks import check_item
from hsi_xr.stac.validate.object_checks import check_object, read
from hsi_xr.stac.validate.product_checks import (
    RASTERS,
    is_foreign,
    product_faults,
    variables_of,
)

_MODEL = "Model"
"""Kind of an item that describes a model instead of a product."""


def validate(
    path: str | os.PathLike[str],
    *,
    schemas: str | os.PathLike[str] | None = None,
    report: Callable[[Finding], None] | None = None,
) -> Inspection:
    """Finds what is wrong with a product, a STAC item, a collection, or a folder of them.

    Items are compared with their files, checksums with the bytes, collections with their items and
    links with what they refer to. Wavelengths must ascend and be plausible; pixels that no checksum
    proves intact are decoded. Nothing is downloaded unless `path` is itself a URL: files elsewhere,
    and extensions without a schema in `schemas`, are listed in `unseen` instead.

    Args:
        path: A product in any format, a JSON file, or a folder, which is searched recursively.
            Local, or a URL: `https://` of a file, `s3://` of a file or a folder.
        schemas: Folder with schemas of STAC extensions, as `<name>-v<version>.json`.
        report: Called with each finding as it is made.

    Returns:
        An inspection. Its `findings` are empty if everything is valid.

    Raises:
        UnreadableFile: The file does not exist, or there is no permission to read it.
        UsageError: The URL is a folder on a web server, `schemas` contains no schema, or the
            package that reads or reaches the file is not installed.
    """
    inspection = Inspection(Path(schemas) if schemas is not None else None, report)
    target = file_of(path)
    name = without_query(str(target))
    with store_access(name, "read") if is_remote(name) else _permission_errors():
        is_folder = store_driver(str(target)) is None and _is_folder(target)
        if not exists(target):
            raise UnreadableFile(f"{name!r} does not exist; check the path")
        if is_folder:
            _check_folder(target, inspection)
        else:
            _check_file(target, inspection)
    return inspection


@contextmanager
def _permission_errors() -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise UnreadableFile(
            f"{error.filename!r} cannot be read ({error.strerror}); grant permission to read it"
        ) from error


def _is_folder(path: Path) -> bool:
    """True if a path is a folder. Web servers do not list folders, whatever fsspec makes of them.

    Raises:
        UsageError: The URL is a folder on a web server.
    """
    name = without_query(str(path))
    if not name.startswith(("http://", "https://")):
        return path.is_dir()
    if not name.lower().endswith((".json", *RASTERS)):
        raise UsageError(
            f"{name!r} is not a file, and web servers do not list folders; give the URL of a "
            "collection.json, an item or a product"
        )
    return False


def _check_folder(folder: Path, inspection: Inspection) -> None:
    """Checks a folder, collections first, so that items are checked as members of them."""
    files = list(_files_in(folder))
    kinds = {path: _kind(path, inspection) for path in files if path.suffix == ".json"}
    stac = [path for path, kind in kinds.items() if kind is not None]
    has_items = not {*kinds.values()} <= {None, _MODEL}
    for path in sorted(stac, key=lambda path: kinds[path] != "Collection"):
        if inspection.is_new(path):
            _check_file(path, inspection)
    for path in files:
        if _is_unfinished(path):
            repair = "resume with --resume, or delete it"
            inspection.add(path, "it was left by an unfinished run", repair)
        elif path.suffix.lower() in RASTERS and inspection.is_new(path):
            _check_undescribed(path, inspection, has_items=has_items)
    if not inspection.looked and not inspection.findings:
        nothing = "it contains neither products nor STAC objects"
        inspection.add(folder, nothing, "give another folder")


def _files_in(folder: Path) -> Iterator[Path]:
    """Yields files, stores and staging folders; symbolic links to folders are not followed."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink() and path.is_dir():
            continue
        if path.is_dir() and store_driver(str(path)) is None and not _is_unfinished(path):
            yield from _files_in(path)
        else:
            yield path


def _is_unfinished(path: Path) -> bool:
    """True for staging folders and temporary files: `cube.tif.part`, `mosaic.part.vrt`."""
    return path.suffix == ".part" or ".part." in path.name


def _check_undescribed(path: Path, inspection: Inspection, *, has_items: bool) -> None:
    """Checks a raster to which no item refers, which is a fault if other products have items."""
    if is_foreign(path):
        inspection.unseen.add(f"{without_query(str(path))}, which hsi_xr did not write")
    else:
        if has_items:
            repair = "describe it with `hsi_xr.describe`, or move it elsewhere"
            inspection.add(path, "no item in this folder describes it", repair)
        _check_product(path, inspection)


def _kind(path: Path, inspection: Inspection) -> str | None:
    """Returns the type of a STAC object, `Model` for the item of a model; None for other JSON.

    JSON that cannot be read is reported.
    """
    if not exists(path):
        return None  # a dangling symbolic link
    try:
        document = Document.read(path)
    except InvalidData:
        inspection.visit(path)
        read(path, inspection)
        return None
    if not document.is_stac:
        return None
    return _MODEL if document.is_model else str(document.kind)


def _check_file(path: Path, inspection: Inspection) -> None:
    if without_query(str(path)).endswith(".json"):
        document = read(path, inspection)
        if document is not None:
            _check_stac(document, inspection)
    else:
        _check_product(path, inspection)


def _check_stac(stac: Document, inspection: Inspection) -> None:
    inspection.visit(stac.path)
    if stac.kind == "Collection":
        check_collection(stac, inspection)
    elif stac.kind == "Feature":
        check_item(stac, inspection)
    else:
        check_object(stac, inspection)


def _check_product(path: Path, inspection: Inspection) -> None:
    try:
        for variable in variables_of(path):
            inspection.visit(path, variable or "")
            for fault in product_faults(path, variable):
                inspection.add(path, *fault)
    except InvalidData as error:
        inspection.visit(path)
        inspection.add(path, *fault_of(error, path))
