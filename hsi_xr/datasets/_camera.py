"""Pictures of cubes that came without: a camera of known sensitivity takes them."""

from hsi_xr.band_grid import Bands
from hsi_xr.camera.spectral_response import CameraLike, sensitivities
from hsi_xr.datasets._base import Array
from hsi_xr.errors import MissingFact

__all__ = ["CameraLike", "photograph", "response"]


def response(camera: CameraLike | None, bands: Bands) -> Array:
    """(3, bands) of a camera; see `hsi_xr.camera.spectral_response.sensitivities`.

    Raises:
        MissingFact: No camera is given.
    """
    if camera is None:
        raise MissingFact(
            "these cubes come without pictures; say what camera takes them, by "
            f"camera=(3, {len(bands)}) sensitivities, one of `hsi_xr.cameras()`, or the path of a "
            "JSON file of rawtoaces-data"
        )
    return sensitivities(camera, bands)


def photograph(cube: Array, response: Array) -> Array:
    """Linear RGB of a cube, (3, rows, columns) in [0, 1]: without noise, saturating at white.

    White, 1 in every band, is (1, 1, 1). An unknown (NaN) band makes its pixel unknown.
    """
    import torch

    from hsi_xr.camera.operator import Camera

    camera = Camera(torch.from_numpy(response))
    rgb = camera.project(torch.from_numpy(cube)[None])[0]
    return rgb.clamp(0, 1).numpy()
