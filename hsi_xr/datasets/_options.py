"""How a data set is read: checked where it is opened, since the command line hands on any word."""

import math
from collections.abc import Callable, Collection, Sequence
from numbers import Integral, Real
from typing import Any, get_args

from hsi_xr.band_grid import Bands
from hsi_xr.datasets._base import Coding
from hsi_xr.errors import UsageError
from hsi_xr.pipeline.radiometry import KINDS


def coding(value: Any) -> Coding:
    """`linear` or `srgb`. Raises UsageError for all else, as do the others here."""
    return _kept(value, "coding", _one_of(get_args(Coding)), _is_coding)


def scale(value: Any, name: str = "scale") -> float | None:
    """A positive number, or None."""
    return None if value is None else _kept(value, name, "a positive number", is_positive)


def size(value: Any, name: str = "size") -> tuple[int, int]:
    """(rows, columns)."""
    rows, columns = _kept(value, name, "(rows, columns), two numbers of pixels", _is_size)
    return int(rows), int(columns)


def bands(value: Any, name: str = "bands") -> Bands:
    """A band grid, as such or as its first and last centre and its step in nm."""
    if isinstance(value, Bands):
        return value
    wanted = "[first, last, step] in nm, a whole number of steps, e.g. [400, 700, 10], or a Bands"
    first, last, step = _kept(value, name, wanted, _is_range)
    return Bands.regular(first, last, step)


def radiometry(value: Any) -> str | None:
    """One of `hsi_xr.pipeline.radiometry.KINDS`, or None."""
    kinds = [*KINDS]
    return None if value is None else _kept(value, "radiometry", _one_of(kinds), kinds.__contains__)


def crs(value: Any) -> Any:
    """Whatever rasterio takes for a CRS, or None."""
    return None if value is None else _kept(value, "crs", "a CRS, e.g. 'EPSG:32618'", _is_crs)


def _one_of(words: Collection[str]) -> str:
    return f"one of {', '.join(words)}"


def _is_crs(value: Any) -> bool:
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    try:
        CRS.from_user_input(value)
    except (CRSError, OverflowError, TypeError, ValueError):
        return False
    return True


def _kept(value: Any, name: str, wanted: str, fits: Callable[[Any], bool]) -> Any:
    if not fits(value):
        raise UsageError(f"{name} is {wanted}; got {value!r}")
    return value


def _is_coding(value: Any) -> bool:
    return isinstance(value, str) and value in get_args(Coding)


def is_positive(value: Any) -> bool:
    return _is_a(Real, value) and bool(0 < value < math.inf)


def _is_a(kind: type, value: Any) -> bool:
    """Truth values, which Python counts among the numbers, aside."""
    return isinstance(value, kind) and not isinstance(value, bool)


def _is_range(value: Any) -> bool:
    if not isinstance(value, Sequence) or len(value) != 3 or not all(map(is_positive, value)):
        return False
    first, last, step = value
    steps = (last - first) / step
    return bool(steps >= 0 and math.isclose(steps, round(steps), abs_tol=1e-6))


def _is_size(value: Any) -> bool:
    sides = value if isinstance(value, Collection) and not isinstance(value, str) else ()
    whole = all(_is_a(Integral, side) for side in sides)
    return len(sides) == 2 and whole and min(sides) > 0
