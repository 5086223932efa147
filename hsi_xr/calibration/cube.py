"""A cube before and after its calibration: which bands it has, and how it is labelled."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr._version import __version__
from hsi_xr.calibration.gains import Gains
from hsi_xr.calibration.spectrum import sorted_bands
from hsi_xr.errors import BandMismatch, UsageError
from hsi_xr.raster.product import Product
from hsi_xr.raster.read import open as open_raster
from hsi_xr.spectra import Bands

Cube = xr.Dataset | xr.DataArray

LABELS = {
    "standard_name": "surface_bidirectional_reflectance",
    "long_name": "calibrated surface reflectance",
}
_OF_ALL = ("hsi_xr_", "datetime")
"""Attributes of a file that are about all of its arrays."""
_MULTIPLIED = ("reflectance", "reflectance_std")
_PAST = ("rgb_residual", "hsi_xr_consistency")
"""Variables and attributes that are about the numbers before."""


def cube_of(obj: Cube) -> xr.DataArray:
    """The reflectance of what may be calibrated, (band, y, x)."""
    if isinstance(obj, xr.Dataset) and "reflectance" not in obj:
        raise UsageError(
            "a cube has a variable called 'reflectance'; this dataset has "
            f"{', '.join(map(str, obj.data_vars)) or 'none'}. Reconstruct it first, e.g. "
            "`hsi_xr.reconstruct(ds).hsi.calibrate(...)`"
        )
    cube = obj["reflectance"] if isinstance(obj, xr.Dataset) else obj
    if {*cube.dims} != {"band", "y", "x"} or "wavelength" not in cube.coords:
        raise BandMismatch(
            "a cube has the axes band, y, x and the coordinate `wavelength` along its bands; this "
            f"one has {', '.join(map(str, cube.dims))}. Give what `reconstruct` gave"
        )
    return cube.transpose("band", "y", "x")


def opened(path: Path) -> xr.Dataset:
    """A written product with its deviation, lazily.

    Raises:
        UnreadableFile: There is no raster of that name.
        InvalidData: It is no product of ours.
    """
    deviation = Product.read(path).companion("reflectance_std")
    dataset = dataset_of(open_raster(path))
    if deviation is not None:
        dataset["reflectance_std"] = open_raster(path, variable="reflectance_std").variable
    return dataset


def bands_of(cube: xr.DataArray) -> tuple[Bands, NDArray[np.intp]]:
    """By ascending wavelength, with widths (their distances where not told), and where they are."""
    bands, order = sorted_bands(cube, "the cube")
    if len(bands) < 2:
        raise BandMismatch("the cube has one band; calibrate it with those that it came with")
    widths = np.array(bands.widths, np.float64)
    widths = np.where(np.isnan(widths), np.gradient(bands.centres), widths)
    return Bands(bands.centres, tuple(widths.tolist())), order


def dataset_of(obj: Cube) -> xr.Dataset:
    """A cube with what tells of the making among its own attributes."""
    if isinstance(obj, xr.Dataset):
        return obj.drop_vars(_PAST, errors="ignore")
    made = {key: value for key, value in obj.attrs.items() if str(key).startswith(_OF_ALL)}
    own = {key: value for key, value in obj.attrs.items() if key not in made}
    dataset = obj.assign_attrs().to_dataset(name="reflectance")
    dataset["reflectance"].attrs = own
    return dataset.assign_attrs(made)


def multiplied(dataset: xr.Dataset, factors: NDArray[np.float32]) -> xr.Dataset:
    """Lazily; nothing of where the numbers once were stored is true of these."""
    by_band = xr.Variable("band", factors)
    found = dataset.copy()
    found.encoding = {}
    for name in _MULTIPLIED:
        if name in dataset:
            before = dataset[name].variable
            after = (before * by_band).transpose(*before.dims)
            after.attrs = before.attrs
            after.encoding = {"grid_mapping": before.encoding.get("grid_mapping", "spatial_ref")}
            found[name] = after
    return found


def labelled(dataset: xr.Dataset, found: Gains) -> xr.Dataset:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    past = [str(dataset.attrs["history"])] if "history" in dataset.attrs else []
    history = "\n".join([*past, f"{now} hsi-xr {__version__} calibrate"])
    about = {**dataset["reflectance"].attrs, **LABELS}
    beside = [name for name in about.pop("ancillary_variables", "").split() if name in dataset]
    if beside:
        about["ancillary_variables"] = " ".join(beside)
    dataset["reflectance"].attrs = about
    kept = {key: value for key, value in dataset.attrs.items() if key not in _PAST}
    dataset.attrs = {
        **kept,
        "hsi_xr_level": "calibrated",
        **found.attributes,
        "history": history,
    }
    return dataset
