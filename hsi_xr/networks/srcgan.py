"""SRCGAN: a U-Net as generator, and the discriminator that it is trained against.

Source: Alvarez-Gila, van de Weijer, Garrote 2017, "Adversarial Networks for Spatial Context-Aware
Spectral Image Reconstruction from RGB" (arXiv:1709.00265); the name is that of Zhang et al. 2022
(doi:10.1038/s41598-022-16223-1). The paper describes a conditional GAN of U-Net and PatchGAN, with
an L1 term. The layers here are the defaults of pix2pix, Isola et al. 2017 (arXiv:1611.07004).
Original to this package are the fully convolutional variant of five levels, the absence of tanh,
and BatchNorm that applies its running statistics in evaluation (pix2pix uses those of the image).
"""

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DROPOUT_BLOCKS = 3
"""Number of decoder blocks, from the innermost, with a dropout of one half: the only random input
of the generator."""

Drop = Callable[[Tensor, int], Tensor]
"""Drops features: zeroes some and doubles the others. Its arguments are features, (batch, channels,
rows, columns), and the index of their decoder block, 0 for the innermost."""


class Generator(nn.Module):
    """U-Net from RGB to cube, through `levels` halvings and back.

    Five levels are fully convolutional for images of practical size (16.7 M parameters). Seven
    (41.9 M) and eight (54.5 M, 7.0 G multiply-accumulates at 256 x 256) come down to one pixel on
    the patches of 128 and 256 pixels that they are published for. The output is not bounded. Rows
    and columns must be multiples of `stride`. In evaluation, an output pixel depends on pixels up
    to 3 (stride - 1) away: 93 with five levels.

    Args:
        bands: Bands of the output.
        levels: Number of halvings.
        width: Channels after the first halving; doubled at each of the next three.
    """

    def __init__(self, bands: int, *, levels: int = 5, width: int = 64) -> None:
        super().__init__()
        if levels < DROPOUT_BLOCKS + 1:
            raise ValueError(
                f"a generator needs at least {DROPOUT_BLOCKS + 1} levels; got {levels}"
            )
        self.stride = 2**levels
        widths = [width * min(2**level, 8) for level in range(levels)]
        ends = (0, levels - 1)
        # the first level has raw input, and the last may have a single pixel: no normalisation
        self.down = nn.ModuleList(
            [
                _resize(nn.Conv2d, finer, coarser, norm=level not in ends)
                for level, (finer, coarser) in enumerate(pairwise([3, *widths]))
            ]
        )
        # all but the innermost also read the encoder's features of the same resolution
        into = [widths[-1], *(2 * each for each in widths[-2::-1])]
        self.up = nn.ModuleList(
            [
                _resize(nn.ConvTranspose2d, coarser, finer, norm=True)
                for coarser, finer in zip(into, widths[-2::-1])
            ]
        )
        self.head = nn.ConvTranspose2d(into[-1], bands, 4, stride=2, padding=1)

    def forward(self, rgb: Tensor, *, drop: Drop | None = None) -> Tensor:
        """Reconstructs a cube.

        Args:
            rgb: (batch, 3, rows, columns).
            drop: Drops features of the inner decoder blocks; with None, torch drops them in
                training, and none are dropped in evaluation.

        Returns:
            (batch, bands, rows, columns).
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
    """PatchGAN: classifies patches of 70 x 70 pixels as real or generated, given their RGB.

    It has 2.80 M parameters for 31 bands and takes 3.67 G multiply-accumulates at 256 x 256, where
    its output is 30 x 30. Only training needs it.

    Args:
        bands: Bands of the cubes.
        width: Channels after the first convolution.
    """

    def __init__(self, bands: int, *, width: int = 64) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(4)]
        self.first = nn.Conv2d(bands + 3, width, 4, stride=2, padding=1)
        self.middle = nn.ModuleList(
            [
                _resize(
                    nn.Conv2d, finer, coarser, norm=True, stride=1 if coarser == widths[-1] else 2
                )
                for finer, coarser in pairwise(widths)
            ]
        )
        self.head = nn.Conv2d(widths[-1], 1, 4, padding=1)

    def forward(self, rgb: Tensor, cube: Tensor) -> Tensor:
        """Returns logits (batch, 1, m, n), positive for real cubes.

        Args:
            rgb: (batch, 3, rows, columns).
            cube: (batch, bands, rows, columns).
        """
        h = self.first(torch.cat([rgb, cube], dim=1))
        for layer in self.middle:
            h = layer(F.leaky_relu(h, 0.2))
        return self.head(F.leaky_relu(h, 0.2))


def _resize(
    kind: type[nn.Conv2d] | type[nn.ConvTranspose2d],
    into: int,
    width: int,
    *,
    norm: bool,
    stride: int = 2,
) -> nn.Sequential:
    """Returns a 4 x 4 convolution that halves or doubles; if normalised, it has no bias."""
    layers: list[nn.Module] = [kind(into, width, 4, stride=stride, padding=1, bias=not norm)]
    return nn.Sequential(*layers, *([nn.BatchNorm2d(width)] if norm else []))
