"""Where on a cube spectra are known, and what the cube says there."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from affine import Affine
from dask.base import compute
from dask.delayed import delayed
from numpy.typing import NDArray

from hsi_xr.calibration.known_spectrum import Spectrum
from hsi_xr.io.averaging import Grid, averaged

_WHOLE = 1e-6
"""Pixels: an edge that lies this close to that of a cube is on it."""


@dataclass(frozen=True)
class Box:
    """A rectangle along the rows and columns of a cube, in pixels from its first corner."""

    top: float
    left: float
    rows: float
    columns: float

    def within(self, shape: tuple[int, int]) -> bool:
        """Whether all of it lies in a cube of (rows, columns)."""
        return bool(
            min(self.top, self.left) >= -_WHOLE
            and self.top + self.rows <= shape[0] + _WHOLE
            and self.left + self.columns <= shape[1] + _WHOLE
        )

    @property
    def window(self) -> tuple[slice, slice]:
        """The pixels that it touches."""
        return _touched(self.top, self.rows), _touched(self.left, self.columns)


@dataclass(frozen=True, eq=False)
class Site:
    """A piece of ground whose spectrum is known."""

    name: str
    x: float
    y: float
    """Its centre, in the CRS of the cube."""
    box: Box
    spectrum: Spectrum


def means(cube: xr.DataArray, boxes: Sequence[Box]) -> NDArray[np.float64]:
    """Means of a cube (band, y, x) by area over boxes within it, (boxes, bands).

    NaN where less than half of a box is known. Of a lazy cube, only what the boxes touch is
    computed, each chunk once.
    """
    windows = [cube.isel(dict(zip(("y", "x"), box.window))).data for box in boxes]
    if cube.chunks is None:
        return np.array([_mean(window, box) for window, box in zip(windows, boxes)])
    lazy = [delayed(_mean)(window, box) for window, box in zip(windows, boxes)]
    return np.array(compute(*lazy, scheduler="threads"))


def _mean(values: NDArray[np.float32], box: Box) -> NDArray[np.float64]:
    rows, columns = box.window
    fine = Grid(Affine.translation(columns.start, rows.start), None, values.shape[1:])
    one = Affine(box.columns, 0, box.left, 0, box.rows, box.top)
    return averaged(values, fine, Grid(one, None, (1, 1)))[:, 0, 0].astype(np.float64)


def _touched(start: float, length: float) -> slice:
    first = max(int(np.floor(start + _WHOLE)), 0)
    return slice(first, max(int(np.ceil(start + length - _WHOLE)), first + 1))
