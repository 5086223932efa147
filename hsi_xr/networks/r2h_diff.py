"""R2H-Diff: a guided denoiser without normalisation layers.

Source: Ding, Zhao, Sun, Liu 2026, "R2H-Diff: Guided Spectral Diffusion Model for
RGB-to-Hyperspectral Reconstruction" (arXiv:2605.05688). Its text gives the modules (HATA, GSRM),
the absence of normalisation, five steps, 0.58 M parameters and 12.25 G multiply-accumulates; the
widths and the inside of the modules are not public and are a design of ours within that budget.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsi_xr.networks.attention import AttentionStatistics, ImageStatistics, Moments

GATE = 50.0
"""Bound of a gate's product. Without normalisation, products of products could otherwise grow
without end on pictures unlike any seen in training; on those seen they stay far below."""

STEP_CODE = 32
"""Length of the sinusoidal code of a step."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """Widths and depths; the defaults are `r2h_base`.

    One pass at 256 x 256 costs 12.14 G multiply-accumulates with 0.579 M parameters.
    """

    widths: tuple[int, ...] = (32, 64, 64)
    """Channels at full, half, quarter ... resolution."""
    blocks: tuple[int, ...] = (3, 3, 2)
    """Blocks per level, the same on the way down and up."""
    head: int = 32
    """Channels of one attention head."""
    guide: int = 20
    step: int = 56

    def __post_init__(self) -> None:
        if len(self.widths) != len(self.blocks) or len(self.widths) < 2:
            raise ValueError(
                f"a size has two levels or more, each with a width and a number of blocks; got "
                f"widths {self.widths} and blocks {self.blocks}"
            )

    @property
    def stride(self) -> int:
        """Rows and columns must be multiples of this."""
        return 2 ** (len(self.widths) - 1)


THIN = Size(widths=(16, 32, 64, 128), blocks=(1, 1, 1, 1), head=16, guide=8, step=32)
"""`r2h_thin`, for the other reading of the published cost: 12.25 G as the sum of all five steps.

0.533 M parameters, 2.81 G a step and 14.05 G in all at 256 x 256. With 16 channels for 31 bands at
full resolution it is to be expected behind `r2h_base`. A design of ours, as that is.
"""


class R2HDiff(nn.Module):
    """Answers the clean cube that it sees in a noisy one, guided by the RGB image.

    Cube and answer live in the chain's own scale, about [-1, 1].
    """

    def __init__(self, bands: int, size: Size | None = None) -> None:
        super().__init__()
        size = size or Size()
        fine, widths = size.widths[0], size.widths
        block = {"head": size.head, "step": size.step}
        blocks = _counted([*size.blocks, *size.blocks[-2::-1]])
        self.stem = nn.Conv2d(bands + 3, fine, 3, padding=1)
        self.step = nn.Sequential(
            nn.Linear(STEP_CODE, size.step), nn.SiLU(), nn.Linear(size.step, size.step)
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
            nn.init.zeros_(parameter)  # an untrained network answers zero

    def forward(
        self,
        x: Tensor,
        rgb: Tensor,
        step: Tensor,
        *,
        guide: Sequence[Tensor] | None = None,
        attention: AttentionStatistics | None = None,
    ) -> Tensor:
        """(batch, bands, rows, columns) noisy, (batch, 3, rows, columns), (batch,) -> clean."""
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
    """Features of the RGB image at each resolution; the same for every step."""

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
    """Blocks at one resolution, after the guide has had its word."""

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
    """Guided Spectral Refinement Module: the guide says where to add what."""

    def __init__(self, width: int, guide: int) -> None:
        super().__init__()
        self.from_guide = nn.Conv2d(guide, 2 * width, 1)
        self.from_cube = nn.Conv2d(width, width, 1)
        self.mask = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.to_cube = nn.Conv2d(width, width, 1)

    def forward(self, h: Tensor, guide: Tensor) -> Tensor:
        where, what = self.from_guide(guide).chunk(2, dim=1)
        mask = self.mask(self.from_cube(h) + where).sigmoid()
        return h + self.to_cube(mask * what)


class Block(nn.Module):
    """Attention, then a gated feed-forward; small learned gains stand in for normalisation."""

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
    """Feed-forward whose only non-linearity is a product of two halves."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(width, 2 * width, 1)
        self.spread = nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width)
        self.narrow = nn.Conv2d(width, width, 1)

    def forward(self, h: Tensor) -> Tensor:
        left, right = self.spread(self.widen(h)).chunk(2, dim=1)
        return self.narrow((left * right).clamp(-GATE, GATE))


class HATA(nn.Module):
    """Hyperspectral-Adaptive Transposed Attention: channels attend to channels.

    Queries and keys are normalised over space, which frees the scores of the signal's amplitude
    without a normalisation layer. "Adaptive": the temperature follows the scene's mean value.
    A positional branch on the values keeps spatial detail.
    """

    def __init__(self, width: int, head: int, index: int = 0) -> None:
        super().__init__()
        self.index = index
        if width % head:
            raise ValueError(f"heads of {head} channels do not divide {width} channels")
        self.heads = width // head
        self.to_qkv = nn.Conv2d(width, 3 * width, 1, bias=False)
        self.near_qkv = nn.Conv2d(3 * width, 3 * width, 3, padding=1, groups=3 * width, bias=False)
        self.to_out = nn.Conv2d(width, width, 1, bias=False)
        self.local = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
        )
        # softplus(0.54) = 1, the published start of the temperature in MST's attention
        self.sharpness = nn.Parameter(torch.full((self.heads,), 0.54))
        self.sharpness_of_value = nn.Parameter(torch.zeros(self.heads, head))

    def forward(self, h: Tensor, attention: AttentionStatistics) -> Tensor:
        if attention.known:
            value = self._value(h)
            mixed = self._mix_known(value, attention.matrices(self.index))
        else:
            query, key, value = self.near_qkv(self.to_qkv(h)).chunk(3, dim=1)
            moments = self._moments(query, key, value, attention.weights(h.shape[-2:]))
            mixed = self._mix(value, attention.matrices(self.index, self._rule, moments))
        return mixed + self.local(value)

    def _value(self, h: Tensor) -> Tensor:
        width = h.shape[1]
        value = F.conv2d(h, self.to_qkv.weight[2 * width :])
        return F.conv2d(value, self.near_qkv.weight[2 * width :], padding=1, groups=width)

    def _by_head(self, x: Tensor) -> Tensor:
        """(batch, channels, rows, columns) -> (batch, heads, d, pixels)."""
        return x.unflatten(1, (self.heads, -1)).flatten(3)

    def _moments(
        self, query: Tensor, key: Tensor, value: Tensor, weights: Tensor | None
    ) -> Moments:
        q, k, v = (self._by_head(each) for each in (query, key, value))
        if weights is None:
            weighted, pixels = (q, k, v), q.new_full((len(q), 1, 1), q.shape[-1])
        else:
            w = weights.flatten(2)[:, None]
            weighted, pixels = (q * w, k * w, v * w), w.sum(-1)
        return Moments(
            gram=weighted[0] @ k.mT,
            query_energy=(weighted[0] * q).sum(-1),
            key_energy=(weighted[1] * k).sum(-1),
            value=weighted[2].sum(-1),
            pixels=pixels,
        )

    def _rule(self, of: Moments) -> Tensor:
        mean_value = of.value / of.pixels.clamp(min=1)
        sharpness = F.softplus(self.sharpness + (mean_value * self.sharpness_of_value).sum(-1))
        energy = of.query_energy[..., :, None] * of.key_energy[..., None, :]
        cosine = of.gram / energy.sqrt().clamp(min=1e-12)
        return (sharpness[..., None, None] * cosine).softmax(dim=-1)

    def _mix(self, value: Tensor, matrices: Tensor) -> Tensor:
        return self.to_out((matrices @ self._by_head(value)).reshape(value.shape))

    def _mix_known(self, value: Tensor, matrices: Tensor) -> Tensor:
        """One 1 x 1 convolution: the scene's matrices and the output projection are constants."""
        whole = torch.block_diag(*matrices[0])
        return F.conv2d(value, (self.to_out.weight[..., 0, 0] @ whole)[..., None, None])


def sinusoid(step: Tensor) -> Tensor:
    """(batch,) -> (batch, STEP_CODE), with periods from 2 pi to 10,000 times that."""
    half = STEP_CODE // 2
    rates = torch.exp(torch.arange(half, device=step.device) * (-math.log(1e4) / half))
    angles = step.float()[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
