"""Means of a fine grid over the pixels of a coarse one; both aligned with the same axes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

Array = NDArray[np.float32]
Edges = NDArray[np.floating[Any]]

_SEEN = 0.5
"""Share of a coarse pixel that must be known for its mean to be."""


@dataclass(frozen=True)
class Grid:
    """Where pixels lie."""

    transform: Affine
    """From (column, row) to `crs`."""
    crs: Any
    shape: tuple[int, int]
    """(rows, columns)"""

    def edges_in(self, other: "Grid") -> tuple[Edges, Edges]:
        """Edges of its rows and of its columns, in rows and columns of another grid."""
        near, far = self.transform, other.transform
        rows = near.f + near.e * np.arange(self.shape[0] + 1)
        columns = near.c + near.a * np.arange(self.shape[1] + 1)
        return (rows - far.f) / far.e, (columns - far.c) / far.a


def average(values: Array, fine: Grid, coarse: Grid) -> Array:
    """Means by area of what is known (not NaN) in each coarse pixel.

    Args:
        values: (n, rows, columns) on the fine grid.
        fine: Its grid.
        coarse: The grid wanted.

    Returns:
        (n, rows, columns) on the coarse grid; NaN where less than half of a pixel is known.
    """
    rows, columns = coarse.edges_in(fine)
    area = abs(coarse.transform.determinant / fine.transform.determinant)
    found = np.empty((len(values), *coarse.shape), dtype="float32")
    for plane, mean in zip(values, found):
        known = np.isfinite(plane)
        seen = _integrals(_integrals(known, rows, 0), columns, 1)
        total = _integrals(_integrals(np.where(known, plane, 0), rows, 0), columns, 1)
        enough = np.abs(seen) >= _SEEN * area
        mean[...] = np.where(enough, total / np.where(enough, seen, 1), np.nan)
    return found


def _integrals(values: NDArray[Any], edges: Edges, axis: int) -> Edges:
    """Along an axis, between consecutive edges; a pixel that an edge cuts counts by its part."""
    size = values.shape[axis]
    sums = np.cumsum(values, axis=axis, dtype="float64")
    sums = np.concatenate([np.zeros_like(sums.take([0], axis)), sums], axis)
    at = edges.clip(0, size)
    below = np.minimum(at.astype(int), size - 1)
    part = np.expand_dims(at - below, 1 - axis)
    upto = (1 - part) * sums.take(below, axis) + part * sums.take(below + 1, axis)
    return np.diff(upto, axis=axis)
