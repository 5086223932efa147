"""Geometry of a pixel grid, from its affine transform."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from affine import Affine

Bounds = tuple[float, float, float, float]
"""(min x, min y, max x, max y)"""


def points(transform: "Affine", pixels: ArrayLike) -> NDArray[np.float64]:
    """Return the (n, 2) coordinates x, y of (n, 2) columns and rows; pixel corners are integers."""
    columns, rows = np.asarray(pixels, dtype=np.float64).T
    a, b, c, d, e, f = tuple(transform)[:6]
    return np.stack([a * columns + b * rows + c, d * columns + e * rows + f], axis=1)


def bounds(transform: "Affine", shape: tuple[int, int]) -> Bounds:
    """Return the bounds of a grid of (rows, columns), which may be rotated."""
    rows, columns = shape
    corners = points(transform, [(0, 0), (columns, 0), (0, rows), (columns, rows)])
    (west, south), (east, north) = corners.min(axis=0), corners.max(axis=0)
    return float(west), float(south), float(east), float(north)


def pixel_size(transform: "Affine") -> tuple[float, float]:
    """Return the distance between rows, and between columns, in units of the CRS."""
    return float(np.hypot(transform.b, transform.e)), float(np.hypot(transform.a, transform.d))
