"""Conversion of cubes to the layouts of HyperCoast and Spectral Python."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from hsi_xr.errors import NotGeoreferenced
from hsi_xr.extras import require
from hsi_xr.io.cube import Cube, bands_of, cube_of, shared_attributes
from hsi_xr.io.georef import crs_of

if TYPE_CHECKING:
    from spectral.image import ImageArray


def to_hypercoast(obj: Cube) -> xr.Dataset:
    """Converts a cube to the layout of HyperCoast's readers, e.g. for `Map.add_hyper`.

    Args:
        obj: Cube: Dataset with `reflectance`, or DataArray (band, y, x).

    Returns:
        Dataset with only `reflectance` (y, x, wavelength), lazy if the cube is; wavelengths are
        ascending, in nm. The attribute `crs` has the CRS if there is one.

    Raises:
        NotGeoreferenced: The cube has no x and y coordinates, as on a rotated grid.

    Source: `read_wyvern` and `read_aviris` of HyperCoast 0.27.
    """
    cube = cube_of(obj)
    _, order = bands_of(cube)
    if "x" not in cube.coords or "y" not in cube.coords:
        raise NotGeoreferenced(
            "HyperCoast locates pixels by the coordinates x and y, which this cube lacks; resample "
            "it to a north-up grid first, e.g. `cube.rio.reproject(cube.rio.crs)`"
        )
    ordered = cube.isel(band=order).swap_dims(band="wavelength").drop_vars("band", errors="ignore")
    attrs = shared_attributes(cube, obj)
    if (crs := crs_of(obj)) is not None:
        attrs["crs"] = crs.to_string()
    dataset = ordered.transpose("y", "x", "wavelength").to_dataset(name="reflectance")
    return dataset.assign_attrs(attrs)


def to_spectral(obj: Cube) -> "ImageArray":
    """Converts a cube to an in-memory image of Spectral Python, (rows, columns, bands) float32.

    Computes the whole cube; select a part of a large one first. `bands` has centres and widths in
    nm, which `spectral.envi.save_image` writes. CRS, transform and uncertainty are dropped, since
    Spectral Python does not represent them.

    Args:
        obj: Cube: Dataset with `reflectance`, or DataArray (band, y, x).

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
    attrs = {**shared_attributes(cube, obj), **cube.attrs}
    keys = ("long_name", "comment", "hsi_xr_model")
    description = "; ".join(str(attrs[key]) for key in keys if key in attrs)
    source = SimpleNamespace(
        params=lambda: params,
        metadata={"description": description} if description else {},
        bands=bands,
        filename="",
    )
    return ImageArray(values, source)
