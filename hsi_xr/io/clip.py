"""The window of a scene that covers given bounds."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hsi_xr.errors import NotGeoreferenced, UsageError
from hsi_xr.io import grid
from hsi_xr.io.georef import transform_of

if TYPE_CHECKING:
    import xarray as xr

_TOLERANCE = 1e-6
"""Bounds within this distance of the edge of a pixel, in pixels, snap to that edge."""


@dataclass(frozen=True)
class Window:
    """Rows and columns of a scene, half open."""

    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def crop(self, cube: "xr.Dataset") -> "xr.Dataset":
        """Return this part of a cube of the scene, lazily, with its georeference."""
        return cube.isel(y=self.rows, x=self.columns)


def window(scene: "xr.DataArray | xr.Dataset", bounds: grid.Bounds) -> Window:
    """Return the smallest window whose pixels cover the bounds, clipped to the scene.

    If the scene is rotated relative to its CRS, the window covers more than the bounds.

    Args:
        scene: A scene with dimensions y and x, and a transform.
        bounds: Bounds in the CRS of the scene.

    Raises:
        UsageError: The bounds are reversed or outside the scene.
        NotGeoreferenced: The scene has no transform.
    """
    west, south, east, north = bounds
    if not (west < east and south < north):
        raise UsageError(f"bounds must be min x, min y, max x, max y; got {_text(bounds)}")
    transform, shape = transform_of(scene), (scene.sizes["y"], scene.sizes["x"])
    if transform is None:
        raise NotGeoreferenced(
            "bounds need a scene with a transform, and this one has none; assign one, e.g. "
            "`scene.rio.write_transform(affine)`"
        )
    corners = [(west, south), (west, north), (east, south), (east, north)]
    columns, rows = grid.points(~transform, corners).T
    part = Window(rows=_span(rows, shape[0]), columns=_span(columns, shape[1]))
    if min(part.shape) <= 0:
        raise UsageError(
            f"the bounds {_text(bounds)} are outside the scene, whose bounds are "
            f"{_text(grid.bounds(transform, shape))}; give bounds in the CRS of the scene"
        )
    return part


def _span(pixels: NDArray[np.float64], size: int) -> slice:
    first = int(np.floor(pixels.min() + _TOLERANCE))
    last = int(np.ceil(pixels.max() - _TOLERANCE))
    return slice(max(first, 0), min(last, size))


def _text(bounds: grid.Bounds) -> str:
    return " ".join(f"{value:.10g}" for value in bounds)
