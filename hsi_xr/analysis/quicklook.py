"""Three bands of a cube that make a picture."""

import numpy as np
import xarray as xr

from hsi_xr.band_grid import nearest
from hsi_xr.errors import BandMismatch


def three_bands(
    obj: xr.Dataset | xr.DataArray, wavelengths: tuple[float, float, float]
) -> xr.DataArray:
    """The bands nearest to three wavelengths, for `.plot.imshow(robust=True)` and the like.

    Args:
        obj: A cube with a `wavelength` coordinate in nm, or a Dataset with `reflectance`.
        wavelengths: Of red, green and blue, nm.

    Returns:
        (band, y, x) with three bands, values unchanged, lazy when the cube is.

    Raises:
        BandMismatch: No wavelengths.
    """
    cube = obj["reflectance"] if isinstance(obj, xr.Dataset) else obj
    if "wavelength" not in cube.coords:
        raise BandMismatch("the cube has no `wavelength` coordinate; assign it along `band`, in nm")
    centres = np.asarray(cube["wavelength"].values, dtype="float64").tolist()
    return cube.isel(band=[nearest(centres, nm) for nm in wavelengths])
