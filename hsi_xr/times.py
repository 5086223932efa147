"""Times in UTC: when a scene was acquired (ISO 8601), and when a file is written."""

import os
from datetime import UTC, date, datetime

from hsi_xr.errors import MissingFact, UsageError

_EXAMPLE = "2026-01-02T10:30:00Z"
_EXAMPLE_RANGE = "2026-01-02T00:00:00Z/2026-01-02T23:59:59Z"


def now() -> datetime:
    """Returns the time that files record as their time of writing, in UTC, in whole seconds.

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
    """Returns `2026-01-02T10:30:00Z`, or two such times with `/` between them; see `period`."""
    start, end = period(time)
    return _text(start) if start == end else f"{_text(start)}/{_text(end)}"


def stac_times(time: datetime | str) -> dict[str, str | None]:
    """Returns the time properties of a STAC item, whose `datetime` is null if it has a range."""
    start, end = period(time)
    if start == end:
        return {"datetime": _text(start)}
    return {"datetime": None, "start_datetime": _text(start), "end_datetime": _text(end)}


def period(time: datetime | str) -> tuple[datetime, datetime]:
    """Returns start and end in UTC; both are the same for an instant.

    Args:
        time: A datetime, or ISO 8601 text with `/` between start and end of a range. A time
            without a zone is UTC, as in GDAL and STAC. A date without a time of day is refused:
            midnight would be a guess.

    Raises:
        MissingFact: `time` is a date without a time of day.
        UsageError: `time` cannot be read, or the range ends before it starts.
    """
    if isinstance(time, datetime) or "/" not in str(time):
        moment = instant(time)
        return moment, moment
    texts = str(time).split("/")
    if len(texts) != 2:
        raise UsageError(
            f"the datetime {time!r} cannot be read; a range has two times, e.g. {_EXAMPLE_RANGE}"
        )
    start, end = map(instant, texts)
    if end < start:
        raise UsageError(
            f"the datetime {time!r} ends before it starts; swap the two, e.g. {_EXAMPLE_RANGE}"
        )
    return start, end


def instant(time: datetime | str) -> datetime:
    """Returns a single time in UTC; arguments and errors as for `period`."""
    moment = time if isinstance(time, datetime) else _parse(str(time).strip())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _parse(text: str) -> datetime:
    try:
        date.fromisoformat(text)
    except ValueError:
        pass
    else:
        raise MissingFact(
            f"the datetime {text!r} has no time of day; give one in ISO 8601, e.g. {_EXAMPLE}, or "
            f"a range, e.g. {_EXAMPLE_RANGE}"
        )
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"the datetime {text!r} cannot be read; give a date with a time of day in ISO 8601, "
            f"e.g. {_EXAMPLE}"
        ) from error
