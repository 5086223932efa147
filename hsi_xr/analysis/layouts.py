"""Cubes as other libraries lay them out: HyperCoast, Spectral Python."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from hsi_xr.errors import NotGeoreferenced
from hsi_xr.extras import require
from hsi_xr.io.cube import Cube, bands_of, cube_of, making
from hsi_xr.io.georef import crs_of

if TYPE_CHECKING:
    from spectral.image import ImageArray


def to_hypercoast(obj: Cube) -> xr.Dataset:
    """A cube as HyperCoast's readers give one, for `Map.add_hyper`, `image_cube` and the like.

    Returns:
        Dataset with `reflectance` alone (y, x, wavelength), lazy if the cube is, and the CRS as
        attribute `crs` where it is known. Wavelengths are ascending, in nm.

    Raises:
        NotGeoreferenced: Pixels have no x and y of their own, as on a rotated grid.

    Source: `read_wyvern` and `read_aviris` of HyperCoast 0.27.
    """
    cube = cube_of(obj)
    _, order = bands_of(cube)
    if "x" not in cube.coords or "y" not in cube.coords:
        raise NotGeoreferenced(
            "HyperCoast finds pixels by coordinates x and y, which this cube has not; bring it "
            "onto an upright grid first, e.g. `cube.rio.reproject(cube.rio.crs)`"
        )
    ordered = cube.isel(band=order).swap_dims(band="wavelength").drop_vars("band", errors="ignore")
    told = {**making(cube), **making(obj)}
    if (crs := crs_of(obj)) is not None:
        told["crs"] = crs.to_string()
    found = ordered.transpose("y", "x", "wavelength").to_dataset(name="reflectance")
    return found.assign_attrs(told)


def to_spectral(obj: Cube) -> "ImageArray":
    """A cube as Spectral Python's images in memory: (rows, columns, bands) float32.

    Computes all of it; take a part of a large one first. `bands` has centres and widths in nm, and
    `spectral.envi.save_image` writes them. What Spectral Python has no place for (CRS, transform,
    deviation) is left out.

    Raises:
        UsageError: Spectral Python is not installed.
    """
    require("spectral")
    from spectral import BandInfo
    from spectral.image import ImageArray

    cube = cube_of(obj)
    own, order = bands_of(cube)
    values = np.asarray(cube.isel(band=order).transpose("y", "x", "band").values, dtype="float32")
    bands: Any = BandInfo()
    bands.centers, bands.bandwidths = list(own.centres), list(own.widths or ())
    bands.band_quantity, bands.band_unit = "Wavelength", "nanometers"
    rows, columns, count = values.shape
    params = SimpleNamespace(nrows=rows, ncols=columns, nbands=count, dtype=values.dtype)
    told = {**making(cube), **making(obj), **cube.attrs}
    words = [str(told[key]) for key in ("long_name", "comment", "hsi_xr_model") if key in told]
    source = SimpleNamespace(
        params=lambda: params,
        metadata={"description": "; ".join(words)} if words else {},
        bands=bands,
        filename="",
    )
    return ImageArray(values, source)
