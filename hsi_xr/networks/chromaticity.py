"""Chromaticity histograms: the colours of a scene, in a tensor small enough to share."""

import torch
from torch import Tensor

SIDE, REACH = 48, 1.8
"""Cells along each axis, and the largest log ratio of channels that the grid covers."""


def chromaticity_histogram(rgb: Tensor, weights: Tensor | None = None) -> Tensor:
    """Computes the chromaticity histogram of images.

    The grid has red over green and blue over green as its axes, on a logarithmic scale. Each cell
    contains its share of the pixels, and that share times its mean red, green and blue. Histograms
    of windows can be averaged to that of their scene.

    Args:
        rgb: (batch, 3, rows, columns) linear RGB.
        weights: (batch, 1, rows, columns) weights of the pixels; None counts all alike.

    Returns:
        (batch, 4 SIDE^2).
    """
    rgb = rgb.clamp(min=0)
    log = (rgb + 1e-3).log()
    position = (torch.stack([log[:, 0] - log[:, 1], log[:, 2] - log[:, 1]]) / REACH + 1) / 2
    row, column = (position * SIDE).long().clamp(0, SIDE - 1)
    cell = (row * SIDE + column).flatten(1)
    weight = torch.ones_like(rgb[:, :1]) if weights is None else weights
    each = (torch.cat([torch.ones_like(weight), rgb], dim=1) * weight).flatten(2)
    sums = rgb.new_zeros(len(rgb), 4, SIDE**2)
    sums.scatter_add_(2, cell[:, None].expand_as(each), each)
    return (sums / weight.flatten(1).sum(1).clamp(min=1e-6)[:, None, None]).flatten(1)


def shares(histogram: Tensor) -> tuple[Tensor, Tensor]:
    """Splits chromaticity histograms into shares and mean colours.

    Args:
        histogram: (batch, 4 SIDE^2).

    Returns:
        The share of each cell, (batch, SIDE^2), and its mean linear RGB, (batch, 3, SIDE^2).
    """
    share, sums = histogram.view(len(histogram), 4, -1).split([1, 3], dim=1)
    return share[:, 0], sums / share.clamp(min=1e-9)
