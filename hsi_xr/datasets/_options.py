"""How a data set is read: checked where it is opened, since the command line hands on any word."""

import math
from collections.abc import Callable, Collection
from numbers import Integral, Real
from typing import Any, get_args

from hsi_xr.datasets._base import Coding
from hsi_xr.errors import UsageError
from hsi_xr.spectra import Bands


def coding(value: Any) -> Coding:
    """`linear` or `srgb`. Raises UsageError for all else, as do the others here."""
    return _kept(value, "coding", f"one of {', '.join(get_args(Coding))}", _is_coding)


def scale(value: Any, name: str = "scale") -> float | None:
    """A positive number, or None."""
    return None if value is None else _kept(value, name, "a positive number", is_positive)


def size(value: Any, name: str = "size") -> tuple[int, int]:
    """(rows, columns)."""
    rows, columns = _kept(value, name, "(rows, columns), two numbers of pixels", _is_size)
    return int(rows), int(columns)


def bands(value: Any, name: str = "bands") -> Bands:
    """A band grid, which has no words of the command line."""
    wanted = "a hsi_xr.spectra.Bands, e.g. Bands.regular(400, 700, 10)"
    return _kept(value, name, wanted, lambda given: isinstance(given, Bands))


def _kept(value: Any, name: str, wanted: str, fits: Callable[[Any], bool]) -> Any:
    if not fits(value):
        raise UsageError(f"{name} is {wanted}; got {value!r}")
    return value


def _is_coding(value: Any) -> bool:
    return isinstance(value, str) and value in get_args(Coding)


def is_positive(value: Any) -> bool:
    is_number = isinstance(value, Real) and not _is_truth(value)
    return is_number and 0 < float(value) < math.inf


def _is_truth(value: Any) -> bool:
    """Which Python counts among the numbers."""
    return isinstance(value, bool)


def _is_size(value: Any) -> bool:
    sides = value if isinstance(value, Collection) and not isinstance(value, str) else ()
    whole = all(isinstance(side, Integral) and not _is_truth(side) for side in sides)
    return len(sides) == 2 and whole and min(sides) > 0
