"""A cube before and after its calibration, and how it is labelled."""

from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr._version import __version__
from hsi_xr.calibration.gains import Gains
from hsi_xr.io.cube import Cube, making
from hsi_xr.io.cube_file import Product
from hsi_xr.io.open import open as open_raster
from hsi_xr.output_variables import OUTPUT_VARIABLES
from hsi_xr.times import now, utc_text

LABELS = {
    "standard_name": "surface_bidirectional_reflectance",
    "long_name": "calibrated surface reflectance",
}
_SCALED = [name for name, v in OUTPUT_VARIABLES.items() if v.is_reflectance]
_OUTDATED = [name for name, v in OUTPUT_VARIABLES.items() if not v.survives_calibration]
_OUTDATED_ATTRIBUTES = ["hsi_xr_consistency"]


def opened(path: Path) -> xr.Dataset:
    """A written product with its deviation, lazily.

    Raises:
        UnreadableFile: There is no raster of that name.
        InvalidData: It is no product of ours.
    """
    deviation = Product.read(path).companion("reflectance_std")
    dataset = dataset_of(open_raster(str(path)))
    if deviation is not None:
        dataset["reflectance_std"] = open_raster(str(path), variable="reflectance_std").variable
    return dataset


def dataset_of(obj: Cube) -> xr.Dataset:
    """A cube with what tells of the making among its own attributes."""
    if isinstance(obj, xr.Dataset):
        return obj.drop_vars(_OUTDATED, errors="ignore")
    made = making(obj)
    own = {key: value for key, value in obj.attrs.items() if key not in made}
    dataset = obj.assign_attrs().to_dataset(name="reflectance")
    dataset["reflectance"].attrs = own
    return dataset.assign_attrs(made)


def multiplied(dataset: xr.Dataset, factors: NDArray[np.float32]) -> xr.Dataset:
    """Lazily; nothing of where the numbers once were stored is true of these."""
    by_band = xr.Variable("band", factors)
    found = dataset.copy()
    found.encoding = {}
    for name in _SCALED:
        if name in dataset:
            before = dataset[name].variable
            after = (before * by_band).transpose(*before.dims)
            after.attrs = before.attrs
            after.encoding = {"grid_mapping": before.encoding.get("grid_mapping", "spatial_ref")}
            found[name] = after
    return found


def labelled(dataset: xr.Dataset, found: Gains) -> xr.Dataset:
    past = [str(dataset.attrs["history"])] if "history" in dataset.attrs else []
    history = "\n".join([*past, f"{utc_text(now())} hsi-xr {__version__} calibrate"])
    about = {**dataset["reflectance"].attrs, **LABELS}
    beside = [name for name in about.pop("ancillary_variables", "").split() if name in dataset]
    if beside:
        about["ancillary_variables"] = " ".join(beside)
    dataset["reflectance"].attrs = about
    kept = {key: value for key, value in dataset.attrs.items() if key not in _OUTDATED_ATTRIBUTES}
    dataset.attrs = {
        **kept,
        "hsi_xr_level": "calibrated",
        **found.attributes,
        "history": history,
    }
    return dataset
