"""Area averages of a raster in the pixels of another grid, whatever their CRS."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsi_xr.io import grid
from hsi_xr.io.averaging import Array, Grid

_EDGE_POINTS = 21
"""Points on each side of a rectangle whose image in another CRS has curved sides."""


def average_onto(values: Array, fine: Grid, coarse: Grid) -> tuple[Array, Array]:
    """Averages a raster over the pixels of a coarser grid.

    Args:
        values: (rows, columns) on the fine grid, NaN where invalid. Beyond them, nothing is valid.
        fine: The grid of `values`; it covers the coarse one.
        coarse: The grid of the result.

    Returns:
        Mean of the valid values in each coarse pixel, NaN where there are none, and the share of
        its area that is valid; each (rows, columns).
    """
    from rasterio.warp import Resampling, reproject

    valid = np.isfinite(values)
    source = np.stack([np.where(valid, values, 0), valid]).astype("float32")
    sums = np.zeros((2, *coarse.shape), dtype="float32")
    reproject(
        source,
        sums,
        src_transform=fine.transform,
        src_crs=fine.crs,
        dst_transform=coarse.transform,
        dst_crs=coarse.crs,
        resampling=Resampling.average,
    )
    total, share = sums
    return np.where(share > 0, total / np.where(share > 0, share, 1), np.nan), share


def pixel_bounds(own: Grid, other: Grid) -> tuple[float, float, float, float]:
    """Returns the bounds of a grid in pixels of another: top, left, bottom, right.

    Raises:
        CRSError: A position has no coordinates in the CRS of the other grid.
    """
    from rasterio.warp import transform

    side = np.linspace(0, 1, _EDGE_POINTS)
    rim: NDArray[Any] = np.concatenate(
        [np.stack([side, 0 * side + end], 1) for end in (0, 1)]
        + [np.stack([0 * side + end, side], 1) for end in (0, 1)]
    )
    rows, columns = own.shape
    x, y = grid.points(own.transform, rim * (columns, rows)).T
    if own.crs != other.crs:
        x, y = (np.array(each) for each in transform(own.crs, other.crs, x, y))
    pixels = grid.points(~other.transform, np.stack([x, y], axis=1))
    (left, top), (right, bottom) = pixels.min(0), pixels.max(0)
    return float(top), float(left), float(bottom), float(right)
