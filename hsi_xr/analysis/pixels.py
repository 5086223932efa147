"""Parts of a cube by place and by wavelength."""

from typing import Any

import numpy as np
import xarray as xr

from hsi_xr.errors import NotGeoreferenced, UsageError
from hsi_xr.raster import grid
from hsi_xr.raster.cube import Cube, bands_of, cube_of
from hsi_xr.raster.place import transform_of

_EDGE = 1e-6
"""Pixels: a place that is this close to the edge of a cube is on it."""


def spectrum(obj: Cube, x: float, y: float) -> Cube:
    """The spectrum of the pixel that a place lies in.

    Args:
        obj: A cube, as a Dataset with `reflectance` or as an array (band, y, x).
        x: In the CRS of the cube.
        y: In the CRS of the cube.

    Returns:
        Dataset or array, as what was given, over `wavelength` in nm, lazy if the cube is; scalar
        coordinates `x` and `y` are the centre of the pixel. `calibrate` and `sam` take its array.

    Raises:
        UsageError: The place is not on the cube.
        NotGeoreferenced: The cube does not tell where it lies.
    """
    cube = cube_of(obj)
    bands_of(cube)  # a spectrum has one number a wavelength
    (row, column), (east, north) = _located(cube, x, y)
    pixel: Any = obj.isel(y=row, x=column)
    return pixel.swap_dims(band="wavelength").assign_coords(x=east, y=north)


def nearest_band(obj: Cube, wavelength: float) -> Any:
    """The band nearest to a wavelength in nm, as what `sel(band=...)` takes.

    Raises:
        UsageError: The wavelength is further from all bands than they are from each other.
    """
    cube = cube_of(obj)
    bands, order = bands_of(cube)
    first, last = bands.centres[0], bands.centres[-1]
    if not first - bands.step <= wavelength <= last + bands.step:
        raise UsageError(
            f"the cube has {first:g} to {last:g} nm, and nothing near {wavelength:g} nm; give a "
            "wavelength there, in nm"
        )
    return cube["band"].values[order[bands.nearest(wavelength)]].item()


def bands(obj: Cube, first: float, last: float) -> Cube:
    """The bands whose centres lie from one wavelength to another in nm, both included.

    Unlike `sel(wavelength=slice(first, last))`, for bands in any order, and never for none.

    Raises:
        UsageError: No band lies there.
    """
    own, order = bands_of(cube_of(obj))
    chosen = sorted(at for at, nm in zip(order.tolist(), own.centres) if first <= nm <= last)
    if not chosen:
        raise UsageError(
            f"no band lies from {first:g} to {last:g} nm; the cube has {own.centres[0]:g} to "
            f"{own.centres[-1]:g} nm in steps of {own.step:g}"
        )
    return obj.isel(band=chosen)


def _located(cube: xr.DataArray, x: float, y: float) -> tuple[tuple[int, int], tuple[float, float]]:
    """Row and column of the pixel that a place lies in, and x and y of its centre."""
    transform, shape = transform_of(cube), (cube.sizes["y"], cube.sizes["x"])
    if transform is None:
        raise NotGeoreferenced(
            "the cube does not tell where it lies, so no place can be found on it; take a pixel, "
            "e.g. `cube.isel(y=10, x=20)`"
        )
    ((column, row),) = grid.points(~transform, [(x, y)]).tolist()
    inside = -_EDGE <= row <= shape[0] + _EDGE and -_EDGE <= column <= shape[1] + _EDGE
    if not inside:
        low_x, low_y, high_x, high_y = grid.bounds(transform, shape)
        raise UsageError(
            f"the place {x:.10g}, {y:.10g} is not on the cube, which spans x {low_x:.10g} to "
            f"{high_x:.10g}, y {low_y:.10g} to {high_y:.10g}; give a place there, in its CRS"
        )
    rows, columns = (int(np.clip(at, 0, n - 1)) for at, n in zip((row, column), shape))
    ((east, north),) = grid.points(transform, [(columns + 0.5, rows + 0.5)]).tolist()
    return (rows, columns), (east, north)
