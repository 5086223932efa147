"""The U-Net of conditional DDPM: predicts the noise in a cube, given the RGB image.

Source: Luo, "Generative Models for Spectral Reconstruction from RGB Images" (a report without a
DOI), which compares a plain diffusion model with a GAN on ARAD-HS; process of Ho, Jain, Abbeel
2020 (arXiv:2006.11239); the condition is concatenated, as in SR3 of Saharia et al. 2021
(arXiv:2104.07636). Published: a U-Net of three encoders (convolution, BatchNorm, SiLU), three
decoders (transposed convolution, BatchNorm, SiLU), skip connections, residual blocks and attention,
which predicts the noise. Widths, step embedding and position of the attention are original to this
package.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsi_xr.networks.r2h_diff import EMBEDDING, sinusoid

Norm = Literal["batch", "group"]
"""Normalisation of features.

`batch` is published; its running statistics mix all noise levels, and in evaluation it reads no
other pixel. `group` (32 groups) computes statistics from each image.
"""

HEADS = 4
GROUPS = 32


class ConditionalUNet(nn.Module):
    """Predicts the noise in a noisy cube, guided by the RGB image.

    With widths of 64, 128, 256 it has 8.03 M parameters and takes 44 G multiply-accumulates a step
    at 256 x 256, 1.2 % of them for attention, whose cost grows with the square of the pixels.
    Rows and columns must be multiples of `stride`.

    Args:
        bands: Bands of the cube.
        widths: Channels at full, half and quarter resolution; the bottleneck, at the next lower
            resolution, is as wide as the last.
        step: Width of the step embedding.
        norm: Normalisation of features.
    """

    def __init__(
        self,
        bands: int,
        *,
        widths: Sequence[int] = (64, 128, 256),
        step: int = 256,
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        self.stride = 2 ** len(widths)
        self.stem = nn.Conv2d(bands + 3, widths[0], 3, padding=1)
        self.step = nn.Sequential(nn.Linear(EMBEDDING, step), nn.SiLU(), nn.Linear(step, step))
        self.down = nn.ModuleList(
            [
                Residual(finer, width, step=step, norm=norm)
                for finer, width in pairwise([widths[0], *widths])
            ]
        )
        self.shrink = nn.ModuleList(
            [
                _active(nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False), width, norm)
                for width in widths
            ]
        )
        deepest = widths[-1]
        self.before = Residual(deepest, deepest, step=step, norm=norm)
        self.attend = SpatialAttention(deepest, norm=norm)
        self.after = Residual(deepest, deepest, step=step, norm=norm)
        self.grow = nn.ModuleList(
            [
                _active(nn.ConvTranspose2d(coarser, width, 2, stride=2, bias=False), width, norm)
                for coarser, width in pairwise([deepest, *reversed(widths)])
            ]
        )
        self.up = nn.ModuleList(
            [Residual(2 * width, width, step=step, norm=norm) for width in reversed(widths)]
        )
        self.head = nn.Conv2d(widths[0], bands, 3, padding=1)

    def forward(self, x: Tensor, rgb: Tensor, step: Tensor) -> Tensor:
        """Predicts the noise.

        Args:
            x: (batch, bands, rows, columns) noisy cube.
            rgb: (batch, 3, rows, columns) encoded RGB.
            step: (batch,) steps, counted from 1.

        Returns:
            (batch, bands, rows, columns).
        """
        if x.shape[-2] % self.stride or x.shape[-1] % self.stride:
            raise ValueError(
                f"rows and columns must be multiples of {self.stride}; got {tuple(x.shape[-2:])}"
            )
        code = self.step(sinusoid(step))
        h = self.stem(torch.cat([x, rgb], dim=1))
        skips = []
        for block, shrink in zip(self.down, self.shrink):
            skips.append(block(h, code))
            h = shrink(skips[-1])
        h = self.after(self.attend(self.before(h, code)), code)
        for block, grow in zip(self.up, self.grow):
            h = block(torch.cat([grow(h), skips.pop()], dim=1), code)
        return self.head(h)


class Residual(nn.Module):
    """Two normalised and activated convolutions with a shortcut; the step shifts the first."""

    def __init__(self, into: int, width: int, *, step: int, norm: Norm) -> None:
        super().__init__()
        # a bias before a normalisation has no effect
        self.first = nn.Conv2d(into, width, 3, padding=1, bias=False)
        self.first_norm = _norm(width, norm)
        self.shift = nn.Linear(step, width)
        self.second = _active(nn.Conv2d(width, width, 3, padding=1, bias=False), width, norm)
        self.shortcut = nn.Identity() if into == width else nn.Conv2d(into, width, 1)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Returns (batch, width, rows, columns) features.

        Args:
            x: (batch, into, rows, columns) features.
            code: (batch, step) embedding of the step.
        """
        h = self.first_norm(self.first(x)) + self.shift(code)[:, :, None, None]
        return self.shortcut(x) + self.second(F.silu(h))


class SpatialAttention(nn.Module):
    """Pixels attend to all pixels of the tile, so the output depends on the whole tile.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), with four heads; on images as in Ho et al. 2020.
    """

    def __init__(self, width: int, *, norm: Norm) -> None:
        super().__init__()
        if width % HEADS:
            raise ValueError(f"{HEADS} heads do not divide {width} channels")
        self.norm = _norm(width, norm)
        self.to_qkv = nn.Conv2d(width, 3 * width, 1)
        self.to_out = nn.Conv2d(width, width, 1)

    def forward(self, h: Tensor) -> Tensor:
        """Returns attended features, (batch, width, rows, columns), of the same shape."""
        # (batch, 3 heads, pixels, d); kernels without a pixel-by-pixel matrix need d contiguous
        each = self.to_qkv(self.norm(h)).flatten(2).unflatten(1, (3 * HEADS, -1)).mT.contiguous()
        q, k, v = each.chunk(3, dim=1)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return h + self.to_out(mixed.mT.reshape(h.shape))


def _active(convolution: nn.Module, width: int, norm: Norm) -> nn.Sequential:
    return nn.Sequential(convolution, _norm(width, norm), nn.SiLU())


def _norm(width: int, norm: Norm) -> nn.Module:
    if norm == "batch":
        return nn.BatchNorm2d(width)
    if norm == "group":
        return nn.GroupNorm(min(GROUPS, width), width)
    raise ValueError(f"norm must be 'batch' or 'group'; got {norm!r}")
