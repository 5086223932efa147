"""Builds the Dataset of a reconstruction: names, wavelengths, attributes, provenance."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr._version import __version__
from hsi_xr.camera.spectral_response import SpectralResponse
from hsi_xr.io import grid
from hsi_xr.io.georef import coordinates
from hsi_xr.io.location import Location
from hsi_xr.level_interval import (
    LEVEL_FACTOR,
    LEVEL_FACTOR_ATTRIBUTES,
    LEVEL_VARIABLES,
    LevelInterval,
)
from hsi_xr.output_variables import CALIBRATED_FOR_SENSORS, DRAW_ATTRIBUTES, SAMPLE, OutputVariable
from hsi_xr.pipeline.level import StatedLevel
from hsi_xr.pipeline.outputs import Outputs
from hsi_xr.times import now, utc_text

if TYPE_CHECKING:
    from hsi_xr.pipeline.plan import Plan
    from hsi_xr.pipeline.scene import Scene

ESTIMATE = "model estimate, not a measurement"
DRAWN = (
    "draws from the posterior of the model for the stated level of the scene, not measurements; "
    "the pixels and bands of a draw belong together"
)
UNTRAINED = "output of random weights: neither a measurement nor an estimate"
TITLE = "Hyperspectral reflectance estimated from RGB"
TITLE_OF_SENSORS = "Hyperspectral reflectance estimated from multispectral bands"
_REFLECTANCE = {
    "standard_name": "surface_bidirectional_reflectance",
    "long_name": "reconstructed surface reflectance",
}
_ROUNDING = 1e-3
"""Pixels by which coordinates may be off the centres of pixels."""
_RELATIVE = {"long_name": "relative spectral reflectance"}
"""For images of unknown exposure, whose level is estimated."""


def to_dataset(
    plan: "Plan", stack: da.Array, level: da.Array, factors: da.Array | None = None
) -> xr.Dataset:
    """Returns the Dataset that `reconstruct` documents.

    Args:
        plan: The plan of the scene.
        stack: (channels of its outputs, y, x).
        level: Values of `LEVEL_VARIABLES`.
        factors: Factor of the level in each draw, if there are draws of an uncertain level.
    """
    variables = {
        variable.name: xr.Variable(
            _dims(variable, plan),
            _values(variable, stack[plan.job.outputs.slices[variable.name]], plan),
            _attributes(variable, plan),
            {} if plan.scene.location.transform is None else {"grid_mapping": "spatial_ref"},
        )
        for variable in plan.job.outputs.variables
    }
    if companions := [*plan.job.outputs.names][1:]:
        variables["reflectance"].attrs["ancillary_variables"] = " ".join(companions)
    if plan.level is None and plan.states_level:
        for value, (name, text) in zip(level, LEVEL_VARIABLES.items()):
            variables[name] = xr.Variable((), value, {"long_name": text, "units": "1"})
    if factors is not None:
        variables[LEVEL_FACTOR] = xr.Variable(SAMPLE, factors, LEVEL_FACTOR_ATTRIBUTES)
    return xr.Dataset(variables, _coordinates(plan), _provenance(plan))


def _dims(variable: OutputVariable, plan: "Plan") -> tuple[str, ...]:
    return (SAMPLE, *variable.dims) if _is_drawn(variable, plan) else variable.dims


def _is_drawn(variable: OutputVariable, plan: "Plan") -> bool:
    return plan.job.outputs.draws > 0 and variable.name == "reflectance"


def _values(variable: OutputVariable, channels: da.Array, plan: "Plan") -> da.Array:
    """Returns the values of a variable from its channels, which are in one chunk."""
    if _is_drawn(variable, plan):
        return _split_draws(channels, plan.job.outputs.draws)
    if variable.per_band:
        return channels
    if variable.reduce is None:
        return channels[0]
    empty = np.empty((0, 0), dtype="float32")
    return da.map_blocks(variable.reduce, channels, drop_axis=0, meta=empty)


def _split_draws(channels: da.Array, draws: int) -> da.Array:
    """Splits the first axis of an array, which is in one chunk, into draws and bands."""
    count, *others = channels.chunks

    def split(block: NDArray[np.float32]) -> NDArray[np.float32]:
        return block.reshape(draws, -1, *block.shape[1:])

    chunks = ((draws,), (sum(count) // draws,), *others)
    meta = np.empty((0, 0, 0, 0), dtype="float32")
    return da.map_blocks(split, channels, new_axis=0, chunks=chunks, meta=meta)


def _attributes(variable: OutputVariable, plan: "Plan") -> dict[str, str]:
    attributes: dict[str, str] = {}
    if variable.is_reflectance:
        is_absolute = plan.job.level_known or plan.level is not None
        quantity = _REFLECTANCE if is_absolute else _RELATIVE
        attributes = {**quantity, "units": "1", "comment": ESTIMATE}
    attributes |= {**variable.attributes, "units": "1"}
    if _is_drawn(variable, plan):
        attributes["comment"] = DRAWN
    if not plan.card.has_uncertainty:
        attributes |= variable.attributes_of_samples
    elif variable.name == "reflectance_std" and len(plan.scene.meaning.bands) > 3:
        attributes["comment"] = CALIBRATED_FOR_SENSORS
    if not plan.card.trained:
        attributes["comment"] = UNTRAINED
    model = {"hsi_xr_model": plan.card.name, "hsi_xr_model_sha256": _sha256(plan)}
    return attributes | model


def _coordinates(plan: "Plan") -> dict[str, xr.Variable]:
    scene, bands = plan.scene.rgb, plan.card.bands
    coords = {
        str(name): coordinate.variable
        for name, coordinate in scene.coords.items()
        if coordinate.dims and "band" not in coordinate.dims
    }
    coords |= _georeference(plan.scene, coords)
    if _has_thinned_numbers(plan.scene.location):
        coords = {name: coords[name] for name in coords if name not in ("y", "x")}
    numbers = xr.Variable("band", range(1, len(bands) + 1), {"long_name": "band number"})
    wavelength = {
        "standard_name": "radiation_wavelength",
        "long_name": "band centre wavelength",
        "units": "nm",
    }
    coords |= {
        "band": numbers,
        "wavelength": xr.Variable("band", [float(nm) for nm in bands.centres], wavelength),
    }
    if bands.widths is not None:
        fwhm = {"long_name": "full width at half maximum", "units": "nm"}
        coords["fwhm"] = xr.Variable("band", list(bands.widths), fwhm)
    if draws := plan.job.outputs.draws:
        coords[SAMPLE] = xr.Variable(SAMPLE, range(1, draws + 1), DRAW_ATTRIBUTES)
    return coords


def _georeference(scene: "Scene", stated: Mapping[str, xr.Variable]) -> dict[str, xr.Variable]:
    """Returns CRS, transform and pixel coordinates of a scene that has a transform.

    Coordinates of the scene that are pixel centres are left as they are, so that xarray aligns the
    cube with the scene; rounded ones, and corners of pixels, are replaced.
    """
    location, sizes = scene.location, scene.rgb.sizes
    if location.transform is None:
        return {}
    found = coordinates(location.transform, location.crs, (sizes["y"], sizes["x"]))
    tolerance = _ROUNDING * min(grid.pixel_size(location.transform))
    for name, exact in list(found.items()):
        own = stated.get(name)
        if own is None:
            continue
        is_number = name in ("row", "column")  # of the scene that this one was cut from
        if is_number or np.allclose(own.values, exact.values, rtol=0, atol=tolerance):
            del found[name]
    return found


def _has_thinned_numbers(location: Location) -> bool:
    """True if pixel numbers have a step other than 1, and would be read as map coordinates."""
    numbers = None if location.transform is not None else location.pixel_grid
    return numbers is not None and (numbers.a, numbers.e) != (1, 1)


def _camera(response: SpectralResponse) -> dict[str, str]:
    attributes = {
        "hsi_xr_camera": response.name,
        "hsi_xr_camera_sha256": response.sha256,
        "hsi_xr_camera_channels": ",".join(response.channels),
    }
    return attributes | ({"hsi_xr_camera_response": response.source} if response.source else {})


def _provenance(plan: "Plan") -> dict[str, str | int | float]:
    """Returns the attributes: text and numbers only, so that every format can store them."""
    card, job, tiling, scene = plan.card, plan.job, plan.tiling, plan.scene
    attributes: dict[str, str | int | float] = {
        "Conventions": "CF-1.12",
        "title": (TITLE if job.outputs.sensed == 3 else TITLE_OF_SENSORS)
        if card.trained
        else UNTRAINED,
        "source": f"hsi-xr {__version__}; model {card}",
        "history": f"{utc_text(now())} hsi-xr {__version__} reconstruct",
        "hsi_xr_version": __version__,
        "hsi_xr_reconstructed": "YES",
        "hsi_xr_model": card.name,
        "hsi_xr_model_version": card.version,
        "hsi_xr_model_sha256": _sha256(plan),
        "hsi_xr_weights": "trained" if card.trained else "random",
        "hsi_xr_seed": job.seed,
        "hsi_xr_samples": job.samples,
        "hsi_xr_steps": card.steps if job.steps is None else job.steps,
        "hsi_xr_radiometry": scene.radiometry.kind,
        "hsi_xr_scale": scene.radiometry.stored_scale,
        "hsi_xr_offset": scene.radiometry.stored_offset,
        "hsi_xr_scale_origin": scene.radiometry.origin,
        "hsi_xr_source_dtype": scene.meaning.bands[0].dtype,
        "hsi_xr_source_bands": ",".join(band.name for band in scene.meaning.bands),
        "hsi_xr_source_bands_origin": scene.meaning.chosen.rule,
        "hsi_xr_level": "known" if job.level_known else "estimated",
        **_level(plan),
        "hsi_xr_tile": tiling.tile,
        "hsi_xr_halo": tiling.halo,
        "hsi_xr_survey": _survey(plan),
        "hsi_xr_device": job.device,
        "hsi_xr_precision": "float32",
        "hsi_xr_georeferenced": "yes" if scene.location.is_known else "no",
    }
    if scene.source:
        attributes["hsi_xr_source"] = scene.source
    if scene.meaning.nodata != "none":
        attributes["hsi_xr_source_nodata"] = scene.meaning.nodata
    if plan.response is not None:
        attributes |= _camera(plan.response)
    attributes |= _uncertainty(job.outputs)
    if job.consistency is not None:
        attributes["hsi_xr_consistency"] = job.consistency
    if tiling.blend:
        attributes["hsi_xr_blend"] = tiling.blend
    if taken := scene.rgb.attrs.get("datetime"):
        attributes["datetime"] = str(taken)
    return attributes


def _uncertainty(outputs: Outputs) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {}
    if outputs.draws:
        attributes["hsi_xr_draws"] = outputs.draws
    if quantiles := outputs.quantiles:
        attributes["hsi_xr_quantiles"] = ",".join(f"{p:g}" for p in quantiles.values())
    return attributes


def _level(plan: "Plan") -> dict[str, str | float]:
    """Returns the attributes of a level that is stated."""
    if not isinstance(plan.level, StatedLevel):
        return {}
    level = plan.level.level
    stated = {"hsi_xr_level_gain": level.gain}
    if level.log_std:
        stated = LevelInterval.of(level.gain, level.log_std).attributes
    return {"hsi_xr_level": plan.level.kind, **stated, "hsi_xr_level_origin": plan.level.origin}


def _sha256(plan: "Plan") -> str:
    return plan.card.sha256 if plan.card.trained else "none: random weights"


def _survey(plan: "Plan") -> str:
    if plan.survey is not None:
        return f"given {plan.survey.sha256[:16]}"
    return "whole scene" if plan.whole else "windows"
