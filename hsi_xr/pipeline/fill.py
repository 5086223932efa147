"""Fills invalid pixels from their valid surroundings, so that a network sees no edge there."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

LEVELS = 5
"""Squares have sides of up to 2^5 px, the usual halo: pixels farther away are ignored."""


def fill(
    image: Array, valid: NDArray[np.bool_], *, corner: tuple[int, int], default: Array
) -> Array:
    """Fills the invalid pixels of an image; valid pixels keep their values.

    Each invalid pixel takes the mean of the smallest square around it, with a side of 2, 4, ... 32
    px on the absolute pixel grid, that contains a valid pixel. The result therefore does not depend
    on the tile.

    Args:
        image: (bands, rows, columns), NaN where invalid.
        valid: (rows, columns).
        corner: Absolute row and column of the first pixel; see `tiles.anchor_of`.
        default: (bands,) value of pixels without a valid neighbour; the same for the whole scene.

    Returns:
        (bands, rows, columns) without NaN.
    """
    if valid.all():
        return image
    side = 2**LEVELS
    before = [at % side for at in corner]
    after = [-(n + b) % side for n, b in zip(valid.shape, before)]
    padding = tuple(zip(before, after))
    known = np.pad(np.where(valid, image, np.float32(0)), ((0, 0), *padding))
    mean = _mean(known, np.pad(valid, padding).astype("float32"), LEVELS, default)
    inside = tuple(slice(b, b + n) for b, n in zip(before, valid.shape))
    return np.where(valid, image, mean[(slice(None), *inside)])


def _mean(total: Array, weight: Array, levels: int, default: Array) -> Array:
    """Returns means from sums and counts; empty cells take the mean of the next coarser level."""
    mean: Array = (total / np.maximum(weight, 1)).astype("float32")
    if levels == 0:
        coarse: Array = np.broadcast_to(default[:, None, None], mean.shape)
    elif (weight > 0).all():
        return mean
    else:
        halved = _mean(_halve(total), _halve(weight[None])[0], levels - 1, default)
        coarse = halved.repeat(2, axis=1).repeat(2, axis=2)
    return np.where(weight > 0, mean, coarse)


def _halve(x: Array) -> Array:
    """Returns sums over 2 x 2 pixels."""
    bands, rows, columns = x.shape
    return x.reshape(bands, rows // 2, 2, columns // 2, 2).sum((2, 4))
