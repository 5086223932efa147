"""One image as a whole scene, for measuring and scoring models without tiles."""

import torch
import torch.nn.functional as F
from torch import Tensor

from hsi_xr.diffusion.noise import NoiseField
from hsi_xr.networks.chromaticity import chromaticity_histogram
from hsi_xr.reconstructors._base import Noise, SceneWindows


def single_window(
    rgb: Tensor,
    *,
    stride: int = 1,
    weights: Tensor | None = None,
    level_known: bool = False,
    response: Tensor | None = None,
) -> SceneWindows:
    """Returns an image as the only window of its scene, padded by reflection to a stride.

    Padding does not count for the scene statistics.

    Args:
        rgb: (1, 3, rows, columns) linear RGB without NaN.
        stride: The padded numbers of rows and columns are multiples of this.
        weights: (1, 1, rows, columns) weights of the pixels; None counts all alike.
        level_known: A white reflector is 1 in `rgb`, so photofinishing is not estimated.
        response: (3, bands) spectral response of the camera; None if unknown.
    """
    rows, columns = rgb.shape[2:]
    below, right = -rows % stride, -columns % stride
    weights = torch.ones_like(rgb[:, :1]) if weights is None else weights
    histogram = None if level_known else chromaticity_histogram(rgb, weights)
    if below or right:
        rgb = rgb[:, :, reflect(rows, rows + below)][..., reflect(columns, columns + right)]
        weights = F.pad(weights, (0, right, 0, below))
    return SceneWindows(rgb, weights, histogram, response=response)


def reflect(size: int, count: int) -> Tensor:
    """Returns `count` indices along an axis of `size` pixels that is reflected at both ends."""
    period = max(1, 2 * size - 2)
    index = torch.arange(count) % period
    return torch.minimum(index, period - index)


def ground_noise(image: Tensor, *, bands: int, top: int = 0, left: int = 0, seed: int = 0) -> Noise:
    """Returns the noise at the pixels of an image.

    Args:
        image: (1, channels, rows, columns).
        bands: Channels of the noise.
        top: Absolute row of the first pixel.
        left: Absolute column of the first pixel.
        seed: Seed of the noise field.
    """
    rows, columns = (
        torch.arange(first, first + size, device=image.device)[None]
        for first, size in zip((top, left), image.shape[-2:])
    )
    field = NoiseField(seed)
    return lambda step: field.read(rows, columns, channels=bands, step=step)
