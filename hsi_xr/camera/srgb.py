"""The sRGB transfer function (IEC 61966-2-1)."""

import torch
from torch import Tensor


def srgb_encode(linear: Tensor) -> Tensor:
    """Converts linear light in [0, 1] to sRGB values in [0, 1]."""
    bright = 1.055 * linear.clamp(min=0.0031308).pow(1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, bright)


def srgb_decode(encoded: Tensor) -> Tensor:
    """Converts sRGB values in [0, 1] to linear light in [0, 1]."""
    bright = ((encoded.clamp(min=0.04045) + 0.055) / 1.055).pow(2.4)
    return torch.where(encoded <= 0.04045, encoded / 12.92, bright)
