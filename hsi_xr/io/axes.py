"""Where pixels are along one axis, from the coordinates of their centres.

Coordinates are rounded to their data type. At a northing of 4 650 000 m, float32 has steps of half
a metre, so the coordinates of small pixels are neither even nor exact. The position of the pixels
on a grid that is known from elsewhere may still follow from all coordinates together.
"""

import numpy as np
from numpy.typing import NDArray

from hsi_xr.errors import InvalidData

Coordinates = NDArray[np.generic]

_ROUNDING = 1e-3
"""Tolerance in pixels; float64 coordinates locate a 1 cm pixel on Earth to about 1e-7 pixels."""
_UNEVEN = 0.01
"""Tolerance of evenly spaced coordinates, in pixels."""
_COARSEST = 0.25
"""Largest rounding error of coordinates, in pixels, from which a transform is derived."""
_CANDIDATES = 100
"""More steps or positions than this are as good as unknown."""


def position(values: Coordinates, name: str, *, origin: float, size: float) -> tuple[float, float]:
    """Returns the first pixel and the step between pixels, in pixels of a known grid.

    Args:
        values: Coordinates of the centres, as stored.
        name: Name of the coordinate, for messages.
        origin: Edge of the grid; the centre of its pixel i is at origin + size * (i + 0.5).
        size: Size of its pixels, negative if coordinates decrease.

    Raises:
        InvalidData: The coordinates are not evenly spaced, or too coarse to tell the pixels.
    """
    pixels = (values.astype(np.float64) - origin) / size - 0.5
    error = _rounding_error(values) / abs(size)
    if error <= _ROUNDING and _is_even(pixels):
        return _round_to_halves(pixels[0]), _round_to_halves(_step(pixels))
    error = max(error, _single_error(values) / abs(size))
    for tolerance in (error, 2 * error):  # twice if they were computed, not only stored, in float32
        found = _positions(pixels, tolerance) if tolerance > _ROUNDING else []
        if len(found) == 1:
            return found[0]
        if found:
            raise _too_coarse(name, error)
    first, step = _fitted(pixels, error, name)
    return _round_to_halves(first), _round_to_halves(step)


def fit(values: Coordinates, name: str) -> tuple[float, float]:
    """Returns the first coordinate and the step between coordinates; there must be two or more.

    Raises:
        InvalidData: The coordinates are not evenly spaced, or too coarse to tell the step.
    """
    exact = values.astype(np.float64)
    step = _step(exact)
    if _rounding_error(values) <= _ROUNDING * abs(step) and _is_even(exact):
        return float(exact[0]), step
    return _fitted(exact, max(_rounding_error(values), _single_error(values)), name)


def _fitted(values: NDArray[np.float64], error: float, name: str) -> tuple[float, float]:
    """Returns first value and step of the line through values with a rounding error."""
    first, step = float(values[0]), _step(values)
    if np.isfinite(values).all() and not _is_even(values, _ROUNDING):
        step, offset = np.polyfit(np.arange(len(values)), values - first, 1).tolist()
        first += offset
    off = np.abs(first + step * np.arange(len(values)) - values).max()
    if step == 0 or not off <= 2 * error + _UNEVEN * abs(step):
        raise InvalidData(
            f"coordinate {name!r} is not evenly spaced, so its pixels differ in size; "
            "resample the scene to a regular grid, e.g. with `scene.rio.reproject`"
        )
    if error > _COARSEST * abs(step):
        raise _too_coarse(name, error / abs(step))
    return first, step


def _too_coarse(name: str, error: float) -> InvalidData:
    return InvalidData(
        f"coordinate {name!r} is rounded to {2 * error:.2g} pixels, which does not tell where they "
        "are; assign it in float64, or state the transform of the array alone, e.g. "
        "`scene.drop_vars(['x', 'y']).rio.write_transform(affine)`"
    )


def _positions(pixels: NDArray[np.float64], error: float) -> list[tuple[float, float]]:
    """Returns all (first, step) that agree with positions known to within an error.

    Slices and thinned arrays are at whole pixels with whole steps; coarsening by an even number
    ends up at half pixels.
    """
    index = np.arange(len(pixels))
    steps = [1.0]
    if len(pixels) > 1:
        slack = 2 * error / (len(pixels) - 1)
        steps = [s for s in _multiples(1, _step(pixels) - slack, _step(pixels) + slack) if s]
    found: list[tuple[float, float]] = []
    for step in steps:
        offsets = pixels - step * index
        unit = 0.5 if step % 2 == 0 else 1.0
        slack = error * (1 + _ROUNDING)
        found += [(k, step) for k in _multiples(unit, offsets.max() - slack, offsets.min() + slack)]
    return found


def _multiples(unit: float, low: float, high: float) -> list[float]:
    numbers = range(int(np.ceil(low / unit)), int(np.floor(high / unit)) + 1)
    return [number * unit for number in numbers[:_CANDIDATES]]


def _step(values: NDArray[np.float64]) -> float:
    return float(values[-1] - values[0]) / (len(values) - 1) if len(values) > 1 else 1.0


def _is_even(values: NDArray[np.float64], tolerance: float = _UNEVEN) -> bool:
    step = _step(values)
    even = values[0] + step * np.arange(len(values))
    return bool(step != 0 and np.abs(values - even).max() <= tolerance * abs(step))


def _rounding_error(values: Coordinates) -> float:
    """Returns half a step of the data type at the largest coordinate."""
    if values.dtype.kind != "f":
        return 0.0
    return float(np.spacing(np.abs(values).max())) / 2


def _single_error(values: Coordinates) -> float:
    """Returns the rounding error of float32 if that is what all values are, else 0."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    return _rounding_error(single) if (single == values).all() else 0.0


def _round_to_halves(pixels: float) -> float:
    """Removes rounding errors; coarsening by an even number ends up at half pixels."""
    half = round(pixels * 2) / 2
    return half if abs(pixels - half) < _ROUNDING else float(pixels)
