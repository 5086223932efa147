"""Pictures of cubes that came without: a camera of known sensitivity takes them."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsi_xr.datasets._base import Array
from hsi_xr.errors import InvalidData, MissingFact, UnreadableFile
from hsi_xr.spectra import Bands

Sensitivity = NDArray[Any] | str | os.PathLike[str]
"""(3, bands), red, green, blue, of any positive scale per row; or the path of a JSON file."""


def response(camera: Sensitivity | None, bands: Bands) -> Array:
    """(3, bands) of a camera.

    Raises:
        MissingFact: No camera is given.
        UnreadableFile: There is no such file.
        InvalidData: It does not hold three curves over these bands.
    """
    if camera is None:
        raise MissingFact(
            "these cubes come without pictures; say what camera takes them, by "
            f"camera=(3, {len(bands)}) sensitivities or the path of a JSON file of rawtoaces-data"
        )
    if isinstance(camera, (str, os.PathLike)):
        return sensitivity(Path(camera), bands)
    found = np.asarray(camera, dtype="float32")
    if found.shape != (3, len(bands)) or not (found.sum(1) > 0).all():
        raise InvalidData(
            f"a camera here is (3, {len(bands)}) sensitivities, not all of a row zero; "
            f"got {found.shape}"
        )
    return found


def sensitivity(path: Path, bands: Bands) -> Array:
    """Curves of a JSON file at the centres of bands, by lines between its wavelengths; (3, bands).

    Raises:
        UnreadableFile: There is no such file.
        InvalidData: It has another layout, or tells nothing of some band.

    Source: the layout of rawtoaces-data, spectral_data/data/main: nm -> [red, green, blue]
        (https://github.com/AcademySoftwareFoundation/rawtoaces-data).
    """
    try:
        table = json.loads(path.read_text())["spectral_data"]["data"]["main"]
        at = np.array([float(nm) for nm in table])
        curves = np.array(list(table.values()), dtype="float32").T
    except OSError as error:
        raise UnreadableFile(f"{str(path)!r} cannot be read ({error}); check the path") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidData(
            f"{str(path)!r} is no table of sensitivities ({error!r}); give a JSON file with "
            "spectral_data/data/main: nm -> [red, green, blue]"
        ) from error
    first, last = bands.centres[0], bands.centres[-1]
    if curves.shape != (3, len(at)) or first < at.min() or last > at.max():
        raise InvalidData(
            f"{str(path)!r} holds {len(curves)} curves over {at.min():g} to {at.max():g} nm; "
            f"three over {first:g} to {last:g} nm are needed"
        )
    return np.array([np.interp(bands.centres, at, curve) for curve in curves], dtype="float32")


def photograph(cube: Array, response: Array) -> Array:
    """Linear RGB of a cube, (3, rows, columns) in [0, 1]: without noise, saturating at white.

    White, 1 in every band, is (1, 1, 1). An unknown (NaN) band makes its pixel unknown.
    """
    import torch

    from hsi_xr.physics import Camera

    camera = Camera(torch.from_numpy(response))
    rgb = camera.project(torch.from_numpy(cube)[None])[0]
    return rgb.clamp(0, 1).numpy()
