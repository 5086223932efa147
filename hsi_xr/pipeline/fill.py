"""Fills invalid pixels from their valid surroundings, so that a network sees no edge there."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

LEVELS = 5
"""Squares of up to 2^5 px: as far as a valid pixel looks (the usual halo)."""


def filled(
    image: Array, valid: NDArray[np.bool_], *, corner: tuple[int, int], rest: Array
) -> Array:
    """(bands, rows, columns) with NaN -> the same without; valid pixels are kept as they are.

    Each hole takes the mean of the smallest square around it, of sides 2, 4, ... 32 px on the
    grid of the ground, that has a valid pixel; so what fills it does not depend on the tile.

    Args:
        corner: Row and column of the first pixel on the ground.
        rest: (bands,) for what has no valid pixel near; the same for the whole scene.
    """
    if valid.all():
        return image
    side = 2**LEVELS
    before = [at % side for at in corner]
    after = [-(n + b) % side for n, b in zip(valid.shape, before)]
    around = tuple(zip(before, after))
    known = np.pad(np.where(valid, image, np.float32(0)), ((0, 0), *around))
    mean = _mean(known, np.pad(valid, around).astype("float32"), LEVELS, rest)
    inside = tuple(slice(b, b + n) for b, n in zip(before, valid.shape))
    return np.where(valid, image, mean[(slice(None), *inside)])


def _mean(total: Array, weight: Array, levels: int, rest: Array) -> Array:
    """Sums and counts of pixels -> means; holes are answered by the next coarser level."""
    mean: Array = (total / np.maximum(weight, 1)).astype("float32")
    if levels == 0:
        coarse: Array = np.broadcast_to(rest[:, None, None], mean.shape)
    elif (weight > 0).all():
        return mean
    else:
        halved = _mean(_halved(total), _halved(weight[None])[0], levels - 1, rest)
        coarse = halved.repeat(2, axis=1).repeat(2, axis=2)
    return np.where(weight > 0, mean, coarse)


def _halved(x: Array) -> Array:
    """Sums of 2 x 2 pixels."""
    bands, rows, columns = x.shape
    return x.reshape(bands, rows // 2, 2, columns // 2, 2).sum((2, 4))
