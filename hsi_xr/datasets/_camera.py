"""Pictures of cubes that came without: a camera of known sensitivity takes them."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsi_xr.datasets._base import Array
from hsi_xr.errors import InvalidData, MissingFact, UnreadableFile, UsageError
from hsi_xr.spectra import Bands

Sensitivity = NDArray[Any] | str | os.PathLike[str]
"""(3, bands), red, green, blue, of any positive scale per row; or the path of a JSON file."""


def response(camera: Sensitivity | None, bands: Bands) -> Array:
    """(3, bands) of a camera.

    Raises:
        MissingFact: No camera is given.
        UsageError: What is given is no three curves over these bands.
        UnreadableFile: There is no such file.
        InvalidData: The file does not hold three curves over these bands.
    """
    if camera is None:
        raise MissingFact(
            "these cubes come without pictures; say what camera takes them, by "
            f"camera=(3, {len(bands)}) sensitivities or the path of a JSON file of rawtoaces-data"
        )
    if isinstance(camera, (str, os.PathLike)):
        return sensitivity(Path(camera), bands)
    try:
        return _curves(camera, len(bands))
    except (OverflowError, TypeError, ValueError) as error:
        raise UsageError(
            f"a camera here is (3, {len(bands)}) sensitivities, or the path of a JSON file; {error}"
        ) from error


def sensitivity(path: Path, bands: Bands) -> Array:
    """Curves of a JSON file at the centres of bands, by lines between its wavelengths; (3, bands).

    Raises:
        UnreadableFile: There is no such file.
        InvalidData: It has another layout, or tells nothing of some band.

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
    first, last = bands.centres[0], bands.centres[-1]
    if first < at[0] or last > at[-1]:
        raise InvalidData(
            f"{str(path)!r} holds curves over {at[0]:g} to {at[-1]:g} nm; "
            f"three over {first:g} to {last:g} nm are needed"
        )
    found = np.array([np.interp(bands.centres, at, curve) for curve in curves])
    try:
        return _curves(found, len(bands))
    except ValueError as error:
        raise InvalidData(f"{str(path)!r}, over {first:g} to {last:g} nm: {error}") from error


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


def photograph(cube: Array, response: Array) -> Array:
    """Linear RGB of a cube, (3, rows, columns) in [0, 1]: without noise, saturating at white.

    White, 1 in every band, is (1, 1, 1). An unknown (NaN) band makes its pixel unknown.
    """
    import torch

    from hsi_xr.physics import Camera

    camera = Camera(torch.from_numpy(response))
    rgb = camera.project(torch.from_numpy(cube)[None])[0]
    return rgb.clamp(0, 1).numpy()
