"""Directories, patterns, lists and STAC objects -> the pictures that they mean."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from glob import glob, has_magic
from pathlib import Path

from hsi_xr.batch.config import Failure, InputImage
from hsi_xr.batch.manifest import NAME
from hsi_xr.batch.stac_inputs import from_stac
from hsi_xr.checkpoints.model_folder import MODELS, file_name
from hsi_xr.errors import HsiError, UnreadableFile, UsageError
from hsi_xr.io.raster_dataset import open_raster_dataset
from hsi_xr.io.remote import is_remote, url_of
from hsi_xr.io.tags import is_product

RASTERS = (".tif", ".tiff", ".jp2", ".vrt")
"""The folder of a collection that holds no product."""
COLLECTION = "collection.json"
MOSAIC, SOURCES = "mosaic.vrt", "mosaic.part.vrt"
"""Over the products, and while a mosaic is converted over its pictures."""
STYLE, SURVEY = "mosaic.qml", "mosaic.survey"
"""Of the mosaic."""
VIRTUAL = (MOSAIC, SOURCES)
_OWN = (MODELS, COLLECTION, MOSAIC, SOURCES, STYLE, SURVEY, NAME)
"""What lies beside the folders of products."""

Found = InputImage | Failure


def find_images(
    sources: Sequence[str], *, asset: str | None = None, outside: Path | None = None
) -> tuple[list[InputImage], list[Failure]]:
    """All pictures of all sources, in order, and what leads to none.

    Args:
        sources: Files, URLs, folders (the rasters right in them), patterns such as
            `tiles/**/*.tif`, STAC collections, catalogues, items and lists of items (.json), and
            lists of all these (.txt, one a line).
        asset: The key of the asset of items; None takes the one that is a picture.
        outside: A folder for products, here or of object storage; those that lie in one here
            already are no pictures.

    Raises:
        UnreadableFile: A source is nothing, or holds no picture.
        UsageError: There is no source, two pictures would become products of one name, or one its
            own product.
    """
    if not sources:
        raise UsageError("no pictures are named; give files, folders, patterns or STAC items")
    found = [each for source in sources for each in _any(source, asset, outside)]
    good = _once([each for each in found if isinstance(each, InputImage)])
    _check_names(good)
    if outside is not None:
        _check_places(good, outside)
    return good, [each for each in found if isinstance(each, Failure)]


def _any(source: str, asset: str | None, outside: Path | None) -> list[Found]:
    found = [*_of(source, asset, outside)]
    if not found:
        raise UnreadableFile(f"{source!r} names no picture; give rasters, or STAC items of them")
    return found


def _of(source: str, asset: str | None, outside: Path | None) -> Iterable[Found]:
    path = Path(source)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in RASTERS)
        return _some(files, outside, f"the folder {source!r} has no {', '.join(RASTERS)} in it")
    if has_magic(source) and not path.exists() and "://" not in source:
        files = sorted(Path(file) for file in glob(source, recursive=True))
        return _some(files, outside, f"nothing is called {source!r}")
    ending = source.partition("?")[0].rpartition(".")[2].lower()
    if ending == "txt":
        return _listed(path, asset, outside)
    if ending in ("json", "geojson"):
        return from_stac(source, asset)
    return [InputImage(id=_name(source), href=source)]


def _some(files: Iterable[Path], outside: Path | None, nothing: str) -> list[Found]:
    kept = [file for file in files if outside is None or not _is_made(file, outside)]
    if not kept:
        raise UnreadableFile(f"{nothing}; give rasters, e.g. 'tiles/**/*.tif'")
    return [InputImage(id=_name(str(file)), href=str(file)) for file in kept]


def _is_made(file: Path, folder: Path) -> bool:
    """Whether a conversion into the folder has made it."""
    place = file.resolve()
    if is_remote(str(folder)) or folder.resolve() not in place.parents:
        return False
    if file.name in VIRTUAL:
        return place.parent == folder.resolve()
    try:
        with open_raster_dataset(str(file)) as src:
            return is_product(src.tags(ns="HSI_XR"))
    except HsiError:
        # where a conversion has been, a damaged product; else it is told of when it is read
        return (folder / NAME).exists() and place.parent.parent == folder.resolve()


def _listed(path: Path, asset: str | None, outside: Path | None) -> Iterator[Found]:
    """One source a line, relative to the list; a source that is nothing fails by itself."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(f"the list {str(path)!r} cannot be read ({error})") from error
    for line in map(str.strip, lines):
        if not line or line.startswith("#"):
            continue
        source = line if "://" in line or line.startswith("/") else str(path.parent / line)
        try:
            yield from _of(source, asset, outside)
        except HsiError as error:
            yield Failure(line, str(error))


def _name(href: str) -> str:
    return file_name(Path(href.partition("?")[0]).stem)


def _once(found: Sequence[InputImage]) -> list[InputImage]:
    """Without those that were named before, by a folder and by themselves for example."""
    first: dict[tuple[str | None, ...], InputImage] = {}
    for picture in found:
        first.setdefault((picture.id, _place(picture.href), picture.item), picture)
    return list(first.values())


def _place(href: str) -> str:
    return url_of(href).rstrip("/") if is_remote(href) else os.path.realpath(href)


def _check_places(found: Sequence[InputImage], folder: Path) -> None:
    """A product would replace the picture that it is made of."""
    for picture in found:
        if os.path.join(_place(str(folder)), picture.id) == os.path.dirname(_place(picture.href)):
            raise UsageError(
                f"{picture.href!r} lies where its product would go; choose another DST_DIR"
            )


def _check_names(found: Sequence[InputImage]) -> None:
    """Before any work: a later product would replace an earlier one."""
    by_name = defaultdict(list)
    for picture in found:
        by_name[picture.id.casefold()].append(picture)  # as some file systems see names
    for name, ones in by_name.items():
        if name in _OWN:
            raise UsageError(
                f"{ones[0].href!r} would become {ones[0].id!r}, which a conversion has a use of "
                "its own for; rename it"
            )
        if len(ones) > 1:
            raise UsageError(
                f"{len(ones)} pictures would become {ones[0].id!r}: "
                f"{', '.join(repr(picture.href) for picture in ones[:3])}; convert them into "
                "different folders, or rename them"
            )
