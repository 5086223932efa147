"""The pictures of STAC items, wherever they are linked from."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from hsi_xr.batch.config import Failure, Picture
from hsi_xr.checkpoints.model_folder import file_name
from hsi_xr.errors import BandMismatch, HsiError, InvalidData, UnknownName, UnreadableFile

Stac = Mapping[str, Any]

_COLOURS = ("red", "green", "blue")
_KEYS = ("visual", "rgb")
"""Names of assets that are a picture, the better first."""
_RASTERS = ("image/tiff", "image/jp2", "image/vnd.stac.geotiff")
_ENDINGS = (".tif", ".tiff", ".jp2", ".vrt")
_SHOWN = {"thumbnail", "overview"}
"""Roles of what is a picture of a picture."""
_SECONDS = 30
"""To wait for a server."""


def from_stac(source: str, asset: str | None) -> Iterator[Picture | Failure]:
    """The pictures of a collection, catalogue, item, or list of items; in order of its links.

    A link that leads nowhere, or an item without a picture, is a failure with its reason.

    Raises:
        UnreadableFile: The source itself cannot be read.
        InvalidData: It is no STAC.
    """
    is_local = "://" not in source
    href = os.path.abspath(source) if is_local else source  # what links are relative to
    yield from _of(href, _read(source), asset, (href,))


def _of(
    href: str, stac: Stac, asset: str | None, above: tuple[str, ...]
) -> Iterator[Picture | Failure]:
    kind = stac.get("type")
    if kind == "Feature":
        yield _picture(href, stac, asset)
    elif kind == "FeatureCollection":
        for item in _objects(stac.get("features")):
            yield _picture(_own(item) or href, item, asset, alone=_own(item) is not None)
    elif kind in ("Collection", "Catalog"):
        for link in _objects(stac.get("links")):
            if link.get("rel") in ("item", "child"):
                yield from _linked(href, link, asset, above)
    else:
        raise InvalidData(
            f"{href!r} is no STAC: its type is {kind!r}; give a collection, a catalogue, an item "
            "or a FeatureCollection of items"
        )


def _linked(
    href: str, link: Stac, asset: str | None, above: tuple[str, ...]
) -> Iterator[Picture | Failure]:
    from pystac.utils import make_absolute_href

    target = make_absolute_href(str(link.get("href")), href)
    try:
        if target in above:
            raise InvalidData("it leads back to where it came from; remove it")
        yield from _of(target, _read(target), asset, (*above, target))
    except HsiError as error:
        name = str(link.get("title") or link.get("href"))
        yield Failure(name, f"the link {link.get('href')!r} of {href!r} is broken: {error}")


def _own(item: Stac) -> str | None:
    links = (link.get("href") for link in _objects(item.get("links")) if link.get("rel") == "self")
    return next((str(href) for href in links if href), None)


def _objects(found: Any) -> list[Stac]:
    """A list of objects, whatever is there; what is none has nothing to tell."""
    given = found if isinstance(found, list) else []
    return [each if isinstance(each, dict) else {} for each in given]


def _object(found: Any) -> Stac:
    return found if isinstance(found, dict) else {}


def _picture(href: str, item: Stac, asset: str | None, *, alone: bool = True) -> Picture | Failure:
    from pystac.utils import make_absolute_href

    name = str(item.get("id") or href)
    assets = _object(item.get("assets"))
    try:
        chosen = _chosen(name, {key: _object(each) for key, each in assets.items()}, asset)
    except HsiError as error:
        return Failure(name, str(error))
    return Picture(
        id=file_name(name),
        href=make_absolute_href(str(chosen["href"]), href),
        item=href if alone else None,
        taken=_taken(_object(item.get("properties"))),
        rgb=_rgb(chosen),
    )


def _taken(properties: Stac) -> str | None:
    """An instant; or where an item has none, its range."""
    start, end = properties.get("start_datetime"), properties.get("end_datetime")
    between = f"{start}/{end}" if start and end else None
    told = properties.get("datetime") or between
    return None if told is None else str(told)


def _chosen(name: str, assets: Mapping[str, Stac], asset: str | None) -> Stac:
    """The asset that was asked for, or the one that can be meant.

    Raises:
        UnknownName: There is none of the name that was asked for.
        BandMismatch: None is a picture, or several are.
    """
    assets = {key: each for key, each in assets.items() if each.get("href")}
    known = ", ".join(assets) or "none"
    if asset is not None:
        if asset not in assets:
            raise UnknownName(f"item {name!r} has no asset {asset!r}; it has {known}")
        return assets[asset]
    rasters = {key: each for key, each in assets.items() if _is_raster(each)}
    for key in _KEYS:
        if key in rasters:
            return rasters[key]
    for fits in (_is_visual, _rgb, bool):
        found = [each for each in rasters.values() if fits(each)]
        if len(found) == 1:
            return found[0]
    raise BandMismatch(
        f"which asset of item {name!r} is the picture cannot be told; it has {known}. Say which, "
        "e.g. --asset visual"
    )


def _is_raster(asset: Stac) -> bool:
    kind, path = str(asset.get("type", "")), str(asset.get("href", "")).partition("?")[0]
    image = kind.startswith(_RASTERS) or path.lower().endswith(_ENDINGS)
    return image and not _SHOWN & {*_roles(asset)}


def _is_visual(asset: Stac) -> bool:
    return "visual" in _roles(asset)


def _roles(asset: Stac) -> list[str]:
    found = asset.get("roles")
    return [str(role) for role in found] if isinstance(found, list) else []


def _rgb(asset: Stac) -> tuple[int, ...] | None:
    """Numbers of the bands that are called red, green, blue: in `bands`, or in older `eo:bands`."""
    bands = _objects(asset.get("bands")) or _objects(asset.get("eo:bands"))
    names = [band.get("eo:common_name") or band.get("common_name") for band in bands]
    if not all(names.count(colour) == 1 for colour in _COLOURS):
        return None
    return tuple(names.index(colour) + 1 for colour in _COLOURS)


def _read(href: str) -> Stac:
    try:
        if href.startswith(("http://", "https://")):
            with urlopen(href, timeout=_SECONDS) as answer:
                text = answer.read()
        else:
            text = Path(href.removeprefix("file://")).read_bytes()
        found = json.loads(text)
    except (OSError, URLError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreadableFile(f"{href!r} cannot be read as JSON ({reason})") from error
    if not isinstance(found, dict):
        raise InvalidData(f"{href!r} is no JSON object, and so no STAC")
    return found
