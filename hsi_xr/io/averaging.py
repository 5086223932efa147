"""Resamples a raster to a coarser grid with the same axes by area-weighted means."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rasterio.crs import CRS

Array = NDArray[np.float32]
Edges = NDArray[np.floating[Any]]

_COVERED = 0.5
"""Fraction of a coarse pixel's area that must be valid for its mean to be valid."""


@dataclass(frozen=True)
class Grid:
    """The georeference and shape of a raster."""

    transform: Affine
    """Maps (column, row) to coordinates in `crs`."""
    crs: "CRS | None"
    shape: tuple[int, int]
    """(rows, columns)"""

    def edges_in(self, other: "Grid") -> tuple[Edges, Edges]:
        """Returns the edges of the rows and columns, in fractional rows and columns of `other`."""
        own, base = self.transform, other.transform
        rows = own.f + own.e * np.arange(self.shape[0] + 1)
        columns = own.c + own.a * np.arange(self.shape[1] + 1)
        return (rows - base.f) / base.e, (columns - base.c) / base.a


def average(values: Array, fine: Grid, coarse: Grid) -> Array:
    """Returns the area-weighted mean of the valid values in each coarse pixel.

    Args:
        values: (n, rows, columns) on the fine grid, NaN where invalid.
        fine: The grid of `values`.
        coarse: The grid of the result, with the same CRS and axes.

    Returns:
        (n, rows, columns) on the coarse grid; NaN where less than half of a pixel is valid.
    """
    rows, columns = coarse.edges_in(fine)
    area = abs(coarse.transform.determinant / fine.transform.determinant)
    means = np.empty((len(values), *coarse.shape), dtype="float32")
    for plane, mean in zip(values, means):
        valid = np.isfinite(plane)
        covered = _integrate(_integrate(valid, rows, 0), columns, 1)
        total = _integrate(_integrate(np.where(valid, plane, 0), rows, 0), columns, 1)
        enough = np.abs(covered) >= _COVERED * area
        mean[...] = np.where(enough, total / np.where(enough, covered, 1), np.nan)
    return means


def _integrate(values: NDArray[Any], edges: Edges, axis: int) -> Edges:
    """Integrates values between consecutive edges along an axis; edges may lie within pixels."""
    size = values.shape[axis]
    sums = np.cumsum(values, axis=axis, dtype="float64")
    sums = np.concatenate([np.zeros_like(sums.take([0], axis)), sums], axis)
    inside = edges.clip(0, size)
    below = np.minimum(inside.astype(int), size - 1)
    part = np.expand_dims(inside - below, 1 - axis)
    up_to_edge = (1 - part) * sums.take(below, axis) + part * sums.take(below + 1, axis)
    return np.diff(up_to_edge, axis=axis)
