"""What a camera would see of an estimate that it would not see of the truth."""

import numpy as np
from numpy.typing import ArrayLike

from hsi_xr.evaluation._pairing import pair
from hsi_xr.evaluation.metrics import mrae


def back_projected(
    estimate: ArrayLike, truth: ArrayLike, response: ArrayLike, *, floor: float = 0.0
) -> float:
    """Mean relative absolute error between the RGB images of both cubes.

    An estimate can be far from the truth in every band and have none (metamers).

    Args:
        estimate: Reconstructed cube, (bands, rows, columns).
        truth: Measured cube of the same shape.
        response: (3, bands), spectral sensitivity times illuminant; the scale of a row is free.
        floor: As for `metrics.mrae`, of the mean true RGB where a white reflector is 1.

    Returns:
        A share, as `metrics.mrae`.

    Raises:
        ValueError: The shapes differ, or the response is not (3, bands).

    Source:
        Arad et al. 2020, NTIRE challenge on spectral reconstruction from an RGB image.
    """
    import torch

    from hsi_xr.camera.operator import Camera

    # torch knows no negative strides
    guess, true, curves = (
        torch.from_numpy(np.ascontiguousarray(each))
        for each in (*pair(estimate, truth), np.asarray(response, dtype=np.float64))
    )
    camera = Camera(curves)
    if (seen := camera.response.shape[1]) != len(guess):
        raise ValueError(f"a response of {seen} bands does not see cubes of {len(guess)}")
    images = [camera.project(cube[None])[0].numpy() for cube in (guess, true)]
    return mrae(images[0], images[1], floor=floor)
