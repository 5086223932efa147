"""A collection over the items of a set: where, when, and what they have in common, and what not."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

Item = Mapping[str, Any]

_MEDIA = "application/geo+json"
_LISTED = (
    *("proj:code", "processing:level", "processing:version"),
    *("hsi_xr:model", "hsi_xr:model_sha256", "hsi_xr:radiometry", "hsi_xr:level"),
    *("hsi_xr:source_dtype", "hsi_xr:source_bands", "hsi_xr:camera"),
)
"""Properties of which the collection tells all values."""
_OF_ONE = ("href", "file:", "proj:", "raster:spatial_resolution")
"""Fields that belong to one asset, even where they happen to agree."""


def collection(
    items: Mapping[str, Item], *, id: str, title: str | None = None, licence: str | None = None
) -> dict[str, Any]:
    """The STAC 1.1 collection of items, which lies above them.

    Args:
        items: Href, relative to the collection, -> item; at least one.
        id: The collection's name.
        title: In words.
        licence: Of the products, as SPDX; `other` says that nobody has told.
    """
    every = list(items.values())
    told = {uri for item in every for uri in item.get("stac_extensions", ())}
    extensions = sorted(uri for uri in told if "/file/" not in uri)  # files are the items'
    return {
        "type": "Collection",
        "stac_version": "1.1.0",
        "stac_extensions": extensions,
        "id": id,
        **({"title": title} if title else {}),
        "description": description(every),
        "license": licence or "other",
        "extent": extent(every),
        "summaries": summaries(every),
        "item_assets": item_assets(every),
        "links": [
            {"rel": "root", "href": "./collection.json", "type": "application/json"},
            *({"rel": "item", "href": href, "type": _MEDIA, "title": str(item["id"])}
              for href, item in items.items()),
        ],
    }  # fmt: skip


def extent(items: Sequence[Item]) -> dict[str, Any]:
    """Spatial and temporal; items that lie nowhere on Earth count in time only."""
    boxes = [_flat(item["bbox"]) for item in items if item.get("bbox")]
    starts, ends = zip(*(_period(item["properties"]) for item in items))
    world = [-180.0, -90.0, 180.0, 90.0]
    return {
        # the schema wants a box: of items without one, it can be anywhere
        "spatial": {"bbox": [_union(boxes) if boxes else world]},
        "temporal": {"interval": [[min(starts), max(ends)]]},
    }


def _period(properties: Mapping[str, Any]) -> tuple[str, str]:
    told = properties["datetime"]
    start = properties.get("start_datetime") or told
    return start, properties.get("end_datetime") or told


def _flat(box: Sequence[float]) -> Sequence[float]:
    """West, south, east, north, also of a box that has heights."""
    half = len(box) // 2
    return [*box[:2], *box[half : half + 2]]


def _union(boxes: Sequence[Sequence[float]]) -> list[float]:
    """West, south, east, north; west > east where that is the shorter way around the Earth."""
    west, east = _around([(box[0], box[2]) for box in boxes])
    return [west, min(box[1] for box in boxes), east, max(box[3] for box in boxes)]


def _around(spans: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The shortest stretch of longitudes that holds all: what is left is the widest gap."""
    turns = sorted((west, east + 360 * (east < west), east) for west, east in spans)
    reach, end = max((to, east) for _, to, east in turns)
    reach -= 360
    gaps = []
    for west, to, east in turns:
        gaps.append((west - reach, west <= end, west, end))  # of equal ones, none across 180
        reach, end = max((reach, end), (to, east))
    gap, _, west, east = max(gaps)
    return (west, east) if gap > 0 else (-180.0, 180.0)


def summaries(items: Sequence[Item]) -> dict[str, Any]:
    """All values of what may differ between items, and the range of their pixels' sizes."""
    found: dict[str, Any] = {}
    for name in _LISTED:
        told = [item["properties"].get(name) for item in items]
        values = {value for value in told if isinstance(value, str | int | float)}
        if values:
            found[name] = sorted(values, key=lambda value: (isinstance(value, str), value))
    sizes = _sizes(items)
    if sizes:
        found["raster:spatial_resolution"] = {"minimum": min(sizes), "maximum": max(sizes)}
    return found


def _sizes(items: Sequence[Item]) -> list[float]:
    told = (asset.get("raster:spatial_resolution") for asset in map(_main, items))
    return [float(size) for size in told if isinstance(size, int | float)]


def _main(item: Item) -> Mapping[str, Any]:
    found: Mapping[str, Any] = item.get("assets", {}).get("reflectance", {})
    return found


def item_assets(items: Sequence[Item]) -> dict[str, Any]:
    """Of each asset that items have, what is the same in all of them."""
    names = sorted({name for item in items for name in item["assets"]})
    return {
        name: _common([item["assets"][name] for item in items if name in item["assets"]])
        for name in names
    }


def _common(assets: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first, *others = assets
    return {
        key: value
        for key, value in first.items()
        if not key.startswith(_OF_ONE) and all(other.get(key) == value for other in others)
    }


def description(items: Sequence[Item]) -> str:
    """What the set is, and in what its members differ."""
    count = len(items)
    models = sorted({str(item["properties"].get("hsi_xr:model", "unknown")) for item in items})
    bands = sorted({len(_main(item).get("bands", ())) for item in items})
    sentences = [
        f"Spectra in {' or '.join(map(str, bands))} bands estimated from {count} RGB "
        f"image{'s' if count > 1 else ''} by model {', '.join(models)}.",
        "Model estimates, not measurements.",
        *_nowhere(items),
        *(text for text in map(_mixed, _KINDS, [items] * len(_KINDS)) if text),
    ]
    return " ".join(sentences)


def _nowhere(items: Sequence[Item]) -> Iterator[str]:
    """The extent must be somewhere, by the specification; where it is made up, that is said."""
    lost = sum(not item.get("bbox") for item in items)
    if lost == len(items):
        yield "Where they lie is not known, and the spatial extent is all of the Earth therefore."
    elif lost:
        yield f"Of {lost} it is not known where they lie; the spatial extent is that of the others."


_KINDS: tuple[tuple[str, Callable[[Item], Any]], ...] = (
    ("coordinate reference systems", lambda item: item["properties"].get("proj:code") or "no code"),
    ("pixel sizes on the ground (m)", lambda item: _main(item).get("raster:spatial_resolution")),
    ("data types of the images", lambda item: item["properties"].get("hsi_xr:source_dtype")),
    ("orders of their bands", lambda item: item["properties"].get("hsi_xr:source_bands")),
    ("radiometries of the images", lambda item: item["properties"].get("hsi_xr:radiometry")),
)
_MOST = 6
"""Values that a sentence lists; beyond, it tells how many and the ends."""


def _mixed(kind: tuple[str, Callable[[Item], Any]], items: Iterable[Item]) -> str:
    """`They have 2 ...: a (3), b (1).`, where they differ."""
    name, of = kind
    counts = Counter(value for value in map(of, items) if value is not None)
    if len(counts) < 2:
        return ""
    told = [f"{value} ({counts[value]})" for value in sorted(counts)]
    if len(told) > _MOST:
        told = [told[0], "...", told[-1]]
    return f"They differ in {name}: {', '.join(told)}."
