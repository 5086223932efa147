"""Error of an estimate after projection to RGB."""

import numpy as np
from numpy.typing import ArrayLike

from hsi_xr.evaluation._pairing import pair
from hsi_xr.evaluation.metrics import mrae


def back_projected(
    estimate: ArrayLike, truth: ArrayLike, response: ArrayLike, *, floor: float = 0.0
) -> float:
    """Returns the mean relative absolute error between the RGB images of both cubes.

    Metamers have no such error, however different their spectra.

    Args:
        estimate: Reconstructed cube, (bands, rows, columns).
        truth: Measured cube of the same shape.
        response: (3, bands), spectral sensitivity times illuminant, any positive scale per row.
        floor: See `metrics.mrae`; applies to the mean true RGB, where a white reflector is 1.

    Returns:
        A fraction, as for `metrics.mrae`.

    Raises:
        ValueError: The shapes differ, or the response is not (3, bands).

    Source:
        Arad et al. 2020, NTIRE challenge on spectral reconstruction from an RGB image.
    """
    import torch

    from hsi_xr.camera.operator import Camera

    # torch does not support negative strides
    guess, true, curves = (
        torch.from_numpy(np.ascontiguousarray(array))
        for array in (*pair(estimate, truth), np.asarray(response, dtype=np.float64))
    )
    camera = Camera(curves)
    if (bands := camera.response.shape[1]) != len(guess):
        raise ValueError(f"a response of {bands} bands does not fit cubes of {len(guess)} bands")
    images = [camera.project(cube[None])[0].numpy() for cube in (guess, true)]
    return mrae(images[0], images[1], floor=floor)
