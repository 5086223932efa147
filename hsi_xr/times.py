"""When a scene was taken: an instant, or from when to when, as ISO 8601 in UTC."""

import os
from datetime import UTC, date, datetime

from hsi_xr.errors import MissingFact, UsageError

_A_TIME = "a date with a time of day in ISO 8601, e.g. 2026-01-02T10:30:00Z"
_A_RANGE = "2026-01-02T00:00:00Z/2026-01-02T23:59:59Z"


def now() -> datetime:
    """Return the time that files record as the time of writing, in UTC, in whole seconds.

    The environment variable SOURCE_DATE_EPOCH, in seconds since 1970, replaces the clock, so that
    two runs write the same bytes (https://reproducible-builds.org/specs/source-date-epoch/).

    Raises:
        UsageError: SOURCE_DATE_EPOCH is not a whole number.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        return datetime.now(UTC).replace(microsecond=0)
    if not epoch.isdecimal():
        raise UsageError(
            f"SOURCE_DATE_EPOCH must be a whole number of seconds since 1970; got {epoch!r}"
        )
    return datetime.fromtimestamp(int(epoch), UTC)


def utc_text(time: datetime | str) -> str:
    """`2026-01-02T10:30:00Z`, or two of them with `/` between; see `period`."""
    start, end = period(time)
    return _text(start) if start == end else f"{_text(start)}/{_text(end)}"


def stac_times(time: datetime | str) -> dict[str, str | None]:
    """As properties of a STAC item, which has no `datetime` where it has a range."""
    start, end = period(time)
    if start == end:
        return {"datetime": _text(start)}
    return {"datetime": None, "start_datetime": _text(start), "end_datetime": _text(end)}


def period(time: datetime | str) -> tuple[datetime, datetime]:
    """Start and end in UTC, which are one where an instant is told.

    Args:
        time: ISO 8601 where it is text, with `/` between start and end. GDAL and STAC mean UTC
            where no zone is told. A day alone is refused: midnight would be an invention.

    Raises:
        MissingFact: It is a day.
        UsageError: It is no time at all, or ends before it begins.
    """
    if isinstance(time, datetime) or "/" not in str(time):
        moment = instant(time)
        return moment, moment
    texts = str(time).split("/")
    if len(texts) != 2:
        raise UsageError(f"the datetime {time!r} cannot be read; a range is two, e.g. {_A_RANGE}")
    start, end = map(instant, texts)
    if end < start:
        raise UsageError(f"the datetime {time!r} ends before it begins; turn it, e.g. {_A_RANGE}")
    return start, end


def instant(time: datetime | str) -> datetime:
    """One time in UTC; see `period`.

    Raises:
        MissingFact: It is a day.
        UsageError: It is no time at all.
    """
    moment = time if isinstance(time, datetime) else _read(str(time).strip())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _read(text: str) -> datetime:
    try:
        date.fromisoformat(text)
    except ValueError:
        pass
    else:
        raise MissingFact(
            f"the datetime {text!r} is a day; give {_A_TIME}, or from when to when, e.g. {_A_RANGE}"
        )
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"the datetime {text!r} cannot be read; give {_A_TIME}") from error
