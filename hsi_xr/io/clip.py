"""The part of a scene that covers given bounds."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hsi_xr.errors import NotGeoreferenced, UsageError
from hsi_xr.io import grid
from hsi_xr.io.georef import transform_of

if TYPE_CHECKING:
    import xarray as xr

_WHOLE = 1e-6
"""Pixels: bounds that lie this close to a pixel's edge mean that edge."""


@dataclass(frozen=True)
class Window:
    """Rows and columns of a scene, half open."""

    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def crop(self, cube: "xr.Dataset") -> "xr.Dataset":
        """This part of a cube of the scene, lazily; its coordinates tell where it lies."""
        return cube.isel(y=self.rows, x=self.columns)


def window(scene: "xr.DataArray | xr.Dataset", bounds: grid.Bounds) -> Window:
    """The smallest window whose pixels cover the bounds, as far as the scene reaches.

    Where the scene is rotated against its CRS, the window covers more than the bounds.

    Args:
        scene: With dimensions y, x and its transform.
        bounds: In the units of the scene's CRS.

    Raises:
        UsageError: The bounds are turned around, or lie outside of the scene.
        NotGeoreferenced: The scene does not tell where it lies.
    """
    west, south, east, north = bounds
    if not (west < east and south < north):
        raise UsageError(
            f"bounds are least x, least y, greatest x, greatest y; got {_text(bounds)}"
        )
    transform, shape = transform_of(scene), (scene.sizes["y"], scene.sizes["x"])
    if transform is None:
        raise NotGeoreferenced("the scene has no transform, so bounds cannot be found in it")
    corners = [(west, south), (west, north), (east, south), (east, north)]
    columns, rows = grid.points(~transform, corners).T
    found = Window(rows=_span(rows, shape[0]), columns=_span(columns, shape[1]))
    if min(found.shape) <= 0:
        raise UsageError(
            f"the bounds {_text(bounds)} lie outside of the scene, whose bounds are "
            f"{_text(grid.bounds(transform, shape))}; give bounds in the scene's CRS"
        )
    return found


def _span(places: NDArray[np.float64], size: int) -> slice:
    first = int(np.floor(places.min() + _WHOLE))
    last = int(np.ceil(places.max() - _WHOLE))
    return slice(max(first, 0), min(last, size))


def _text(bounds: grid.Bounds) -> str:
    return " ".join(f"{value:.10g}" for value in bounds)
