"""HSCNN+ of the NTIRE 2022 benchmark: thirty densely connected blocks of small convolutions.

Source: Shi, Chen, Xiong, Liu, Wu 2018, "HSCNN+: Advanced CNN-Based Hyperspectral Recovery from RGB
Images" (CVPR Workshops, doi:10.1109/CVPRW.2018.00139), at the size of the benchmark of Cai et al.
2022, MST++ (arXiv:2204.07908). Modules have the names of the benchmark, so that its weights load.
"""

from collections.abc import Iterable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsi_xr.networks.attention import AttentionStatistics

GROWTH = 32
"""Channels that each block adds."""

INNER = 128
"""Channels inside a block, and of the stem."""


class HSCNNPlus(nn.Module):
    """HSCNN+; 4,645,504 parameters at 31 bands and 30 blocks.

    It takes 304.448e9 multiply-accumulates at 256 x 256.

    Args:
        bands: Bands of the output.
        blocks: Fusion blocks.

    Source: doi:10.1109/CVPRW.2018.00139.
    """

    def __init__(self, bands: int, blocks: int = 30) -> None:
        super().__init__()
        self.ddfn = DDFN(blocks)
        self.conv_out = nn.Conv2d(INNER + GROWTH * blocks, bands, 1, bias=False)

    def forward(self, rgb: Tensor, *, attention: AttentionStatistics | None = None) -> Tensor:
        """Reconstructs a cube.

        Args:
            rgb: (batch, 3, rows, columns) of any size.
            attention: Not used: the network is local, with a reach of one pixel per block plus one.

        Returns:
            (batch, bands, rows, columns).
        """
        return self.conv_out(self.ddfn(rgb))


class DDFN(nn.Module):
    """Dense Deep Fusion Network: from (batch, 3, rows, columns) to the channels of all blocks."""

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
        """Runs the blocks without gradients; no block copies the channels before its own.

        With channels last, the input of a block is a matrix with longer rows, which a product reads
        in place. Concatenation would take three times the memory.
        """
        rows = stem.movedim(1, -1)
        channels = rows.new_empty(*rows.shape[:-1], INNER + GROWTH * len(self.dfus_blocks))
        channels[..., :INNER] = rows
        blocks = cast(Iterable[FusionBlock], self.dfus_blocks)
        for block, end in zip(blocks, range(INNER, channels.shape[-1], GROWTH)):
            h = block.project(channels[..., :end].flatten(0, 2)).unflatten(0, rows.shape[:-1])
            channels[..., end : end + GROWTH] = block.fuse(h.movedim(-1, 1)).movedim(1, -1)
        return channels.movedim(-1, 1)


class FusionBlock(nn.Module):
    """Two parallel branches, fused; adds 32 channels to (batch, n, rows, columns)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, INNER, 1, bias=False)
        self.conv_up1 = nn.Conv2d(INNER, 32, 3, padding=1, bias=False)
        self.conv_up2 = nn.Conv2d(32, 16, 1, bias=False)
        self.conv_down1 = nn.Conv2d(INNER, 32, 3, padding=1, bias=False)
        self.conv_down2 = nn.Conv2d(32, 16, 1, bias=False)
        self.conv_fution = nn.Conv2d(96, GROWTH, 1, bias=False)  # sic: the published name

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.fuse(F.relu_(self.conv1(x)))], dim=1)

    def project(self, x: Tensor) -> Tensor:
        """Computes the input of `fuse` for (pixels, n) values; (pixels, 128)."""
        return F.relu_(F.linear(x, self.conv1.weight[:, :, 0, 0]))

    def fuse(self, h: Tensor) -> Tensor:
        """Computes the 32 channels that the block adds, from (batch, 128, rows, columns)."""
        up = _pair(h, self.conv_up1, self.conv_up2)
        down = _pair(h, self.conv_down1, self.conv_down2)
        return F.relu_(self.conv_fution(torch.cat([*up, *down], dim=1)))


def _pair(x: Tensor, spatial: nn.Conv2d, spectral: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Returns a 3 x 3 convolution of the input, and a 1 x 1 convolution of that."""
    near = F.relu_(spatial(x))
    return near, F.relu_(spectral(near))
