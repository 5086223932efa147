"""Hyperspectral scenes from RGB: `open`, `reconstruct`, `write`, `describe`, and `.hsi` on xarray.

Nothing heavy is imported before it is used: not torch, not GDAL, and xarray only if it is there.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hsi_xr import _register
from hsi_xr._version import __version__

if TYPE_CHECKING:
    from hsi_xr import errors
    from hsi_xr.analysis.angles import sam
    from hsi_xr.analysis.indices import indices
    from hsi_xr.analysis.layouts import to_hypercoast, to_spectral
    from hsi_xr.analysis.library import library
    from hsi_xr.analysis.pixels import bands, nearest_band, spectrum
    from hsi_xr.analysis.sensors import sensors, to_sensor
    from hsi_xr.calibration.gains import Gains
    from hsi_xr.calibration.verbs import calibrate, gains
    from hsi_xr.conversion.how import Conversion
    from hsi_xr.conversion.verbs import convert
    from hsi_xr.facts import Survey
    from hsi_xr.pipeline import reconstruct, survey
    from hsi_xr.planning import plan
    from hsi_xr.raster.describe import describe
    from hsi_xr.raster.read import open
    from hsi_xr.raster.write import write
    from hsi_xr.reconstructors import models
    from hsi_xr.responses import cameras
    from hsi_xr.stac.verbs import validate

__all__ = [
    "Conversion",
    "Gains",
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
    "spectrum",
    "survey",
    "to_hypercoast",
    "to_sensor",
    "to_spectral",
    "validate",
    "write",
]

_HOMES = {
    "Conversion": "hsi_xr.conversion.how",
    "Gains": "hsi_xr.calibration.gains",
    "Survey": "hsi_xr.facts",
    "bands": "hsi_xr.analysis.pixels",
    "calibrate": "hsi_xr.calibration.verbs",
    "cameras": "hsi_xr.responses",
    "convert": "hsi_xr.conversion.verbs",
    "describe": "hsi_xr.raster.describe",
    "gains": "hsi_xr.calibration.verbs",
    "indices": "hsi_xr.analysis.indices",
    "library": "hsi_xr.analysis.library",
    "models": "hsi_xr.reconstructors",
    "nearest_band": "hsi_xr.analysis.pixels",
    "open": "hsi_xr.raster.read",
    "plan": "hsi_xr.planning",
    "reconstruct": "hsi_xr.pipeline",
    "sam": "hsi_xr.analysis.angles",
    "sensors": "hsi_xr.analysis.sensors",
    "spectrum": "hsi_xr.analysis.pixels",
    "survey": "hsi_xr.pipeline",
    "to_hypercoast": "hsi_xr.analysis.layouts",
    "to_sensor": "hsi_xr.analysis.sensors",
    "to_spectral": "hsi_xr.analysis.layouts",
    "validate": "hsi_xr.stac.verbs",
    "write": "hsi_xr.raster.write",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its home on first use (PEP 562)."""
    if name == "errors":
        return import_module("hsi_xr.errors")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


_register.accessor_with_xarray()
