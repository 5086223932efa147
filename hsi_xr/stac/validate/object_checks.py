"""Checks of any STAC object: JSON, schemas, links and times."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from hsi_xr.errors import InvalidData, UsageError
from hsi_xr.stac.document import Document, Json, exists, is_external
from hsi_xr.stac.validate.findings import Fault, Inspection, fault_of, short
from hsi_xr.stac.validate.schemas import unchecked, violations
from hsi_xr.times import instant, utc_text

FIX_LINK = "correct the reference, or put the file there"
FIX_ITEM = "correct it, or describe the product again with `hsi_xr.describe`"
FIX_COLLECTION = "correct it, or write the collection again with `hsi-xr convert --resume`"
_FIX_TIME = "write times as 2026-01-02T10:30:00Z"
_TIMES = ("datetime", "start_datetime", "end_datetime", "created", "updated", "processing:datetime")
_RANGE = {"start_datetime", "end_datetime"}


def read(path: Path, inspection: Inspection) -> Document | None:
    """Reads a STAC object; returns None and adds a finding if the file is not one."""
    try:
        document = Document.read(path)
    except InvalidData as error:
        inspection.add(path, *fault_of(error, path))
        return None
    if not document.is_stac:
        what = "it is not a STAC object: it has no stac_version"
        inspection.add(path, what, "give a STAC item, catalogue or collection")
        return None
    return document


def check_object(stac: Document, inspection: Inspection) -> bool:
    """Checks an object against its schemas, and that the targets of its links exist.

    Returns:
        True if it satisfies the schemas.
    """
    repair = FIX_COLLECTION if stac.kind == "Collection" else FIX_ITEM
    faults = violations(stac.json, inspection.schemas)
    for violation in faults:
        inspection.add(stac.path, violation, repair)
    inspection.unseen.update(unchecked(stac.json, inspection.schemas))
    relations = defaultdict(list)
    for link in stac.links:
        relations[link.href].append(repr(link.rel))
    for href, (rel, *others) in relations.items():
        also = f" (also {', '.join(others)})" if others else ""
        follow(stac, href, f"its link {rel}{also}", inspection)
    return not faults


def follow(stac: Document, href: str, what: str, inspection: Inspection) -> Path | None:
    """Returns the file that an href refers to; None if it is external, or missing (a finding).

    Args:
        stac: The object with the href.
        href: Absolute or relative to the object.
        what: Subject of the finding, such as "its link 'item'".
        inspection: Collects the finding.
    """
    if is_external(href):
        inspection.unseen.add(href)
        return None
    try:
        path = stac.target(href)
    except ValueError as error:  # not a URL
        inspection.add(stac.path, f"{what} refers to {short(href)} ({error})", FIX_LINK)
        return None
    if not exists(path):
        missing = f"{what} refers to {short(href)}, which does not exist"
        inspection.add(stac.path, missing, FIX_LINK)
        return None
    return path


def time_faults(properties: Json) -> Iterator[Fault]:
    """Yields invalid times, and ranges that are incomplete or reversed.

    The schemas check little more than that a time ends in Z.
    """
    texts = {key: properties[key] for key in _TIMES if isinstance(properties.get(key), str)}
    times = {key: _instant(text) for key, text in texts.items()}
    for key, time in times.items():
        if time is None:
            yield Fault(f"{key} is {short(texts[key])}, which is not a valid time", _FIX_TIME)
    if "datetime" in properties and properties["datetime"] is None and not times.keys() >= _RANGE:
        yield Fault("datetime is null, but start_datetime or end_datetime is missing", _FIX_TIME)
    start, end = times.get("start_datetime"), times.get("end_datetime")
    if start is not None and end is not None and end < start:
        yield Fault("end_datetime is before start_datetime", "swap them")


def normalise_time(text: object) -> str | None:
    """Returns a time in UTC and in one form, for comparisons; None if it is not valid."""
    time = _instant(text)
    return None if time is None else utc_text(time)


def _instant(text: object) -> datetime | None:
    try:
        return instant(text) if isinstance(text, str) else None
    except UsageError:
        return None
