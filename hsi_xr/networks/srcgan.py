"""SRCGAN: a U-Net that answers in one pass, and the critic that it was trained against.

Source: Alvarez-Gila, van de Weijer, Garrote 2017, "Adversarial Networks for Spatial Context-Aware
Spectral Image Reconstruction from RGB" (arXiv:1709.00265); the name is that of Zhang et al. 2022
(doi:10.1038/s41598-022-16223-1). A conditional GAN of U-Net and PatchGAN with an L1 term is
published; the layers here are the defaults of pix2pix, Isola et al. 2017 (arXiv:1611.07004), and
the fully convolutional variant of five levels, the absent tanh and BatchNorm that applies its
running statistics in evaluation (pix2pix takes those of the image) are choices of ours.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DROPOUT_BLOCKS = 3
"""Decoder blocks, from the innermost, whose features are dropped with a chance of one half: the
only z that the generator has."""

Drop = Callable[[Tensor, int], Tensor]
"""(features, block from 0 for the innermost) -> the features, some zero and the others doubled."""


class Generator(nn.Module):
    """RGB -> cube, through `levels` halvings and back.

    Five levels are fully convolutional for practical pictures (16.7 M parameters); seven (41.9 M)
    and eight (54.5 M, 7.0 G multiply-accumulates at 256 x 256) come down to one pixel on the
    patches of 128 and 256 that they are published for. What is answered is not bounded.
    Rows and columns must be multiples of `stride`. In evaluation an answer depends on pixels up to
    3 (stride - 1) away: 93 with five levels.

    Args:
        width: Channels after the first halving; doubled at each of the next three.
    """

    def __init__(self, bands: int, *, levels: int = 5, width: int = 64) -> None:
        super().__init__()
        if levels < DROPOUT_BLOCKS + 1:
            raise ValueError(f"a generator has at least {DROPOUT_BLOCKS + 1} levels; got {levels}")
        self.stride = 2**levels
        widths = [width * min(2**level, 8) for level in range(levels)]
        ends = (0, levels - 1)
        # the first sees bare numbers, and the last may see a single pixel: neither is normalised
        self.down = nn.ModuleList(
            [
                _scaled(nn.Conv2d, finer, coarser, norm=level not in ends)
                for level, (finer, coarser) in enumerate(pairwise([3, *widths]))
            ]
        )
        # all but the innermost also take the features of the same resolution on the way down
        into = [widths[-1], *(2 * each for each in widths[-2::-1])]
        self.up = nn.ModuleList(
            [
                _scaled(nn.ConvTranspose2d, coarser, finer, norm=True)
                for coarser, finer in zip(into, widths[-2::-1])
            ]
        )
        self.head = nn.ConvTranspose2d(into[-1], bands, 4, stride=2, padding=1)

    def forward(self, rgb: Tensor, *, drop: Drop | None = None) -> Tensor:
        """(batch, 3, rows, columns) -> (batch, bands, rows, columns).

        Args:
            drop: Drops features of the inner decoder blocks; None leaves it to torch in training,
                and drops nothing in evaluation.
        """
        if rgb.shape[-2] % self.stride or rgb.shape[-1] % self.stride:
            raise ValueError(
                f"rows and columns must be multiples of {self.stride}; got {tuple(rgb.shape[-2:])}"
            )
        skips, h = [], rgb
        for level, down in enumerate(self.down):
            h = down(F.leaky_relu(h, 0.2) if level else h)
            skips.append(h)
        h = skips.pop()
        for block, up in enumerate(self.up):
            h = up(F.relu(h))
            if block < DROPOUT_BLOCKS:
                h = drop(h, block) if drop else F.dropout(h, training=self.training)
            h = torch.cat([h, skips.pop()], dim=1)
        return self.head(F.relu(h))


class Discriminator(nn.Module):
    """Tells real cubes from generated ones, given their RGB, by patches of 70 x 70 pixels.

    PatchGAN: 2.80 M parameters for 31 bands, 3.67 G multiply-accumulates at 256 x 256, where it
    answers on 30 x 30 patches. Only training needs it.
    """

    def __init__(self, bands: int, *, width: int = 64) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(4)]
        self.first = nn.Conv2d(bands + 3, width, 4, stride=2, padding=1)
        self.middle = nn.ModuleList(
            [
                _scaled(
                    nn.Conv2d, finer, coarser, norm=True, stride=1 if coarser == widths[-1] else 2
                )
                for finer, coarser in pairwise(widths)
            ]
        )
        self.head = nn.Conv2d(widths[-1], 1, 4, padding=1)

    def forward(self, rgb: Tensor, cube: Tensor) -> Tensor:
        """(batch, 3, rows, columns), (batch, bands, rows, columns) -> logits, (batch, 1, m, n)."""
        h = self.first(torch.cat([rgb, cube], dim=1))
        for layer in self.middle:
            h = layer(F.leaky_relu(h, 0.2))
        return self.head(F.leaky_relu(h, 0.2))


def _scaled(
    kind: type[nn.Conv2d] | type[nn.ConvTranspose2d],
    into: int,
    width: int,
    *,
    norm: bool,
    stride: int = 2,
) -> nn.Sequential:
    """A 4 x 4 convolution down or up; normalised, it needs no bias."""
    layers: list[nn.Module] = [kind(into, width, 4, stride=stride, padding=1, bias=not norm)]
    return nn.Sequential(*layers, *([nn.BatchNorm2d(width)] if norm else []))
