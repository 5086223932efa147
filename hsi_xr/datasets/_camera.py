"""RGB images for data sets that have only cubes, rendered through a known spectral response."""

from hsi_xr.band_grid import Bands
from hsi_xr.camera.spectral_response import CameraLike, sensitivities
from hsi_xr.datasets._base import Array
from hsi_xr.errors import MissingFact

__all__ = ["CameraLike", "render_rgb", "response"]


def response(camera: CameraLike | None, bands: Bands) -> Array:
    """Returns the (3, bands) response of a camera, which the data set requires.

    See `hsi_xr.camera.spectral_response.sensitivities`.

    Raises:
        MissingFact: No camera is given.
    """
    if camera is None:
        raise MissingFact(
            "these cubes come without RGB images; give the camera that renders them: "
            "camera='NAME' with a name from `hsi_xr.cameras()`, the path of a JSON file in the "
            f"format of rawtoaces-data, or camera=(3, {len(bands)}) sensitivities"
        )
    return sensitivities(camera, bands)


def render_rgb(cube: Array, response: Array) -> Array:
    """Renders the linear RGB image of a cube, without noise.

    Args:
        cube: (bands, rows, columns).
        response: (3, bands) sensitivities; each row may have any positive scale.

    Returns:
        (3, rows, columns), clipped to [0, 1]. A spectrum of 1 in every band is (1, 1, 1); a pixel
        with a NaN band is NaN.
    """
    import torch

    from hsi_xr.camera.operator import Camera

    camera = Camera(torch.from_numpy(response))
    rgb = camera.project(torch.from_numpy(cube)[None])[0]
    return rgb.clamp(0, 1).numpy()
