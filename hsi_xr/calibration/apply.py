"""Reads a cube for calibration, multiplies it by gains, and records how it was calibrated."""

from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr._version import __version__
from hsi_xr.calibration.gains import Gains
from hsi_xr.io.cube import Cube, shared_attributes
from hsi_xr.io.cube_file import CubeFile
from hsi_xr.io.open import open as open_raster
from hsi_xr.level_interval import LEVEL_VARIABLES
from hsi_xr.output_variables import OUTPUT_VARIABLES, output_variable
from hsi_xr.times import now, utc_text

CALIBRATED = {
    "standard_name": "surface_bidirectional_reflectance",
    "long_name": "calibrated surface reflectance",
}
_OUTDATED = [name for name, v in OUTPUT_VARIABLES.items() if not v.survives_calibration]
_OUTDATED_ATTRIBUTES = ["hsi_xr_consistency", *(f"hsi_xr_{name}" for name in LEVEL_VARIABLES)]
"""Attributes that describe the values before calibration."""


def open_product(path: Path) -> xr.Dataset:
    """Opens a written product lazily, together with its uncertainty.

    Raises:
        UnreadableFile: `path` is not a raster.
        InvalidData: `path` is not a product of hsi_xr.
    """
    companions = filter(_is_reflectance, CubeFile.read(path).companions)
    dataset = as_dataset(open_raster(str(path)))
    return dataset.assign(
        {name: open_raster(str(path), variable=name).variable for name in companions}
    )


def as_dataset(obj: Cube) -> xr.Dataset:
    """Returns a cube as a Dataset that has the provenance among its own attributes."""
    if isinstance(obj, xr.Dataset):
        return obj.drop_vars([*_OUTDATED, *LEVEL_VARIABLES], errors="ignore")
    provenance = shared_attributes(obj)
    own = {key: value for key, value in obj.attrs.items() if key not in provenance}
    dataset = obj.assign_attrs().to_dataset(name="reflectance")
    dataset["reflectance"].attrs = own
    return dataset.assign_attrs(provenance)


def multiply(dataset: xr.Dataset, factors: NDArray[np.float32]) -> xr.Dataset:
    """Multiplies reflectance and its uncertainty by a factor per band, lazily.

    The encoding of the source is dropped: it describes other values.
    """
    by_band = xr.Variable("band", factors)
    result = dataset.copy()
    result.encoding = {}
    for name in filter(_is_reflectance, dataset.data_vars):
        before = dataset[name].variable
        after = (before * by_band).transpose(*before.dims)
        after.attrs = before.attrs
        after.encoding = {"grid_mapping": before.encoding.get("grid_mapping", "spatial_ref")}
        result[name] = after
    return result


def record(dataset: xr.Dataset, gains: Gains) -> xr.Dataset:
    """Returns the dataset with attributes that state its calibration."""
    past = [str(dataset.attrs["history"])] if "history" in dataset.attrs else []
    attrs = {key: value for key, value in dataset.attrs.items() if key not in _OUTDATED_ATTRIBUTES}
    attrs |= {
        "hsi_xr_level": "calibrated",
        **gains.attributes,
        "history": "\n".join([*past, f"{utc_text(now())} hsi-xr {__version__} calibrate"]),
    }
    reflectance = dataset["reflectance"].assign_attrs(CALIBRATED)
    ancillary = reflectance.attrs.pop("ancillary_variables", "").split()
    if remaining := [name for name in ancillary if name in dataset]:
        reflectance.attrs["ancillary_variables"] = " ".join(remaining)
    result = dataset.assign(reflectance=reflectance)
    result.attrs = attrs
    return result


def _is_reflectance(name: object) -> bool:
    variable = output_variable(str(name))
    return variable is not None and variable.is_reflectance
