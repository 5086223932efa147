"""The U-Net of three resolutions that networks of the MST family share.

Source: Cai, Lin, Hu, Wang, Yuan, Zhang, Timofte, Van Gool 2022, "Mask-guided Spectral-wise
Transformer for Efficient Hyperspectral Image Reconstruction" (arXiv:2111.07910). Modules have the
names of the published checkpoints. The arrangement of the computation (see `_msa`) and the hook for
a prior are original to this package.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsi_xr.networks._msa import (
    GELU,
    LANES,
    Conv,
    MaskGuide,
    SpectralAttention,
    conv,
    depthwise,
)
from hsi_xr.networks._prior import Prior
from hsi_xr.networks.attention import AttentionStatistics

STRIP = 2**20
"""Values of the widened features of a feed-forward layer that a CPU computes at a time.

A tile then needs a fraction of the memory, in strips that stay in the processor's cache from one
layer to the next. Measured at 256 x 256, MST++ takes a fifth less time than with strips four times
as large.
"""


class FeedForward(nn.Module):
    """Widens fourfold, convolves each channel, narrows again; (batch, width, rows, columns)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        wide = 4 * width
        self.net = nn.Sequential(
            Conv(width, wide, 1, bias=False),
            GELU(),
            depthwise(wide, 3),
            GELU(),
            Conv(wide, width, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        rows = x.shape[2]
        if torch.is_grad_enabled() or x.device.type != "cpu":
            return self._strip(x, 0, rows)
        height = max(8, STRIP * rows // (4 * x.numel()))
        strips = [self._strip(x, top, min(top + height, rows)) for top in range(0, rows, height)]
        return strips[0] if len(strips) == 1 else torch.cat(strips, dim=2)

    def _strip(self, x: Tensor, top: int, bottom: int) -> Tensor:
        """Computes some rows of the output; the 3 x 3 convolution reads one row beyond them."""
        first = max(top - 1, 0)
        return self.net(x[:, :, first : bottom + 1])[:, :, top - first : bottom - first]


class PreNorm(nn.Module):
    """Feed-forward of normalised features, which a prior may modulate.

    Args:
        width: Channels.
        index: Index of the block; see `Prior`.
    """

    def __init__(self, width: int, index: int) -> None:
        super().__init__()
        self.fn, self.norm, self.index = FeedForward(width), nn.LayerNorm(width), index

    def forward(self, x: Tensor, prior: Prior | None) -> Tensor:
        channels = x.permute(0, 2, 3, 1)[..., : len(self.norm.weight)]
        h = self.norm(channels).permute(0, 3, 1, 2)
        return self.fn(h if prior is None else prior(h, self.index))


class Block(nn.ModuleList):
    """Attention, then feed-forward: the published SAB, or MSAB with a mask guide."""

    def forward(
        self, x: Tensor, attention: AttentionStatistics, prior: Prior | None, mask: Tensor | None
    ) -> Tensor:
        attend, feed = self
        x = attend(x, attention, mask).add_(x)  # in place on a new tensor: one image less to write
        return feed(x, prior).add_(x)


class Blocks(nn.Module):
    """The blocks of one resolution.

    Args:
        width: Channels.
        count: Number of blocks.
        heads: Heads of attention.
        first: Index of the first block; see `Prior`.
        mask_shift: See `UNet`.
    """

    def __init__(
        self, width: int, count: int, *, heads: int, first: int, mask_shift: float | None
    ) -> None:
        super().__init__()
        self.width = width
        self.blocks = nn.ModuleList()
        for index in range(first, first + count):
            guide = None if mask_shift is None else MaskGuide(width, mask_shift)
            attend = SpectralAttention(width, heads, index, guide=guide)
            self.blocks.append(Block([attend, PreNorm(width, index)]))

    def forward(
        self, x: Tensor, attention: AttentionStatistics, prior: Prior | None, mask: Tensor | None
    ) -> Tensor:
        for block in self.blocks:
            x = block(x, attention, prior, mask)
        return x


class Down(nn.ModuleList):
    """A level of the encoder: its blocks, then convolutions that halve features and mask."""

    def __init__(self, blocks: Blocks, *, masked: bool) -> None:
        width = blocks.width
        down = [Conv(width, 2 * width, 4, stride=2, padding=1, bias=False) for _ in range(2)]
        super().__init__([blocks, *down[: 1 + masked]])

    def forward(
        self, h: Tensor, attention: AttentionStatistics, prior: Prior | None, mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Returns the features for the skip connection, the halved features and mask."""
        blocks, down, *mask_down = self
        skip = blocks(h, attention, prior, mask)
        return skip, down(skip), mask_down[0](mask) if mask_down else None


class Up(nn.ModuleList):
    """A level of the decoder: doubles the features, joins the skip connection, runs its blocks."""

    def __init__(self, blocks: Blocks) -> None:
        width = blocks.width
        up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        super().__init__([up, Conv(2 * width, width, 1, bias=False), blocks])

    def forward(
        self,
        h: Tensor,
        skip: Tensor,
        attention: AttentionStatistics,
        prior: Prior | None,
        mask: Tensor | None,
    ) -> Tensor:
        up, fuse, blocks = self
        of_upsampled, of_skip = fuse.get_parameter("weight").chunk(2, dim=1)
        weight, bias = up.get_parameter("weight"), up.get_parameter("bias")
        upsampled = self._upsample(h, weight, bias, of_upsampled[..., 0, 0])
        return blocks(upsampled.add_(conv(skip, of_skip)), attention, prior, mask)

    @staticmethod
    def _upsample(h: Tensor, weight: Tensor, bias: Tensor, then: Tensor) -> Tensor:
        """Doubles and mixes channels in one convolution, since both are linear."""
        weight = torch.einsum("ioyx,po->ipyx", weight, then)
        spare, unread = -len(then) % LANES, h.shape[1] - len(weight)
        weight = F.pad(weight, (0, 0, 0, 0, 0, spare, 0, unread))
        return F.conv_transpose2d(h, weight, F.pad(then @ bias, (0, spare)), stride=2)


class UNet(nn.Module):
    """A U-Net of three resolutions, with one head of attention per `width` channels.

    Args:
        width: Channels at full resolution; doubled with each halving.
        counts: Blocks per resolution, the same in encoder and decoder.
        first: Index of the first block; see `Prior`.
        mask_shift: Columns per channel by which masks are sheared at full resolution; None for a
            network without a mask.
    """

    def __init__(
        self,
        width: int,
        counts: tuple[int, int, int],
        *,
        first: int = 0,
        mask_shift: float | None = None,
    ) -> None:
        super().__init__()
        levels: list[Blocks] = []
        for level in (0, 1, 2, 1, 0):
            # halving the image halves a shift and shares it among twice as many channels
            shift = None if mask_shift is None else mask_shift / 4**level
            levels.append(
                Blocks(
                    width * 2**level, counts[level], heads=2**level, first=first, mask_shift=shift
                )
            )
            first += counts[level]
        masked = mask_shift is not None
        self.encoder_layers = nn.ModuleList([Down(each, masked=masked) for each in levels[:2]])
        self.bottleneck = levels[2]
        self.decoder_layers = nn.ModuleList([Up(each) for each in levels[3:]])
        self.mapping = Conv(width, width, 3, padding=1, bias=False)

    def features(
        self,
        h: Tensor,
        attention: AttentionStatistics,
        prior: Prior | None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Runs encoder, bottleneck and decoder on embedded features.

        Args:
            h: (batch, channels, rows, columns), at least `width` channels; see `_msa`.
            attention: Statistics of spectral attention.
            prior: Modulates each block; None for the published network.
            mask: (batch or 1, channels, rows, columns or more) embedded mask.

        Returns:
            (batch, channels, rows, columns); channels beyond `width` are zero.
        """
        skips = []
        for down in self.encoder_layers:
            skip, halved, halved_mask = down(h, attention, prior, mask)
            skips.append((skip, mask))
            h, mask = halved, halved_mask
        h = self.bottleneck(h, attention, prior, mask)
        for up in self.decoder_layers:
            skip, mask = skips.pop()
            h = up(h, skip, attention, prior, mask)
        return self.mapping(h)


def block_widths(network: nn.Module) -> Sequence[int]:
    """Returns the channels of a network's blocks, in the order in which they run; see `Prior`."""
    return [
        each.width for each in network.modules() if isinstance(each, Blocks) for _ in each.blocks
    ]
