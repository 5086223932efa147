"""Times of STAC objects, of which the schemas see little more than that they end in Z."""

from collections.abc import Iterator
from typing import Any

from hsi_xr.errors import UsageError
from hsi_xr.stac.validate.document import Json, short
from hsi_xr.stac.validate.findings import Fault
from hsi_xr.times import utc_text

_TIMES = ("datetime", "start_datetime", "end_datetime", "created", "updated", "processing:datetime")
_HAS_RANGE = {"start_datetime", "end_datetime"}
_REPAIR = "STAC has times as 2026-01-02T10:30:00Z"


def wrong_times(properties: Json) -> Iterator[Fault]:
    """Days that no month has, and ranges that end before they begin."""
    told = {key: properties[key] for key in _TIMES if isinstance(properties.get(key), str)}
    for key, text in told.items():
        if canonical(text) is None:
            yield Fault(f"{key} is {short(text)}, which is no time", _REPAIR)
    if (
        "datetime" in properties
        and properties["datetime"] is None
        and not told.keys() >= _HAS_RANGE
    ):
        yield Fault("datetime is null, and it has no start_datetime and end_datetime", _REPAIR)
    start, end = (told.get(key) for key in ("start_datetime", "end_datetime"))
    if start and end and canonical(start) and canonical(end) and not canonical(f"{start}/{end}"):
        yield Fault(f"it ends ({end}) before it begins ({start})", "turn them")


def canonical(text: Any) -> str | None:
    """In one form, to be compared with others; None of what is no time."""
    try:
        return utc_text(text) if isinstance(text, str) else None
    except UsageError:
        return None
