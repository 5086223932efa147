"""The guided denoiser of R2H-Diff, a U-Net without normalisation layers.

Source: Ding, Zhao, Sun, Liu 2026, "R2H-Diff: Guided Spectral Diffusion Model for
RGB-to-Hyperspectral Reconstruction" (arXiv:2605.05688). The text specifies the modules (HATA,
GSRM), the absence of normalisation, five steps, 0.58 M parameters and 12.25 G multiply-accumulates.
Widths and the insides of the modules were not published; they are original to this package, within
that budget.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn

from hsi_xr.networks._hata import HATA
from hsi_xr.networks.attention import AttentionStatistics, ImageStatistics

GATE = 50.0
"""Bound of a gate's product. Without normalisation, products of products could grow without limit
on images unlike those of the training data, on which they stay far below the bound."""

EMBEDDING = 32
"""Length of the sinusoidal embedding of a step."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """Widths and depths of a network; the defaults are `r2h_base`.

    One pass at 256 x 256 takes 12.14 G multiply-accumulates, with 0.579 M parameters.

    Attributes:
        widths: Channels at full, half, quarter ... resolution.
        blocks: Blocks per level, the same in encoder and decoder.
        head: Channels of one attention head.
        guide: Channels of the features of the RGB image.
        step: Width of the step embedding.
    """

    widths: tuple[int, ...] = (32, 64, 64)
    blocks: tuple[int, ...] = (3, 3, 2)
    head: int = 32
    guide: int = 20
    step: int = 56

    def __post_init__(self) -> None:
        if len(self.widths) != len(self.blocks) or len(self.widths) < 2:
            raise ValueError(
                f"a size needs two levels or more, each with a width and a number of blocks; got "
                f"widths {self.widths} and blocks {self.blocks}"
            )

    @property
    def stride(self) -> int:
        """Rows and columns must be multiples of this."""
        return 2 ** (len(self.widths) - 1)


THIN = Size(widths=(16, 32, 64, 128), blocks=(1, 1, 1, 1), head=16, guide=8, step=32)
"""`r2h_thin`, for the other reading of the published cost: 12.25 G as the sum of all five steps.

It has 0.533 M parameters and takes 2.81 G a step, 14.05 G in total, at 256 x 256. With 16 channels
for 31 bands at full resolution it is expected to be less accurate than `r2h_base`. Like that one,
it is original to this package.
"""


class R2HDiff(nn.Module):
    """Predicts the clean chain from a noisy one, guided by the RGB image.

    Both are on the scale of the chain, about [-1, 1]. An untrained network predicts zero.

    Args:
        bands: Channels of the chain.
        size: Widths and depths; None is `r2h_base`.
    """

    def __init__(self, bands: int, size: Size | None = None) -> None:
        super().__init__()
        size = size or Size()
        fine, widths = size.widths[0], size.widths
        block = {"head": size.head, "step": size.step}
        blocks = _counted([*size.blocks, *size.blocks[-2::-1]])
        self.stem = nn.Conv2d(bands + 3, fine, 3, padding=1)
        self.step = nn.Sequential(
            nn.Linear(EMBEDDING, size.step), nn.SiLU(), nn.Linear(size.step, size.step)
        )
        self.guide = Guide(size.guide, len(widths))
        self.down = nn.ModuleList(
            [Level(w, n, guide=size.guide, **block) for w, n in zip(widths, blocks)]
        )
        self.up = nn.ModuleList(
            [
                Level(w, n, guide=size.guide, **block)
                for w, n in zip(widths[-2::-1], blocks[len(widths) :])
            ]
        )
        self.shrink = nn.ModuleList(
            [
                nn.Conv2d(w, coarser, 4, stride=2, padding=1, bias=False)
                for w, coarser in pairwise(widths)
            ]
        )
        self.grow = nn.ModuleList(
            [
                nn.ConvTranspose2d(coarser, w, 2, stride=2)
                for coarser, w in pairwise(reversed(widths))
            ]
        )
        self.fuse = nn.ModuleList([nn.Conv2d(2 * w, w, 1, bias=False) for w in widths[-2::-1]])
        self.head = nn.Conv2d(fine, bands, 3, padding=1)
        self.base = nn.Conv2d(3, bands, 1)
        for parameter in (*self.head.parameters(), *self.base.parameters()):
            nn.init.zeros_(parameter)

    def forward(
        self,
        x: Tensor,
        rgb: Tensor,
        step: Tensor,
        *,
        guide: Sequence[Tensor] | None = None,
        attention: AttentionStatistics | None = None,
    ) -> Tensor:
        """Predicts the clean chain.

        Args:
            x: (batch, bands, rows, columns) noisy chain.
            rgb: (batch, 3, rows, columns) guide image.
            step: (batch,) steps, counted from 1.
            guide: Features of the guide image, if already computed by `self.guide`.
            attention: Statistics of transposed attention; None computes them from each image.

        Returns:
            (batch, bands, rows, columns).
        """
        guide = self.guide(rgb) if guide is None else guide
        attention = attention or ImageStatistics()
        code = self.step(sinusoid(step))
        h = self.stem(torch.cat([x, rgb], dim=1))
        skips = []
        for level, (blocks, g) in enumerate(zip(self.down, guide)):
            h = blocks(h, g, code, attention)
            if level < len(self.shrink):
                skips.append(h)
                h = self.shrink[level](h)
        for blocks, g, grow, fuse in zip(self.up, guide[-2::-1], self.grow, self.fuse):
            h = fuse(torch.cat([grow(h), skips.pop()], dim=1))
            h = blocks(h, g, code, attention)
        return self.head(h) + self.base(rgb)


def _counted(blocks: Sequence[int]) -> list[range]:
    """Returns the indices of the blocks of each level, in the order they run."""
    ends = list(accumulate(blocks))
    return [range(end - count, end) for count, end in zip(blocks, ends)]


class Guide(nn.Module):
    """Computes features of the RGB image at each resolution; the same for every step."""

    def __init__(self, width: int, levels: int) -> None:
        super().__init__()
        self.fine = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), nn.GELU(), nn.Conv2d(width, width, 3, padding=1)
        )
        self.shrink = nn.ModuleList(
            [nn.Sequential(nn.Conv2d(width, width, 4, 2, 1), nn.GELU()) for _ in range(levels - 1)]
        )

    def forward(self, rgb: Tensor) -> list[Tensor]:
        features = [self.fine(rgb)]
        for shrink in self.shrink:
            features.append(shrink(features[-1]))
        return features


class Level(nn.Module):
    """Refinement by the guide, then blocks, at one resolution."""

    def __init__(self, width: int, blocks: range, *, guide: int, head: int, step: int) -> None:
        super().__init__()
        self.refine = GSRM(width, guide)
        self.blocks = nn.ModuleList(
            [Block(width, head=head, step=step, index=index) for index in blocks]
        )

    def forward(
        self, h: Tensor, guide: Tensor, code: Tensor, attention: AttentionStatistics
    ) -> Tensor:
        h = self.refine(h, guide)
        for block in self.blocks:
            h = block(h, code, attention)
        return h


class GSRM(nn.Module):
    """Guided Spectral Refinement Module: adds features of the guide, weighted by a mask."""

    def __init__(self, width: int, guide: int) -> None:
        super().__init__()
        self.from_guide = nn.Conv2d(guide, 2 * width, 1)
        self.from_cube = nn.Conv2d(width, width, 1)
        self.mask = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.to_cube = nn.Conv2d(width, width, 1)

    def forward(self, h: Tensor, guide: Tensor) -> Tensor:
        position, content = self.from_guide(guide).chunk(2, dim=1)
        mask = self.mask(self.from_cube(h) + position).sigmoid()
        return h + self.to_cube(mask * content)


class Block(nn.Module):
    """Attention, then a gated feed-forward; small learned gains replace normalisation."""

    def __init__(self, width: int, *, head: int, step: int, index: int) -> None:
        super().__init__()
        self.shift = nn.Linear(step, width)
        self.attend = HATA(width, head, index)
        self.feed = GatedFeed(width)
        self.attend_gain = nn.Parameter(torch.full((width, 1, 1), 0.1))
        self.feed_gain = nn.Parameter(torch.full((width, 1, 1), 0.1))

    def forward(self, h: Tensor, code: Tensor, attention: AttentionStatistics) -> Tensor:
        h = h + self.shift(code)[:, :, None, None]
        h = torch.addcmul(h, self.attend_gain, self.attend(h, attention))
        return torch.addcmul(h, self.feed_gain, self.feed(h))


class GatedFeed(nn.Module):
    """Feed-forward whose only non-linearity is the product of two halves of its channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(width, 2 * width, 1)
        self.spread = nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width)
        self.narrow = nn.Conv2d(width, width, 1)

    def forward(self, h: Tensor) -> Tensor:
        left, right = self.spread(self.widen(h)).chunk(2, dim=1)
        return self.narrow((left * right).clamp(-GATE, GATE))


def sinusoid(step: Tensor) -> Tensor:
    """Embeds (batch,) steps as (batch, EMBEDDING), with periods from 2 pi to 10,000 times that."""
    half = EMBEDDING // 2
    rates = torch.exp(torch.arange(half, device=step.device) * (-math.log(1e4) / half))
    angles = step.float()[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
