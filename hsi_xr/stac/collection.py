"""A STAC collection of the items of a conversion.

pystac's `Extent.from_items` and `Summarizer` are not used: the former supports neither boxes across
the antimeridian nor items without a bbox, the latter drops lists of 25 or more values.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hsi_xr.stac.files import ITEM_TYPE
from hsi_xr.times import instant

Item = Mapping[str, Any]
"""A valid STAC item as JSON."""

_SUMMARISED = (
    *("proj:code", "processing:level", "processing:version"),
    *("hsi_xr:model", "hsi_xr:model_sha256", "hsi_xr:radiometry", "hsi_xr:level"),
    *("hsi_xr:source_dtype", "hsi_xr:source_bands", "hsi_xr:camera"),
)
"""Properties whose values the collection lists."""
_INDIVIDUAL = ("href", "file:", "proj:", "raster:spatial_resolution")
"""Prefixes of fields that belong to one asset, even if all items agree in them."""
_WHOLE_EARTH = (-180.0, -90.0, 180.0, 90.0)


def collection(
    items: Mapping[str, Item], *, id: str, title: str | None = None, licence: str | None = None
) -> dict[str, Any]:
    """Returns the STAC 1.1 collection of items.

    Args:
        items: Items by their href relative to the collection; at least one.
        id: Identifier of the collection.
        title: Title of the collection.
        licence: SPDX identifier of the products' licence; "other" (unknown) by default.
    """
    members = list(items.values())
    extensions = {uri for item in members for uri in item.get("stac_extensions", ())}
    return {
        "type": "Collection",
        "stac_version": "1.1.0",
        "stac_extensions": sorted(uri for uri in extensions if "/file/" not in uri),  # of assets
        "id": id,
        **({"title": title} if title else {}),
        "description": description(members),
        "license": licence or "other",
        "extent": extent(members),
        "summaries": summaries(members),
        "item_assets": item_assets(members),
        "links": [
            {"rel": "root", "href": "./collection.json", "type": "application/json"},
            *({"rel": "item", "href": href, "type": ITEM_TYPE, "title": str(item["id"])}
              for href, item in items.items()),
        ],
    }  # fmt: skip


def extent(items: Sequence[Item]) -> dict[str, Any]:
    """Returns the spatial and temporal extent of items.

    Items without a location count only towards the temporal extent. If none has a location, the
    spatial extent is the whole Earth, since STAC requires a bbox; `description` then states that
    the location is unknown.
    """
    boxes = [_without_heights(item["bbox"]) for item in items if item.get("bbox")]
    starts, ends = zip(*(_interval(item["properties"]) for item in items))
    return {
        "spatial": {"bbox": [_union(boxes) if boxes else list(_WHOLE_EARTH)]},
        "temporal": {"interval": [[min(starts, key=instant), max(ends, key=instant)]]},
    }


def _interval(properties: Mapping[str, Any]) -> tuple[str, str]:
    time = properties["datetime"]
    return properties.get("start_datetime") or time, properties.get("end_datetime") or time


def _without_heights(box: Sequence[float]) -> Sequence[float]:
    """Returns west, south, east, north of a box with four or six numbers."""
    half = len(box) // 2
    return [*box[:2], *box[half : half + 2]]


def _union(boxes: Sequence[Sequence[float]]) -> list[float]:
    """Returns west, south, east, north; west > east if the box crosses the antimeridian."""
    west, east = _shortest_span([(box[0], box[2]) for box in boxes])
    return [west, min(box[1] for box in boxes), east, max(box[3] for box in boxes)]


def _shortest_span(spans: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Returns the shortest span of longitudes that covers all spans, by leaving out the widest gap.

    Args:
        spans: West and east of each; west > east across the antimeridian.
    """
    ordered = sorted((west, east + 360 * (east < west), east) for west, east in spans)
    reach, end = max((continuous, east) for _, continuous, east in ordered)
    reach -= 360
    gaps = []
    for west, continuous, east in ordered:
        # of equal gaps, prefer the one whose complement does not cross the antimeridian
        gaps.append((west - reach, west <= end, west, end))
        reach, end = max((reach, end), (continuous, east))
    gap, _, west, east = max(gaps)
    return (west, east) if gap > 0 else (-180.0, 180.0)


def summaries(items: Sequence[Item]) -> dict[str, Any]:
    """Returns the values of properties in which items may differ, and the range of pixel sizes."""
    summary: dict[str, Any] = {}
    for name in _SUMMARISED:
        stated = (item["properties"].get(name) for item in items)
        values = {value for value in stated if isinstance(value, str | int | float)}
        if values:
            summary[name] = sorted(values, key=lambda value: (isinstance(value, str), value))
    sizes = [size for size in map(_resolution, items) if isinstance(size, int | float)]
    if sizes:
        smallest, largest = float(min(sizes)), float(max(sizes))
        summary["raster:spatial_resolution"] = {"minimum": smallest, "maximum": largest}
    return summary


def item_assets(items: Sequence[Item]) -> dict[str, Any]:
    """Returns, for each asset key, the fields that are the same in all items with that asset."""
    keys = sorted({key for item in items for key in item["assets"]})
    return {
        key: _common_fields([item["assets"][key] for item in items if key in item["assets"]])
        for key in keys
    }


def _common_fields(assets: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first, *others = assets
    return {
        key: value
        for key, value in first.items()
        if not key.startswith(_INDIVIDUAL) and all(other.get(key) == value for other in others)
    }


def description(items: Sequence[Item]) -> str:
    """Returns sentences on what the products are, and how they differ."""
    count = len(items)
    models = sorted({str(item["properties"].get("hsi_xr:model", "unknown")) for item in items})
    bands = sorted({len(_main_asset(item).get("bands", ())) for item in items})
    sentences = [
        f"Spectra in {' or '.join(map(str, bands))} bands estimated from {count} RGB "
        f"image{'s' if count > 1 else ''} by model {', '.join(models)}.",
        "Model estimates, not measurements.",
        *_unknown_locations(items),
        *_differences(items),
    ]
    return " ".join(sentences)


def _unknown_locations(items: Sequence[Item]) -> Iterator[str]:
    missing = sum(not item.get("bbox") for item in items)
    if missing == len(items):
        yield "Their location is unknown, so the spatial extent is the whole Earth."
    elif missing:
        yield f"The location of {missing} is unknown; the spatial extent covers the others."


_LISTED = 6
"""Largest number of values that a sentence lists; of more, it names the first and the last."""


def _differences(items: Sequence[Item]) -> Iterator[str]:
    """Yields one sentence for each property in which items differ, with counts."""
    for name, value_of in _COMPARED:
        counts = Counter(value for value in map(value_of, items) if value is not None)
        if len(counts) < 2:
            continue
        listed = [f"{value} ({counts[value]})" for value in sorted(counts)]
        if len(listed) > _LISTED:
            listed = [listed[0], "...", listed[-1]]
        yield f"They differ in {name}: {', '.join(listed)}."


def _main_asset(item: Item) -> Mapping[str, Any]:
    asset: Mapping[str, Any] = item.get("assets", {}).get("reflectance", {})
    return asset


def _resolution(item: Item) -> Any:
    return _main_asset(item).get("raster:spatial_resolution")


_COMPARED: tuple[tuple[str, Callable[[Item], Any]], ...] = (
    ("coordinate reference system", lambda item: item["properties"].get("proj:code") or "no code"),
    ("pixel size on the ground (m)", _resolution),
    ("data type of the image", lambda item: item["properties"].get("hsi_xr:source_dtype")),
    ("band order of the image", lambda item: item["properties"].get("hsi_xr:source_bands")),
    ("radiometry of the image", lambda item: item["properties"].get("hsi_xr:radiometry")),
)
