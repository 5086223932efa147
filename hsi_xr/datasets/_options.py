"""Options of data sets, checked when a data set is opened.

Values come from TOML files and from the command line, so any type can arrive. Every function
returns the value with its type and raises UsageError if it is not one.
"""

import math
from collections.abc import Callable, Collection, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, TypeGuard, TypeVar, get_args

from hsi_xr.band_grid import Bands
from hsi_xr.datasets._base import Coding
from hsi_xr.errors import UsageError
from hsi_xr.pipeline.radiometry import KINDS

if TYPE_CHECKING:
    from rasterio.crs import CRS

T = TypeVar("T")


def coding(value: object) -> Coding:
    """Returns the tone curve of RGB images: `linear` or `srgb`."""
    return _require(value, "coding", _one_of(get_args(Coding)), _is_coding)


def scale(value: object, name: str = "scale") -> float | None:
    """Returns a positive number, or None."""
    return None if value is None else _require(value, name, "a positive number", is_positive)


def size(value: object, name: str = "size") -> tuple[int, int]:
    """Returns (rows, columns)."""
    rows, columns = _require(value, name, "(rows, columns) in pixels", _is_size)
    return int(rows), int(columns)


def bands(value: object, name: str = "bands") -> Bands:
    """Returns a band grid from a `Bands`, or from first centre, last centre and step in nm."""
    if isinstance(value, Bands):
        return value
    expected = "[first, last, step] in nm, a whole number of steps, e.g. [400, 700, 10], or a Bands"
    first, last, step = _require(value, name, expected, _is_range)
    return Bands.regular(first, last, step)


def radiometry(value: object) -> str | None:
    """Returns one of `hsi_xr.pipeline.radiometry.KINDS`, or None."""
    return None if value is None else _require(value, "radiometry", _one_of(KINDS), _is_radiometry)


def crs(value: object) -> "CRS | None":
    """Returns a CRS from whatever rasterio accepts as one, or None."""
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    if value is None:
        return None
    try:
        return CRS.from_user_input(value)
    except (CRSError, OverflowError, TypeError, ValueError) as error:
        raise _wrong_value(value, "crs", "a CRS, e.g. 'EPSG:32618'") from error


def is_positive(value: object) -> TypeGuard[float]:
    """True for a finite positive number; booleans do not count as numbers."""
    return _is_number(value) and 0 < value < math.inf


def _require(
    value: object, name: str, expected: str, is_valid: Callable[[object], TypeGuard[T]]
) -> T:
    if not is_valid(value):
        raise _wrong_value(value, name, expected)
    return value


def _wrong_value(value: object, name: str, expected: str) -> UsageError:
    return UsageError(f"{name} must be {expected}; got {value!r}")


def _one_of(words: Collection[str]) -> str:
    return f"one of {', '.join(words)}"


def _is_coding(value: object) -> TypeGuard[Coding]:
    return isinstance(value, str) and value in get_args(Coding)


def _is_radiometry(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value in KINDS


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_range(value: object) -> TypeGuard[tuple[float, float, float]]:
    if not isinstance(value, Sequence) or len(value) != 3 or not all(map(is_positive, value)):
        return False
    first, last, step = value
    steps = (last - first) / step
    return bool(steps >= 0 and math.isclose(steps, round(steps), abs_tol=1e-6))


def _is_size(value: object) -> TypeGuard[tuple[int, int]]:
    if not isinstance(value, Collection) or isinstance(value, str) or len(value) != 2:
        return False
    return all(_is_integer(side) and side > 0 for side in value)
