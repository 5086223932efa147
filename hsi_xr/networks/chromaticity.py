"""The colours of a scene, few enough to keep: what tells how its picture was made."""

import torch
from torch import Tensor

SIDE, REACH = 48, 1.8
"""Cells along each axis, and the largest logarithm of a ratio of channels."""


def chromaticity_histogram(rgb: Tensor, weights: Tensor | None = None) -> Tensor:
    """The colours of images; (batch, 3, h, w) linear -> (batch, 4 SIDE^2).

    For each cell of a grid of red over green and blue over green its share of the pixels, and that
    times its mean red, green and blue. Palettes of windows average to that of their scene.
    """
    rgb = rgb.clamp(min=0)
    log = (rgb + 1e-3).log()
    places = (torch.stack([log[:, 0] - log[:, 1], log[:, 2] - log[:, 1]]) / REACH + 1) / 2
    row, column = (places * SIDE).long().clamp(0, SIDE - 1)
    cell = (row * SIDE + column).flatten(1)
    weight = torch.ones_like(rgb[:, :1]) if weights is None else weights
    each = (torch.cat([torch.ones_like(weight), rgb], dim=1) * weight).flatten(2)
    sums = rgb.new_zeros(len(rgb), 4, SIDE**2)
    sums.scatter_add_(2, cell[:, None].expand_as(each), each)
    return (sums / weight.flatten(1).sum(1).clamp(min=1e-6)[:, None, None]).flatten(1)


def shares(seen: Tensor) -> tuple[Tensor, Tensor]:
    """Palettes as shares (batch, SIDE^2) and mean linear colours (batch, 3, SIDE^2)."""
    share, sums = seen.view(len(seen), 4, -1).split([1, 3], dim=1)
    return share[:, 0], sums / share.clamp(min=1e-9)
