"""The images to which STAC items refer, found by walking catalogues, collections and item lists.

pystac is not used to walk: its `get_items` stops at the first broken link and does not end on
circular ones, and its parser raises a different exception for each way in which an object is
malformed. Here, each such error is one failure with its reason, and all other images are converted.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from hsi_xr.batch.config import Failure, InputImage
from hsi_xr.checkpoints.model_folder import file_name
from hsi_xr.errors import BandMismatch, HsiError, InvalidData, UnknownName, UnreadableFile
from hsi_xr.io.colour_names import COLOURS
from hsi_xr.io.item_bands import read_item_bands
from hsi_xr.stac.document import Json, mapping, sequence

_KEYS = ("visual", "rgb")
"""Keys of assets that are images, in order of preference."""
_MEDIA_TYPES = ("image/tiff", "image/jp2", "image/vnd.stac.geotiff")
_SUFFIXES = (".tif", ".tiff", ".jp2", ".vrt")
_REDUCED = {"thumbnail", "overview"}
"""Roles of reduced copies of an image."""
_TIMEOUT = 30
"""Seconds to wait for a server."""


def from_stac(source: str, asset: str | None) -> Iterator[InputImage | Failure]:
    """Yields the images of a collection, catalogue, item or list of items, in order of its links.

    A broken link, or an item without an image, is a failure with its reason.

    Args:
        source: Path or URL.
        asset: Key of the asset that is the image; chosen by key, role, type and bands if None.

    Raises:
        UnreadableFile: The source cannot be read.
        InvalidData: The source is not a STAC object.
    """
    href = source if "://" in source else os.path.abspath(source)  # links are relative to it
    yield from _walk(href, _read(source), asset, (href,))


def _walk(
    href: str, stac: Json, asset: str | None, ancestors: tuple[str, ...]
) -> Iterator[InputImage | Failure]:
    kind = stac.get("type")
    if kind == "Feature":
        yield _image(href, stac, asset, item=href)
    elif kind == "FeatureCollection":
        for item in map(mapping, sequence(stac.get("features"))):
            own = _self_href(item)
            yield _image(own or href, item, asset, item=own)
    elif kind in ("Collection", "Catalog"):
        for link in map(mapping, sequence(stac.get("links"))):
            if link.get("rel") in ("item", "child"):
                yield from _follow(href, link, asset, ancestors)
    else:
        raise InvalidData(
            f"{href!r} is not a STAC object: its type is {kind!r}; give a collection, a catalogue, "
            "an item or a FeatureCollection of items"
        )


def _follow(
    href: str, link: Json, asset: str | None, ancestors: tuple[str, ...]
) -> Iterator[InputImage | Failure]:
    from pystac.utils import make_absolute_href

    target = make_absolute_href(str(link.get("href")), href)
    try:
        if target in ancestors:
            raise InvalidData("it leads back to a catalogue that contains it; remove it")
        yield from _walk(target, _read(target), asset, (*ancestors, target))
    except HsiError as error:
        name = str(link.get("title") or link.get("href"))
        yield Failure(name, f"the link {link.get('href')!r} of {href!r} is broken: {error}")


def _self_href(item: Json) -> str | None:
    for link in map(mapping, sequence(item.get("links"))):
        if link.get("rel") == "self" and link.get("href"):
            return str(link["href"])
    return None


def _image(href: str, stac: Json, asset: str | None, *, item: str | None) -> InputImage | Failure:
    """Returns the image of an item.

    Args:
        href: Base of the relative hrefs in the item.
        stac: The item.
        asset: Key of the asset that is the image.
        item: Path or URL of the item, if it has one of its own.
    """
    from pystac.utils import make_absolute_href

    name = str(stac.get("id") or href)
    assets = {key: mapping(value) for key, value in mapping(stac.get("assets")).items()}
    try:
        image = _choose(name, assets, asset)
    except HsiError as error:
        return Failure(name, str(error))
    return InputImage(
        id=file_name(name),
        href=make_absolute_href(str(image["href"]), href),
        item=item,
        acquired=_acquired(mapping(stac.get("properties"))),
        bands=read_item_bands(image, mapping(stac.get("properties"))),
    )


def _acquired(properties: Json) -> str | None:
    """Returns the datetime of an item or, if that is null, its range."""
    start, end = properties.get("start_datetime"), properties.get("end_datetime")
    time = properties.get("datetime") or (f"{start}/{end}" if start and end else None)
    return None if time is None else str(time)


def _choose(name: str, assets: Mapping[str, Json], asset: str | None) -> Json:
    """Returns the asset of the given key, or else the one that is unambiguously the image.

    Raises:
        UnknownName: No asset has the given key.
        BandMismatch: No asset is an image, or several are.
    """
    assets = {key: fields for key, fields in assets.items() if fields.get("href")}
    known = ", ".join(assets) or "none"
    if asset is not None:
        if asset not in assets:
            raise UnknownName(f"item {name!r} has no asset {asset!r}; it has {known}")
        return assets[asset]
    images = {key: fields for key, fields in assets.items() if _is_image(fields)}
    for key in _KEYS:
        if key in images:
            return images[key]
    for criterion in (_is_visual, _has_colours, bool):
        matching = [fields for fields in images.values() if criterion(fields)]
        if len(matching) == 1:
            return matching[0]
    raise BandMismatch(
        f"item {name!r} does not state which asset is its RGB image; it has {known}. Choose one, "
        "e.g. with --asset visual"
    )


def _is_image(asset: Json) -> bool:
    media_type, path = str(asset.get("type", "")), str(asset.get("href", "")).partition("?")[0]
    is_raster = media_type.startswith(_MEDIA_TYPES) or path.lower().endswith(_SUFFIXES)
    return is_raster and not _REDUCED & {*_roles(asset)}


def _is_visual(asset: Json) -> bool:
    return "visual" in _roles(asset)


def _roles(asset: Json) -> list[str]:
    return [str(role) for role in sequence(asset.get("roles"))]


def _has_colours(asset: Json) -> bool:
    names = [band.common_name for band in read_item_bands(asset, {})]
    return all(names.count(colour) == 1 for colour in COLOURS)


def _read(href: str) -> dict[str, Any]:
    try:
        if href.startswith(("http://", "https://")):
            with urlopen(href, timeout=_TIMEOUT) as response:
                text = response.read()
        else:
            text = Path(href.removeprefix("file://")).read_bytes()
        stac = json.loads(text)
    except (OSError, URLError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreadableFile(
            f"{href!r} cannot be read as JSON ({reason}); check the path or URL"
        ) from error
    if not isinstance(stac, dict):
        raise InvalidData(f"{href!r} is not a JSON object; give a STAC collection or item")
    return stac
