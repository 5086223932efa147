"""HSCNN+ as the NTIRE 2022 benchmark ran it: thirty densely fused blocks of small convolutions.

Source: Shi, Chen, Xiong, Liu, Wu 2018, "HSCNN+: Advanced CNN-Based Hyperspectral Recovery from RGB
Images" (CVPR Workshops, doi:10.1109/CVPRW.2018.00139), at the size of the benchmark of Cai et al.
2022, MST++ (arXiv:2204.07908), whose names of modules are kept, so that its weights load.
"""

from collections.abc import Iterable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsi_xr.networks.attention import AttentionStatistics

GROWTH = 32
"""Channels that a block adds to all before it."""

INNER = 128
"""Channels that a block first narrows or widens its input to; the stem's channels, too."""


class HSCNNPlus(nn.Module):
    """Answers (batch, bands, rows, columns) reflectance to (batch, 3, rows, columns) RGB.

    At 31 bands and 30 blocks 4,645,504 parameters and 304.448e9 multiply-accumulates at 256 x 256.
    Source: doi:10.1109/CVPRW.2018.00139.
    """

    def __init__(self, bands: int, blocks: int = 30) -> None:
        super().__init__()
        self.ddfn = DDFN(blocks)
        self.conv_out = nn.Conv2d(INNER + GROWTH * blocks, bands, 1, bias=False)

    def forward(self, rgb: Tensor, *, attention: AttentionStatistics | None = None) -> Tensor:
        """(batch, 3, rows, columns) -> (batch, bands, rows, columns); any size.

        It is local, with a reach of one pixel by block and one more: `attention` goes unused.
        """
        return self.conv_out(self.ddfn(rgb))


class DDFN(nn.Module):
    """Dense Deep Fusion Network: (batch, 3, rows, columns) -> all channels of all blocks."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv_up1 = nn.Conv2d(3, 32, 3, padding=1, bias=False)
        self.conv_up2 = nn.Conv2d(32, 32, 1, bias=False)
        self.conv_down1 = nn.Conv2d(3, 32, 3, padding=1, bias=False)
        self.conv_down2 = nn.Conv2d(32, 32, 1, bias=False)
        self.dfus_blocks = nn.Sequential(*[FusionBlock(INNER + GROWTH * i) for i in range(blocks)])

    def forward(self, rgb: Tensor) -> Tensor:
        up = _pair(rgb, self.conv_up1, self.conv_up2)
        down = _pair(rgb, self.conv_down1, self.conv_down2)
        stem = torch.cat([*up, *down], dim=1)
        return self.dfus_blocks(stem) if torch.is_grad_enabled() else self._in_place(stem)

    def _in_place(self, stem: Tensor) -> Tensor:
        """The same where no gradient is asked for: each block copies no channels before its own.

        Channels last, those before a block are a matrix with longer rows, which a product reads
        where it lies; growing by concatenation instead holds three times the memory.
        """
        rows = stem.movedim(1, -1)
        found = rows.new_empty(*rows.shape[:-1], INNER + GROWTH * len(self.dfus_blocks))
        found[..., :INNER] = rows
        blocks = cast(Iterable[FusionBlock], self.dfus_blocks)
        for block, end in zip(blocks, range(INNER, found.shape[-1], GROWTH)):
            h = block.narrowed(found[..., :end].flatten(0, 2)).unflatten(0, rows.shape[:-1])
            found[..., end : end + GROWTH] = block.fused(h.movedim(-1, 1)).movedim(1, -1)
        return found.movedim(-1, 1)


class FusionBlock(nn.Module):
    """Two parallel branches, fused; (batch, n, rows, columns) -> (batch, n + 32, rows, columns)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, INNER, 1, bias=False)
        self.conv_up1 = nn.Conv2d(INNER, 32, 3, padding=1, bias=False)
        self.conv_up2 = nn.Conv2d(32, 16, 1, bias=False)
        self.conv_down1 = nn.Conv2d(INNER, 32, 3, padding=1, bias=False)
        self.conv_down2 = nn.Conv2d(32, 16, 1, bias=False)
        self.conv_fution = nn.Conv2d(96, GROWTH, 1, bias=False)  # the published name

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.fused(F.relu_(self.conv1(x)))], dim=1)

    def narrowed(self, x: Tensor) -> Tensor:
        """What `forward` hands to `fused`, of pixels (count, n) -> (count, 128)."""
        return F.relu_(F.linear(x, self.conv1.weight[:, :, 0, 0]))

    def fused(self, h: Tensor) -> Tensor:
        """(batch, 128, rows, columns) -> the 32 channels that the block adds."""
        up = _pair(h, self.conv_up1, self.conv_up2)
        down = _pair(h, self.conv_down1, self.conv_down2)
        return F.relu_(self.conv_fution(torch.cat([*up, *down], dim=1)))


def _pair(x: Tensor, spatial: nn.Conv2d, spectral: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """A 3 x 3 convolution of the input and a 1 x 1 convolution of its answer."""
    near = F.relu_(spatial(x))
    return near, F.relu_(spectral(near))
