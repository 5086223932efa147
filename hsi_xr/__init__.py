"""Hyperspectral cubes estimated from georeferenced RGB images, in xarray.

    scene = hsi_xr.open("scene.tif")
    cube = scene.hsi.reconstruct()
    cube.hsi.to_product("cube.tif", datetime="2026-01-02T10:30:00Z")

Importing the package registers the accessor `.hsi`. The functions below are imported on first use,
and torch, GDAL, pystac and matplotlib with them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import hsi_xr.accessor  # noqa: F401  # registers `.hsi`
from hsi_xr._version import __version__

if TYPE_CHECKING:
    from hsi_xr import errors
    from hsi_xr.analysis.angles import sam
    from hsi_xr.analysis.indices import indices
    from hsi_xr.analysis.layouts import to_hypercoast, to_spectral
    from hsi_xr.analysis.library import library
    from hsi_xr.analysis.select import bands, nearest_band, spectrum
    from hsi_xr.analysis.sensors import to_sensor
    from hsi_xr.analysis.zonal import zonal
    from hsi_xr.batch.config import Conversion
    from hsi_xr.batch.convert import convert
    from hsi_xr.calibration.calibrate import calibrate, gains
    from hsi_xr.calibration.gains import Gains
    from hsi_xr.camera.bandpass import sensors
    from hsi_xr.camera.spectral_response import cameras
    from hsi_xr.checkpoints import models
    from hsi_xr.io.open import open
    from hsi_xr.io.write import write
    from hsi_xr.pipeline.options import set_options
    from hsi_xr.pipeline.plan import plan
    from hsi_xr.pipeline.reconstruct import reconstruct, survey
    from hsi_xr.pipeline.scene_statistics import Survey
    from hsi_xr.product import Product, write_product
    from hsi_xr.stac.item import describe
    from hsi_xr.stac.validate.validate import validate

__all__ = [
    "Conversion",
    "Gains",
    "Product",
    "Survey",
    "__version__",
    "bands",
    "calibrate",
    "cameras",
    "convert",
    "describe",
    "errors",
    "gains",
    "indices",
    "library",
    "models",
    "nearest_band",
    "open",
    "plan",
    "reconstruct",
    "sam",
    "sensors",
    "set_options",
    "spectrum",
    "survey",
    "to_hypercoast",
    "to_sensor",
    "to_spectral",
    "validate",
    "write",
    "write_product",
    "zonal",
]

_MODULES = {
    "Conversion": "hsi_xr.batch.config",
    "Gains": "hsi_xr.calibration.gains",
    "Product": "hsi_xr.product",
    "Survey": "hsi_xr.pipeline.scene_statistics",
    "bands": "hsi_xr.analysis.select",
    "calibrate": "hsi_xr.calibration.calibrate",
    "cameras": "hsi_xr.camera.spectral_response",
    "convert": "hsi_xr.batch.convert",
    "describe": "hsi_xr.stac.item",
    "gains": "hsi_xr.calibration.calibrate",
    "indices": "hsi_xr.analysis.indices",
    "library": "hsi_xr.analysis.library",
    "models": "hsi_xr.checkpoints",
    "nearest_band": "hsi_xr.analysis.select",
    "open": "hsi_xr.io.open",
    "plan": "hsi_xr.pipeline.plan",
    "reconstruct": "hsi_xr.pipeline.reconstruct",
    "sam": "hsi_xr.analysis.angles",
    "sensors": "hsi_xr.camera.bandpass",
    "set_options": "hsi_xr.pipeline.options",
    "spectrum": "hsi_xr.analysis.select",
    "survey": "hsi_xr.pipeline.reconstruct",
    "to_hypercoast": "hsi_xr.analysis.layouts",
    "to_sensor": "hsi_xr.analysis.sensors",
    "to_spectral": "hsi_xr.analysis.layouts",
    "validate": "hsi_xr.stac.validate.validate",
    "write": "hsi_xr.io.write",
    "write_product": "hsi_xr.product",
    "zonal": "hsi_xr.analysis.zonal",
}


def __getattr__(name: str) -> Any:
    """Imports a public name on first use (PEP 562)."""
    if name == "errors":
        return import_module("hsi_xr.errors")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
