"""Sites with known spectra, and the mean spectrum of a cube at a site."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from affine import Affine
from dask.base import compute
from dask.delayed import delayed
from numpy.typing import NDArray

from hsi_xr.calibration.known_spectrum import Spectrum
from hsi_xr.io.averaging import Grid, average

_TOLERANCE = 1e-6
"""Distance, in pixels, within which an edge counts as on the edge of the cube."""


@dataclass(frozen=True)
class Box:
    """A rectangle along rows and columns, in pixels from the outer corner of the first pixel."""

    top: float
    left: float
    rows: float
    columns: float

    def within(self, shape: tuple[int, int]) -> bool:
        """True if the box is entirely within a cube of (rows, columns)."""
        return bool(
            min(self.top, self.left) >= -_TOLERANCE
            and self.top + self.rows <= shape[0] + _TOLERANCE
            and self.left + self.columns <= shape[1] + _TOLERANCE
        )

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the pixels that the box intersects."""
        return _covering(self.top, self.rows), _covering(self.left, self.columns)


@dataclass(frozen=True, eq=False)
class Site:
    """A piece of ground with a known spectrum."""

    name: str
    x: float
    y: float
    """Centre, in the CRS of the cube."""
    box: Box
    spectrum: Spectrum


def box_means(cube: xr.DataArray, boxes: Sequence[Box]) -> NDArray[np.float64]:
    """Averages a cube (band, y, x) over boxes within it, weighted by area.

    If the cube is lazy, only the pixels that the boxes intersect are computed, each chunk once.

    Returns:
        (boxes, bands); NaN where less than half of a box has data.
    """
    windows = [cube.isel(dict(zip(("y", "x"), box.window))).data for box in boxes]
    if cube.chunks is None:
        return np.array([_mean(window, box) for window, box in zip(windows, boxes)])
    lazy = [delayed(_mean)(window, box) for window, box in zip(windows, boxes)]
    return np.array(compute(*lazy))


def _mean(values: NDArray[np.float32], box: Box) -> NDArray[np.float64]:
    rows, columns = box.window
    fine = Grid(Affine.translation(columns.start, rows.start), None, values.shape[1:])
    one = Affine(box.columns, 0, box.left, 0, box.rows, box.top)
    return average(values, fine, Grid(one, None, (1, 1)))[:, 0, 0].astype(np.float64)


def _covering(start: float, length: float) -> slice:
    first = max(int(np.floor(start + _TOLERANCE)), 0)
    return slice(first, max(int(np.ceil(start + length - _TOLERANCE)), first + 1))
