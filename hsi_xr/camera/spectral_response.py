"""Spectral responses of cameras and sensors: by name, JSON files, and arrays.

`rawtoaces.csv` contains measured curves of 52 cameras, `responses.csv` those of satellites and a
multispectral camera, `sensors.csv` nominal bands; README.md and sensors.md next to them state their
sources. The illuminant is assumed to be equal in all bands; for another one, pass sensitivity times
illuminant as an array.
"""

import csv
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hsi_xr.band_grid import Bands
from hsi_xr.camera.bandpass import LEAST, published, sensors, weights
from hsi_xr.errors import InvalidData, UnknownName, UnreadableFile, UsageError
from hsi_xr.suggestions import did_you_mean

Array = NDArray[np.float32]

CameraLike = NDArray[np.generic] | str | os.PathLike[str]
"""Name of a camera or sensor, path of a JSON file, or (channels, bands) sensitivities, each row of
any positive scale. Three channels are red, green and blue."""

RGB = ("red", "green", "blue")
"""Channels of a camera that is not named otherwise."""

UNKNOWN = "unknown"
"""The name that stands for an unknown camera."""

WATER_VAPOUR = (930.0, 960.0)
"""Range in nm that the atmosphere absorbs: channels with their centre in it measure water vapour,
as band 9 of Sentinel-2, and mislead estimates of the ground."""

CUTOFF = 0.02
"""Share of its maximum to which each curve must have fallen at its long end for it to be continued
by 0. Cameras have a filter against infrared."""

TABLE = Path(__file__).with_name("rawtoaces.csv")


@dataclass(frozen=True)
class SpectralResponse:
    """Curves of at least three channels over the bands of a cube.

    Each sums to 1, so that a white reflector is 1 in every channel.
    """

    name: str
    """Name of the camera or sensor, or of its file."""
    centres: tuple[float, ...]
    """Centre wavelengths of the bands in nm."""
    curves: tuple[tuple[float, ...], ...]
    """One for each channel, as float32 values."""
    channels: tuple[str, ...] = RGB
    """Names of the channels."""
    nominal: Bands | None = None
    """Centres and widths of the channels of a sensor, as published."""
    left_out: tuple[str, ...] = ()
    """Channels of the sensor that the bands do not cover, or that measure water vapour."""
    source: str = ""
    """Origin of the curves of a sensor, as text."""

    @classmethod
    def of(cls, camera: CameraLike, bands: Bands) -> "SpectralResponse":
        """Returns the response of a camera or sensor over the bands of a model.

        Args:
            camera: As for `sensitivities`; or an array with more than three rows; or the name of a
                sensor, of which channels are left out that the bands do not cover or that measure
                water vapour.
            bands: Bands of the model.

        Raises:
            HsiError: As for `sensitivities`.
            InvalidData: The bands cover fewer than three channels of the sensor.
        """
        if isinstance(camera, str) and camera in published():
            return cls._of_sensor(camera, bands)
        curves = _sensitivities(camera, bands)
        numbered = tuple(str(i) for i in range(1, len(curves) + 1))
        channels = RGB if len(curves) == len(RGB) else numbered
        return cls(_name(camera), bands.centres, _rows(curves), channels)

    @classmethod
    def _of_sensor(cls, name: str, bands: Bands) -> "SpectralResponse":
        sensor = published()[name]
        table, covered = weights(sensor, bands)
        low, high = WATER_VAPOUR
        kept = [
            i
            for i, (share, centre) in enumerate(zip(covered, sensor.bands.centres))
            if share >= LEAST and not low <= centre <= high
        ]
        low, high = bands.extent
        if len(kept) < len(RGB):
            found = ", ".join(sensor.names[i] for i in kept) or "none"
            raise InvalidData(
                f"an estimate needs at least three channels, but the model, {low:g} to {high:g} "
                f"nm, covers only these of {name}: {found}; choose a model of a wider range, e.g. "
                "model='visible-infrared' (--model visible-infrared), or omit the camera"
            )
        used = sensor.select(kept)
        return cls(
            name,
            bands.centres,
            _rows(table[kept]),
            used.names,
            used.bands,
            tuple(each for i, each in enumerate(sensor.names) if i not in kept),
            used.source,
        )

    def select(self, indices: Sequence[int]) -> "SpectralResponse":
        """Returns the response with some of its channels, in the given order."""
        if tuple(indices) == tuple(range(len(self.channels))):
            return self
        return replace(
            self,
            curves=tuple(self.curves[i] for i in indices),
            channels=tuple(self.channels[i] for i in indices),
            nominal=None,
        )

    @cached_property
    def sha256(self) -> str:
        """Checksum of the curves as little-endian float32, row by row."""
        return hashlib.sha256(np.array(self.curves, dtype="<f4").tobytes()).hexdigest()


def cameras() -> list[str]:
    """Returns the names of the cameras whose spectral response is part of the package."""
    return sorted(_table()[1])


def sensitivities(camera: CameraLike, bands: Bands) -> Array:
    """Returns the sensitivities of an RGB camera as (3, bands), each row of any positive scale.

    Args:
        camera: A name from `cameras`; the path of a JSON file in the layout of rawtoaces-data, as
            a path or as text that ends in .json or contains a separator; or a (3, bands) array.
        bands: Bands at whose centres the curves are interpolated linearly.

    Raises:
        UnknownName: No camera has that name.
        UnreadableFile: The file does not exist or cannot be read.
        InvalidData: The file does not contain three curves over these bands.
        UsageError: The array does not have the shape (3, bands), or contains invalid values.
    """
    curves = _sensitivities(camera, bands)
    if len(curves) != len(RGB):
        raise UsageError(f"an RGB camera has (3, {len(bands)}) sensitivities; got {curves.shape}")
    return curves


def _sensitivities(camera: CameraLike, bands: Bands) -> Array:
    """Returns sensitivities, (channels, bands); see `sensitivities`."""
    if isinstance(camera, str) and not is_path(camera):
        wavelengths, table = _table()
        if camera not in table:
            raise UnknownName(f"no camera is called {camera!r}; {_known_cameras(camera)}")
        return _over_bands(wavelengths, table[camera], bands, camera)
    if isinstance(camera, (str, os.PathLike)):
        return _over_bands(*read_curves(Path(camera)), bands, str(camera))
    try:
        return _checked(camera, len(bands))
    except (OverflowError, TypeError, ValueError) as error:
        raise UsageError(
            "a camera must be a name from `hsi_xr.cameras()` or `hsi_xr.sensors()`, the path of a "
            f"JSON file, or (3, {len(bands)}) sensitivities, or those of more channels; {error}"
        ) from error


def is_path(camera: CameraLike) -> TypeGuard[str | os.PathLike[str]]:
    """True if a camera is given as a file: by a path, or by text that cannot be a name."""
    if not isinstance(camera, str):
        return isinstance(camera, os.PathLike)
    return camera.lower().endswith(".json") or os.sep in camera or (os.altsep or os.sep) in camera


def read_curves(path: Path) -> tuple[NDArray[np.float64], Array]:
    """Reads a JSON file of sensitivities.

    Returns:
        Wavelengths in nm, ascending, and curves (3, wavelengths).

    Raises:
        UnreadableFile: The file does not exist or cannot be read.
        InvalidData: The file has another layout.

    Source:
        The layout of rawtoaces-data, spectral_data/data/main: nm -> [red, green, blue]
        (https://github.com/AcademySoftwareFoundation/rawtoaces-data).
    """
    try:
        document = json.loads(path.read_text(), object_pairs_hook=_refuse_duplicates)
        main = document["spectral_data"]["data"]["main"]
        rows = sorted((float(nm), row) for nm, row in main.items())
        wavelengths = np.array([nm for nm, _ in rows])
        table = np.array([row for _, row in rows], dtype="float32").reshape(-1, len(RGB))
        curves = _checked(table.T, len(wavelengths))
        _check_ascending(wavelengths)
    except OSError as error:
        raise UnreadableFile(f"{str(path)!r} cannot be read ({error}); check the path") from error
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
        raise InvalidData(
            f"{str(path)!r} is not a table of sensitivities ({error!r}); give a JSON file with "
            "spectral_data/data/main: nm -> [red, green, blue]"
        ) from error
    return wavelengths, curves


def _over_bands(
    wavelengths: NDArray[np.float64], curves: Array, bands: Bands, source: str
) -> Array:
    """Interpolates curves at the centres of bands."""
    first, last = bands.centres[0], bands.centres[-1]
    has_cutoff = (curves[:, -1] <= CUTOFF * curves.max(1)).all()
    if first < wavelengths[0] or (last > wavelengths[-1] and not has_cutoff):
        raise InvalidData(
            f"{source!r} has curves from {wavelengths[0]:g} to {wavelengths[-1]:g} nm, but the "
            f"bands need {first:g} to {last:g} nm; give another camera"
        )
    rows = [np.interp(bands.centres, wavelengths, curve, right=0) for curve in curves]
    try:
        return _checked(np.array(rows), len(bands))
    except ValueError as error:
        raise InvalidData(f"{source!r}, from {first:g} to {last:g} nm: {error}") from error


def _rows(curves: NDArray[np.floating]) -> tuple[tuple[float, ...], ...]:
    """Returns curves, divided by their sums, as plain float32 values."""
    shares = curves / curves.sum(1, keepdims=True)
    return tuple(tuple(map(float, row)) for row in shares.astype("float32"))


def _name(camera: CameraLike) -> str:
    if is_path(camera):
        return Path(camera).name
    return camera if isinstance(camera, str) else "as numbers"


@cache
def _table() -> tuple[NDArray[np.float64], dict[str, Array]]:
    """Returns wavelengths in nm, and curves (3, wavelengths) by name."""
    with TABLE.open(newline="") as lines:
        head, *rows = csv.reader(line for line in lines if not line.startswith("#"))
    curves = np.array([row[2:] for row in rows], dtype="float32").reshape(-1, 3, len(head) - 2)
    return np.array(head[2:], dtype="float64"), dict(zip((row[0] for row in rows[::3]), curves))


def _known_cameras(name: str) -> str:
    return (
        f"{did_you_mean(name, [*cameras(), *sensors()], closest=3)}`hsi-xr cameras` lists the "
        f"{len(cameras())} known cameras, and sensors of satellites and drones; the path of a JSON "
        "file in the format of rawtoaces-data is also accepted"
    )


def _checked(values: ArrayLike, count: int) -> Array:
    """Returns sensitivities from a file or a caller as a (channels, count) array.

    Raises:
        ValueError: The shape differs, or a channel has no positive and finite sum.
    """
    curves = np.asarray(values, dtype="float32")
    if curves.ndim != 2 or len(curves) < len(RGB) or curves.shape[1] != count:
        raise ValueError(f"got {curves.shape}, expected (3, {count}) or more rows")
    if not np.isfinite(curves).all() or not (curves.sum(1) > 0).all():
        raise ValueError("all values must be finite, and each row needs a positive sum")
    return curves


def _check_ascending(wavelengths: NDArray[np.float64]) -> None:
    if not np.isfinite(wavelengths).all() or (np.diff(wavelengths) <= 0).any():
        raise ValueError("a wavelength is not a number, or occurs twice")


def _refuse_duplicates(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """Builds a JSON object; the parser itself would accept duplicate keys."""
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("a key occurs twice")
    return result
