"""The brightness of a scene and of the reference for its level: one value per pixel, lazily."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import xarray as xr
from dask.delayed import Delayed, delayed
from numpy.typing import NDArray

from hsi_xr.band_grid import Bands
from hsi_xr.camera.spectral_response import SpectralResponse, cameras
from hsi_xr.errors import BandMismatch, HsiError, MissingFact, NotGeoreferenced, UsageError
from hsi_xr.io import colours
from hsi_xr.io.averaging import Grid
from hsi_xr.io.band_facts import BandFacts
from hsi_xr.io.location import location_of
from hsi_xr.io.open import open
from hsi_xr.io.raster_source import RasterSource, source_of
from hsi_xr.io.reader import read_window
from hsi_xr.io.remote import without_query
from hsi_xr.pipeline.image import decoded, image_of
from hsi_xr.pipeline.pixels import BRIGHTEST
from hsi_xr.pipeline.radiometry import KINDS, Radiometry, resolve_radiometry
from hsi_xr.pipeline.scene import Input, Scene

Array = NDArray[np.float32]

OPTION = "level_from= (--level-from)"

COLOUR_STD = 0.08
"""Standard deviation of the log brightness of an image over that of three bands of a satellite, for
spectra of the default model's mixture; see tests/pipeline/test_level_from.py."""
SPECTRUM_STD = 0.03
"""The same, over the brightness of the mean camera for a spectrum."""

_VISIBLE = (430.0, 670.0)
"""Wavelengths in nm that a reference must cover for its spectra to be used."""
_FINE = 25.0
"""Largest distance in nm between the bands of spectra."""


class Brightness(Protocol):
    """Converts values (bands, rows, columns) to brightness (rows, columns), NaN where invalid."""

    def __call__(self, values: NDArray[Any]) -> Array: ...


@dataclass(frozen=True)
class MeanOfColours:
    """The mean of linear red, green and blue.

    Attributes:
        radiometry: What the values mean.
        saturated: Value at and above which a pixel is overexposed and its brightness unknown.
        brightest: Brightness above which a pixel is treated as defective.
    """

    radiometry: Radiometry
    saturated: float = np.inf
    brightest: float = np.inf

    def __call__(self, values: NDArray[Any]) -> Array:
        stored = np.asarray(values, dtype="float32")
        brightness = self.radiometry.linear(stored).mean(0)
        is_known = (stored < self.saturated).all(0) & (brightness <= self.brightest)
        return np.where(is_known, brightness, np.float32(np.nan))


@dataclass(frozen=True)
class MeanCamera:
    """The mean of red, green and blue, as recorded by the mean of all known cameras.

    Attributes:
        weights: Weight of each band; they sum to 1.
        radiometry: What the values mean.
    """

    weights: tuple[float, ...]
    radiometry: Radiometry

    def __call__(self, values: NDArray[Any]) -> Array:
        linear = self.radiometry.linear(np.asarray(values, dtype="float32"))
        return np.tensordot(np.array(self.weights, "float32"), linear, axes=1)


@dataclass(frozen=True, eq=False)
class BrightnessRaster:
    """A raster of which only the brightness is read.

    Attributes:
        array: (band, y, x) values, scaled as their metadata state, NaN where invalid.
        file: The file to read windows from, if the array is an unchanged file.
        grid: Its georeference.
        brightness: Converts its values.
        name: Name of its file, or what it is.
    """

    array: xr.DataArray
    file: RasterSource | None
    grid: Grid
    brightness: Brightness
    name: str

    def read(self, rows: slice, columns: slice) -> Delayed:
        """Returns the lazy brightness of a window, (rows, columns)."""
        if self.file is not None:
            return delayed(_read_file, pure=False)(self.file, rows, columns, self.brightness)
        window = self.array.data[:, rows, columns]
        return delayed(self.brightness, pure=False)(window)


def of_scene(scene: Scene) -> BrightnessRaster:
    """Returns the brightness of a scene.

    Raises:
        NotGeoreferenced: It has no location.
    """
    brightness = MeanOfColours(scene.radiometry, _saturated(scene.meaning.bands), BRIGHTEST)
    return BrightnessRaster(scene.rgb, scene.file, _grid(scene.rgb, "scene"), brightness, "scene")


def of_reference(obj: Input, radiometry: str | None) -> tuple[BrightnessRaster, float]:
    """Returns the brightness of a reference, and how much that of an image may deviate from it.

    Args:
        obj: A path, DataArray or Dataset of reflectance.
        radiometry: What its values mean, if it is not stated.

    Returns:
        The brightness, and the standard deviation of its logarithm less that of a camera.

    Raises:
        NotGeoreferenced: It has no location.
        BandMismatch: It has neither red, green and blue nor spectra.
        MissingFact: It is not stated what its values mean.
        UsageError: It is not reflectance.
        HsiError: It cannot be read.
    """
    opened = open(obj) if isinstance(obj, str | os.PathLike) else obj
    if isinstance(opened, xr.Dataset) and "reflectance" in opened:
        opened = opened["reflectance"]
    image = image_of(opened)
    weights = _camera_weights(image.bands)
    indices = [*weights] if weights else list(_colours(image.bands))
    facts = tuple(image.bands[i] for i in indices)
    found = _reflectance(facts, radiometry)
    array = image.take([*indices, *image.alpha])
    file = image.file(indices)
    if source_of(array) is None:
        array = decoded(array, facts, len(image.alpha))
    path = str(array.encoding.get("source", ""))
    raster = BrightnessRaster(
        array=array.isel(band=slice(len(indices))),
        file=file,
        grid=_grid(array, "reference"),
        brightness=MeanCamera(tuple(weights.values()), found)
        if weights
        else MeanOfColours(found, _saturated(facts)),
        name=os.path.basename(without_query(path)) or "an array",
    )
    return raster, SPECTRUM_STD if weights else COLOUR_STD


def _saturated(bands: tuple[BandFacts, ...]) -> float:
    """Returns the highest value that unscaled integers can have; infinite for others."""
    dtype = np.dtype(bands[0].dtype)
    is_stored = dtype.kind in "iu" and not any(band.is_scaled for band in bands)
    return float(np.iinfo(dtype).max) if is_stored else np.inf


def _camera_weights(bands: tuple[BandFacts, ...]) -> dict[int, float]:
    """Returns the weights of bands that are spectra of the visible range, by their index."""
    known = sorted((fact.wavelength, i) for i, fact in enumerate(bands) if fact.wavelength)
    first, last = _VISIBLE
    centres = [nm for nm, _ in known]
    inside = [nm for nm in centres if first - _FINE <= nm <= last + _FINE]
    if len({*centres}) < len(centres) or not inside or inside[0] > first or inside[-1] < last:
        return {}
    if max(np.diff(inside), default=np.inf) > _FINE:
        return {}
    visible = [(nm, i) for nm, i in known if 400 <= nm <= 720]
    grid = Bands(tuple(nm for nm, _ in visible))
    curves = [SpectralResponse.of(name, grid).curves for name in cameras()]
    weights = np.mean(curves, axis=(0, 1))
    return {i: float(weight) for (_, i), weight in zip(visible, weights)}


def _colours(bands: tuple[BandFacts, ...]) -> tuple[int, ...]:
    try:
        return tuple(colours.choose(bands, None).indices)
    except BandMismatch as error:
        raise BandMismatch(
            f"the reference of {OPTION} must have red, green and blue bands: "
            f"{str(error).split(';')[0]}. Select them, e.g. "
            "level_from=hsi_xr.open('reference.tif', rgb=(3, 2, 1)) "
            "(--level-from 'vrt://reference.tif?bands=3,2,1')"
        ) from error


def _reflectance(facts: tuple[BandFacts, ...], radiometry: str | None) -> Radiometry:
    is_display = facts[0].dtype == "uint8" and not any(fact.is_scaled for fact in facts)
    try:
        found = resolve_radiometry(
            facts, radiometry=radiometry or (None if is_display else "reflectance")
        )
    except HsiError as error:
        if radiometry is not None and radiometry not in KINDS:
            text = str(error).replace("radiometry=", "level_radiometry=")
            text = text.replace("--radiometry", "--level-radiometry")
            raise type(error)(f"the reference of {OPTION}: {text}") from error
        if not isinstance(error, MissingFact):
            raise
        raise MissingFact(
            f"the reference of {OPTION} does not state the scale of its {facts[0].dtype} values; "
            "name its product, e.g. level_radiometry='landsat-c2-sr' (--level-radiometry), or "
            "give the scale, e.g. level_from=hsi_xr.open('reference.tif') * 1e-4 "
            "(--level-from 'vrt://reference.tif?a_scale=0.0001')"
        ) from error
    if not found.level_known:
        raise UsageError(
            f"the reference of {OPTION} must be reflectance, but it is {found.kind}; give a "
            "surface reflectance product, or a cube"
        )
    return found


def _grid(array: xr.DataArray, name: str) -> Grid:
    try:
        location = location_of(array)
    except HsiError as error:
        raise type(error)(f"the {name} of {OPTION}: {error}") from error
    if location.transform is None or location.crs is None:
        raise NotGeoreferenced(
            f"{OPTION} needs a scene and a reference with a coordinate reference system and a "
            f"transform, and the {name} has none; assign them, e.g. "
            f"`{name}.rio.write_crs('EPSG:32633')` (`rio edit-info --crs EPSG:32633 {name}.tif`), "
            "or state the level by level= (--level)"
        )
    return Grid(location.transform, location.crs, (array.sizes["y"], array.sizes["x"]))


def _read_file(
    source: RasterSource, rows: slice, columns: slice, brightness: Callable[[NDArray[Any]], Array]
) -> Array:
    return brightness(read_window(source, rows, columns))
