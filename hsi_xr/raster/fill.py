"""Fills invalid pixels from their valid surroundings, so that a network sees no edge there."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def filled(image: Array, valid: NDArray[np.bool_]) -> Array:
    """(bands, rows, columns) with NaN -> the same without; valid pixels are kept as they are.

    Each hole takes the mean of the smallest surrounding square (of sides 2, 4, 8, ...) that has
    a valid pixel. An image without any becomes zero.
    """
    if valid.all():
        return image
    known = np.where(valid, image, np.float32(0))
    return _pulled(known, valid.astype("float32"))


def _pulled(total: Array, weight: Array) -> Array:
    """Sums and counts of pixels -> means, holes answered by the next coarser level."""
    mean = total / np.maximum(weight, 1)
    if min(weight.shape) == 0 or (weight > 0).all() or max(weight.shape) == 1:
        return mean
    coarse = _pulled(_halved(total), _halved(weight[None])[0])
    rows, columns = weight.shape
    spread = coarse.repeat(2, axis=1).repeat(2, axis=2)[:, :rows, :columns]
    return np.where(weight > 0, mean, spread)


def _halved(x: Array) -> Array:
    """Sums of 2 x 2 pixels; an odd last row or column stands alone."""
    bands, rows, columns = x.shape
    even = np.pad(x, ((0, 0), (0, rows % 2), (0, columns % 2)))
    return even.reshape(bands, (rows + 1) // 2, 2, (columns + 1) // 2, 2).sum((2, 4))
