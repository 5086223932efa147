"""Sources of a conversion (files, folders, patterns, lists, STAC objects) -> input images."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from glob import glob, has_magic
from pathlib import Path

from hsi_xr.batch.config import Failure, InputImage
from hsi_xr.batch.names import MANIFEST, MOSAIC, RESERVED, SCENE
from hsi_xr.batch.side_files import without_side_files
from hsi_xr.batch.stac_inputs import from_stac
from hsi_xr.checkpoints.model_folder import file_name
from hsi_xr.errors import HsiError, UnreadableFile, UsageError
from hsi_xr.io.raster_dataset import open_raster_dataset
from hsi_xr.io.remote import is_remote, url_of
from hsi_xr.io.stores import store_driver
from hsi_xr.io.tags import is_product

_RASTERS = (".tif", ".tiff", ".jp2", ".vrt")
"""Suffixes of the files that are taken from a folder."""
_LISTED = 3
"""Largest number of images that a message names."""

Input = InputImage | Failure


def find_images(
    sources: Sequence[str], *, asset: str | None = None, destination: Path | None = None
) -> tuple[list[InputImage], list[Failure]]:
    """Find the images of all sources.

    Args:
        sources: Files, URLs, folders (their rasters, not those of subfolders), patterns such as
            `tiles/**/*.tif`; STAC collections, catalogues, items, and lists of items (.json); and
            text files (.txt) with one of these per line. From folders and patterns, hidden files,
            sidecar files (.ovr, .msk, .aux.xml) and unfinished files (.part) are skipped.
        asset: Key of the asset of STAC items; None takes the asset that is an image.
        destination: Folder of the products. Products that are already in it are ignored.

    Returns:
        The images in order, and a failure for each link, line or item that leads to no image.

    Raises:
        UnreadableFile: A source does not exist, or contains no image.
        UsageError: There is no source, two products would have the same name, or one would replace
            its own image.
    """
    if not sources:
        raise UsageError("no sources are given; give files, folders, patterns or STAC items")
    inputs = [found for source in sources for found in _find_some(source, asset, destination)]
    images = _unique([found for found in inputs if isinstance(found, InputImage)])
    _check_names(images)
    if destination is not None:
        _check_folders(images, destination)
    return images, [found for found in inputs if isinstance(found, Failure)]


def _find_some(source: str, asset: str | None, destination: Path | None) -> list[Input]:
    inputs = [*_find(source, asset, destination)]
    if not inputs:
        raise UnreadableFile(f"{source!r} contains no images; give rasters, or their STAC items")
    return inputs


def _find(source: str, asset: str | None, destination: Path | None) -> Iterable[Input]:
    path = Path(source)
    if path.is_dir() and store_driver(source) is None:
        files = (file for file in path.iterdir() if file.suffix.lower() in _RASTERS)
        reason = f"the folder {source!r} contains no {', '.join(_RASTERS)} file"
        return _images(files, source, destination, reason)
    if has_magic(source) and not path.exists() and "://" not in source:
        matches = glob(source, recursive=True)
        reason = f"no file matches {source!r}"
        if not matches and (other := _other_case(source)):
            reason += f", but {other!r} matches"
        return _images(map(Path, matches), source, destination, reason)
    suffix = source.partition("?")[0].rpartition(".")[2].lower()
    if suffix == "txt":
        return _find_listed(path, asset, destination)
    if suffix in ("json", "geojson"):
        return from_stac(source, asset)
    return [InputImage(id=_product_name(source), href=source)]


def _other_case(pattern: str) -> str | None:
    """Returns a pattern with its suffix in the other case, if it matches: `*.TIF` for `*.tif`."""
    suffix = Path(pattern).suffix
    other = pattern.removesuffix(suffix) + suffix.swapcase()
    return other if suffix and glob(other, recursive=True) else None


def _images(
    files: Iterable[Path], source: str, destination: Path | None, reason: str
) -> list[Input]:
    """Returns the images among the files of a folder or pattern, without those made from them."""
    others, left_out = without_side_files(sorted(files), source)
    images = [
        file for file in others if destination is None or not _is_own_product(file, destination)
    ]
    if not images:
        besides = f" besides {left_out}" if left_out else ""
        raise UnreadableFile(f"{reason}{besides}; give rasters, e.g. 'tiles/**/*.tif'")
    return [InputImage(id=_product_name(str(file)), href=str(file)) for file in images]


def _is_own_product(file: Path, destination: Path) -> bool:
    """True if a conversion into the destination wrote the file."""
    if is_remote(str(destination)):
        return False
    path, folder = file.resolve(), destination.resolve()
    if folder not in path.parents:
        return False
    if file.name in (MOSAIC, SCENE):
        return path.parent == folder
    try:
        with open_raster_dataset(str(file)) as raster:
            return is_product(raster.tags(ns="HSI_XR"))
    except HsiError:
        # a damaged product, if a conversion wrote it; otherwise reading it reports the error
        return (folder / MANIFEST).exists() and path.parent.parent == folder


def _find_listed(path: Path, asset: str | None, destination: Path | None) -> Iterator[Input]:
    """Yield the images of a list with one source per line, relative to the list."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(f"the list {str(path)!r} cannot be read ({error})") from error
    for line in map(str.strip, lines):
        if not line or line.startswith("#"):
            continue
        source = line if "://" in line or line.startswith("/") else str(path.parent / line)
        try:
            yield from _find(source, asset, destination)
        except HsiError as error:
            yield Failure(line, str(error))


def _product_name(href: str) -> str:
    return file_name(Path(href.partition("?")[0]).stem)


def _unique(images: Sequence[InputImage]) -> list[InputImage]:
    """Returns the images without duplicates, e.g. from a folder and from a file in it."""
    first: dict[tuple[str | None, ...], InputImage] = {}
    for image in images:
        first.setdefault((image.id, _real_path(image.href), image.item), image)
    return list(first.values())


def _real_path(href: str) -> str:
    return url_of(href).rstrip("/") if is_remote(href) else os.path.realpath(href)


def _check_folders(images: Sequence[InputImage], destination: Path) -> None:
    """Check that no product would replace the image that it is made from."""
    folder = _real_path(str(destination))
    for image in images:
        if os.path.join(folder, image.id) == os.path.dirname(_real_path(image.href)):
            raise UsageError(
                f"{image.href!r} is in the folder of its own product; choose another DST_DIR"
            )


def _check_names(images: Sequence[InputImage]) -> None:
    """Check that products would replace neither each other nor other files of the conversion."""
    by_name = defaultdict(list)
    for image in images:
        by_name[image.id.casefold()].append(image)  # some file systems ignore case
    for name, group in by_name.items():
        if name in RESERVED:
            raise UsageError(
                f"{group[0].href!r} would become {group[0].id!r}, which is a reserved name; "
                "rename it"
            )
        if len(group) > 1:
            names = ", ".join(repr(image.href) for image in group[:_LISTED])
            raise UsageError(
                f"{len(group)} images would become {group[0].id!r}: {names}; rename them, or "
                "convert them into different folders"
            )
