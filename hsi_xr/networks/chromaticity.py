"""Chromaticity histograms: the colours of a scene, in a tensor small enough to share."""

from dataclasses import dataclass

import torch
from torch import Tensor

SIDE, REACH = 48, 1.8
"""Cells along each axis, and the largest log ratio of channels that the grid covers."""

DARKEST = 3e-4
"""Smallest brightness whose logarithm is used: that of one 8-bit step."""

MOMENTS = 6
"""Values per cell: share, red, green, blue, and the first two moments of the log brightness."""

STEPS, FAINTEST = 64, 1e-3
"""Steps of the logarithmic scale on which the values of each channel are counted, and its end."""


@dataclass(frozen=True, eq=False)
class SceneColours:
    """The colours of one scene, by cells of its chromaticity histogram that have pixels.

    Attributes:
        share: (cells,) shares of the pixels, with sum 1.
        rgb: (cells, 3) mean linear RGB.
        log_level: (cells,) mean of the logarithm of brightness, the mean of the three channels.
        log_level_var: (cells,) its variance.
        counts: (3, STEPS) share of the pixels by the value of each channel.
    """

    share: Tensor
    rgb: Tensor
    log_level: Tensor
    log_level_var: Tensor
    counts: Tensor

    def darkest(self, share: float) -> Tensor:
        """Returns a value of each channel, (3,), that at most a share of the pixels is below.

        It is 0 if more are darker than `FAINTEST`.
        """
        total = self.counts.cumsum(1) / self.counts.sum(1, keepdim=True).clamp(min=1e-9)
        below = (total < share).sum(1).clamp(max=STEPS - 1)
        return torch.where(below > 0, FAINTEST ** (1 - below / STEPS), 0.0)

    def without(self, offset: Tensor) -> "SceneColours":
        """Returns the colours after an offset, (3,), has been subtracted from all pixels.

        The spread of the brightness in each cell is changed to first order.
        """
        rgb = (self.rgb - offset).clamp(min=DARKEST)
        ratio = (rgb.mean(1) / self.rgb.mean(1).clamp(min=DARKEST)).clamp(min=0.05)
        return SceneColours(
            self.share,
            rgb,
            self.log_level + ratio.log(),
            self.log_level_var / ratio.square(),
            self.counts,
        )


def chromaticity_histogram(rgb: Tensor, weights: Tensor | None = None) -> Tensor:
    """Computes the chromaticity histogram of images.

    The grid has red over green and blue over green as its axes, on a logarithmic scale. Each cell
    contains its share of the pixels, and that share times the means of red, green, blue, and of
    the logarithm of brightness and its square. The values of each channel are counted as well, on
    a logarithmic scale. Histograms of windows can be averaged to that of their scene.

    Args:
        rgb: (batch, 3, rows, columns) linear RGB.
        weights: (batch, 1, rows, columns) weights of the pixels; None weights all equally.

    Returns:
        (batch, MOMENTS SIDE^2 + 3 STEPS).
    """
    rgb = rgb.clamp(min=0)
    log = (rgb + 1e-3).log()
    position = (torch.stack([log[:, 0] - log[:, 1], log[:, 2] - log[:, 1]]) / REACH + 1) / 2
    row, column = (position * SIDE).long().clamp(0, SIDE - 1)
    cell = (row * SIDE + column).flatten(1)
    weight = torch.ones_like(rgb[:, :1]) if weights is None else weights
    level = rgb.mean(1, keepdim=True).clamp(min=DARKEST).log()
    values = torch.cat([torch.ones_like(weight), rgb, level, level.square()], dim=1)
    each = (values * weight).flatten(2)
    sums = rgb.new_zeros(len(rgb), MOMENTS, SIDE**2)
    sums.scatter_add_(2, cell[:, None].expand_as(each), each)
    step = (STEPS * (1 - rgb.clamp(min=1e-9).log() / torch.tensor(FAINTEST).log())).long()
    counts = rgb.new_zeros(len(rgb), 3, STEPS)
    counts.scatter_add_(
        2, step.clamp(0, STEPS - 1).flatten(2), weight.expand_as(rgb).flatten(2).contiguous()
    )
    found = torch.cat([sums.flatten(1), counts.flatten(1)], dim=1)
    return found / weight.flatten(1).sum(1).clamp(min=1e-6)[:, None]


def shares(histogram: Tensor) -> tuple[Tensor, Tensor]:
    """Splits chromaticity histograms into shares and mean colours.

    Args:
        histogram: (batch, MOMENTS SIDE^2 + 3 STEPS).

    Returns:
        The share of each cell, (batch, SIDE^2), and its mean linear RGB, (batch, 3, SIDE^2).
    """
    cells = _cells(histogram)
    share, sums = cells[:, 0], cells[:, 1:4]
    return share, sums / share.clamp(min=1e-9)[:, None]


def scene_colours(histogram: Tensor) -> SceneColours:
    """Returns the colours of one scene from its histogram, (MOMENTS SIDE^2 + 3 STEPS,)."""
    cells = _cells(histogram[None])[0]
    share, *sums = cells[:, cells[0] > 0]
    red, green, blue, level, square = (each / share for each in sums)
    return SceneColours(
        share / share.sum(),
        torch.stack([red, green, blue], dim=1),
        level,
        (square - level.square()).clamp(min=0),
        histogram[MOMENTS * SIDE**2 :].view(3, STEPS),
    )


def _cells(histogram: Tensor) -> Tensor:
    return histogram[:, : MOMENTS * SIDE**2].view(len(histogram), MOMENTS, -1)
