"""What cameras see of each band: 52 measured ones by name, JSON files, curves of one's own.

`rawtoaces.csv` holds the measured ones; README.md beside it tells whose they are. The light is
taken as equal in all bands: of another light, give (3, bands) sensitivity times light.
"""

import csv
import hashlib
import json
import os
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from hsi_xr.band_grid import Bands
from hsi_xr.errors import InvalidData, UnknownName, UnreadableFile, UsageError
from hsi_xr.suggestions import did_you_mean

Array = NDArray[np.float32]

Sensitivity = NDArray[Any] | str | os.PathLike[str]
"""(3, bands), red, green, blue, of any positive scale per row; a name; the path of a JSON file."""

UNKNOWN = "unknown"
"""The name that stands for no camera at all."""

FADED = 0.02
"""Share of its largest sensitivity to which each channel must have fallen where its curve ends, so
that it is taken as blind beyond: cameras have a filter against infrared."""

TABLE = Path(__file__).with_name("rawtoaces.csv")


@dataclass(frozen=True)
class Response:
    """Three curves over the bands of a cube; each sums to 1, so that white is (1, 1, 1)."""

    name: str
    """Of the camera, or of its file."""
    centres: tuple[float, ...]
    """Of the bands, nm."""
    curves: tuple[tuple[float, ...], ...]
    """Red, green, blue; float32."""

    @cached_property
    def sha256(self) -> str:
        """Of the three curves as little-endian float32, row by row."""
        return hashlib.sha256(np.array(self.curves, dtype="<f4").tobytes()).hexdigest()


def cameras() -> list[str]:
    """Names of the cameras whose response comes with the package."""
    return sorted(_table()[1])


def response(camera: Sensitivity, bands: Bands) -> Response:
    """The response of a camera over the bands of a model; see `sensitivities`."""
    curves = sensitivities(camera, bands)
    shares = curves / curves.sum(1, keepdims=True)
    return Response(_name(camera), bands.centres, tuple(tuple(map(float, row)) for row in shares))


def sensitivities(camera: Sensitivity, bands: Bands) -> Array:
    """(3, bands) of a camera, of any positive scale per row.

    Args:
        camera: A name of `cameras`, the path of a JSON file as of rawtoaces-data (as text, with
            .json or a separator in it), or (3, bands) numbers.
        bands: At whose centres curves are taken, by lines between their wavelengths.

    Raises:
        UnknownName: No camera of that name.
        UnreadableFile: There is no such file.
        InvalidData: The file does not hold three curves over these bands.
        UsageError: The numbers are no three curves over these bands.
    """
    if is_path(camera):
        return sensitivity(Path(camera), bands)
    if isinstance(camera, str):
        at, table = _table()
        if camera not in table:
            raise UnknownName(f"no camera is called {camera!r}; {_known_cameras(camera)}")
        return _over(at, table[camera], bands, camera)
    try:
        return _curves(camera, len(bands))
    except (OverflowError, TypeError, ValueError) as error:
        raise UsageError(
            f"a camera here is (3, {len(bands)}) sensitivities, a name of `hsi_xr.cameras()`, or "
            f"the path of a JSON file; {error}"
        ) from error


def is_path(camera: Sensitivity) -> TypeGuard[str | os.PathLike[str]]:
    """Whether a camera is said by a file: as a path, or as text that is no name."""
    if not isinstance(camera, str):
        return isinstance(camera, os.PathLike)
    return camera.lower().endswith(".json") or os.sep in camera or (os.altsep or os.sep) in camera


def sensitivity(path: Path, bands: Bands) -> Array:
    """Curves of a JSON file at the centres of bands, by lines between its wavelengths; (3, bands).

    Raises:
        UnreadableFile: There is no such file.
        InvalidData: It has another layout, or tells nothing of some band.
    """
    return _over(*read(path), bands, str(path))


def read(path: Path) -> tuple[NDArray[np.float64], Array]:
    """Wavelengths in nm, ascending, and curves (3, wavelengths) of a JSON file.

    Raises:
        UnreadableFile: There is no such file.
        InvalidData: It has another layout.

    Source: the layout of rawtoaces-data, spectral_data/data/main: nm -> [red, green, blue]
        (https://github.com/AcademySoftwareFoundation/rawtoaces-data).
    """
    try:
        whole = json.loads(path.read_text(), object_pairs_hook=_once)
        main = whole["spectral_data"]["data"]["main"]
        rows = sorted((float(nm), row) for nm, row in main.items())
        at = np.array([nm for nm, _ in rows])
        curves = _curves(np.array([row for _, row in rows], dtype="float32").T, len(at))
        _check_ascending(at)
    except OSError as error:
        raise UnreadableFile(f"{str(path)!r} cannot be read ({error}); check the path") from error
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
        raise InvalidData(
            f"{str(path)!r} is no table of sensitivities ({error!r}); give a JSON file with "
            "spectral_data/data/main: nm -> [red, green, blue]"
        ) from error
    return at, curves


def _over(at: NDArray[np.float64], curves: Array, bands: Bands, whose: str) -> Array:
    first, last = bands.centres[0], bands.centres[-1]
    faded = (curves[:, -1] <= FADED * curves.max(1)).all()
    if first < at[0] or (last > at[-1] and not faded):
        raise InvalidData(
            f"{whose!r} holds curves over {at[0]:g} to {at[-1]:g} nm; "
            f"three over {first:g} to {last:g} nm are needed"
        )
    found = np.array([np.interp(bands.centres, at, curve, right=0) for curve in curves])
    try:
        return _curves(found, len(bands))
    except ValueError as error:
        raise InvalidData(f"{whose!r}, over {first:g} to {last:g} nm: {error}") from error


def _name(camera: Sensitivity) -> str:
    if is_path(camera):
        return Path(camera).name
    return camera if isinstance(camera, str) else "as numbers"


@cache
def _table() -> tuple[NDArray[np.float64], dict[str, Array]]:
    """Wavelengths in nm, and curves (3, wavelengths) by name."""
    with TABLE.open(newline="") as lines:
        head, *rows = csv.reader(line for line in lines if not line.startswith("#"))
    numbers = np.array([row[2:] for row in rows], dtype="float32").reshape(-1, 3, len(head) - 2)
    return np.array(head[2:], dtype="float64"), dict(zip((row[0] for row in rows[::3]), numbers))


def _known_cameras(name: str) -> str:
    return (
        f"{did_you_mean(name, cameras(), closest=3)}`hsi-xr cameras` and `hsi_xr.cameras()` list "
        f"the {len(cameras())} known cameras; the path of a JSON file in the format of "
        "rawtoaces-data is accepted, too"
    )


def _curves(values: Any, count: int) -> Array:
    """Sensitivities (3, count) as they must be, from a file or from the caller.

    Raises:
        ValueError: Another shape, a number that is not finite, or a channel that sees nothing.
    """
    found = np.asarray(values, dtype="float32")
    if found.shape != (3, count):
        raise ValueError(f"got {found.shape}, and not (3, {count})")
    if not np.isfinite(found).all() or not (found.sum(1) > 0).all():
        raise ValueError("numbers must be finite, and the sum of each of the three positive")
    return found


def _check_ascending(wavelengths: NDArray[Any]) -> None:
    if not np.isfinite(wavelengths).all() or (np.diff(wavelengths) <= 0).any():
        raise ValueError("a wavelength is no number, or is there twice")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """What JSON lets pass: a key that is there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found
