"""Blocks of spectral-wise attention, stacked into a U of three resolutions: the MST family's.

Source: Cai, Lin, Hu, Wang, Yuan, Zhang, Timofte, Van Gool 2022, "Mask-guided Spectral-wise
Transformer for Efficient Hyperspectral Image Reconstruction" (arXiv:2111.07910). Names of modules
are those of the published checkpoints. Ours is how it runs (see `_msa`), and the hook of a prior.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsi_xr.networks._msa import GELU, LANES, Conv, MaskGuide, SpectralAttention, by_channel, conv
from hsi_xr.networks._prior import Prior
from hsi_xr.networks.attention import AttentionStatistics

STRIP = 2**20
"""Values of the widened features of a feed-forward that a CPU holds at once: a tile needs a
fraction of the memory, in blocks that stay in the processor's cache from one layer to the next.
Measured at 256 x 256: MST++ takes a fifth less time than with four times as much."""


class FeedForward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        wide = 4 * width
        self.net = nn.Sequential(
            Conv(width, wide, 1, bias=False),
            GELU(),
            by_channel(wide, 3),
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
        """Some rows of the answer; the convolution in the middle looks one row further."""
        first = max(top - 1, 0)
        return self.net(x[:, :, first : bottom + 1])[:, :, top - first : bottom - first]


class PreNorm(nn.Module):
    """Feed-forward of normalised features, which a prior may modulate; `index` is the block's."""

    def __init__(self, width: int, index: int) -> None:
        super().__init__()
        self.fn, self.norm, self.index = FeedForward(width), nn.LayerNorm(width), index

    def forward(self, x: Tensor, prior: Prior | None) -> Tensor:
        channels = x.permute(0, 2, 3, 1)[..., : len(self.norm.weight)]
        h = self.norm(channels).permute(0, 3, 1, 2)
        return self.fn(h if prior is None else prior(h, self.index))


class Block(nn.ModuleList):
    """SAB, with a guide MSAB: attention, then feed-forward."""

    def forward(
        self, x: Tensor, attention: AttentionStatistics, prior: Prior | None, mask: Tensor | None
    ) -> Tensor:
        attend, feed = self
        x = attend(x, attention, mask).add_(x)  # into what is new: one image less to write
        return feed(x, prior).add_(x)


class Blocks(nn.Module):
    """The blocks of one resolution; for the arguments see `Ladder`."""

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


class Descent(nn.ModuleList):
    """A level on the way down: its blocks, what halves the features, what halves the mask."""

    def __init__(self, blocks: Blocks, *, masked: bool) -> None:
        width = blocks.width
        down = [Conv(width, 2 * width, 4, stride=2, padding=1, bias=False) for _ in range(2)]
        super().__init__([blocks, *down[: 1 + masked]])

    def forward(
        self, h: Tensor, attention: AttentionStatistics, prior: Prior | None, mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        blocks, down, *mask_down = self
        kept = blocks(h, attention, prior, mask)
        return kept, down(kept), mask_down[0](mask) if mask_down else None


class Ascent(nn.ModuleList):
    """A level on the way up: what doubles the features, what joins the skip, its blocks."""

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
        of_grown, of_skip = fuse.get_parameter("weight").chunk(2, dim=1)
        weight, bias = up.get_parameter("weight"), up.get_parameter("bias")
        grown = self._grown(h, weight, bias, of_grown[..., 0, 0])
        return blocks(grown.add_(conv(skip, of_skip)), attention, prior, mask)

    @staticmethod
    def _grown(h: Tensor, weight: Tensor, bias: Tensor, then: Tensor) -> Tensor:
        """Doubled and joined at once, since both are linear; nothing is concatenated."""
        weight = torch.einsum("ioyx,po->ipyx", weight, then)
        spare, unread = -len(then) % LANES, h.shape[1] - len(weight)
        weight = F.pad(weight, (0, 0, 0, 0, 0, spare, 0, unread))
        return F.conv_transpose2d(h, weight, F.pad(then @ bias, (0, spare)), stride=2)


class Ladder(nn.Module):
    """A U of three resolutions, with one head of attention per `width` channels.

    Args:
        width: Channels at full resolution; doubled with each halving.
        counts: Blocks per resolution, the same down and up.
        first: Index of the first block; see `Prior`.
        mask_shift: Columns per channel by which masks are sheared at full resolution; None of a
            network that takes no mask.
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
        levels, made = (0, 1, 2, 1, 0), []
        for level in levels:
            # Halving halves a shift, and shares it among twice as many channels.
            shift = None if mask_shift is None else mask_shift / 4**level
            made.append(
                Blocks(
                    width * 2**level, counts[level], heads=2**level, first=first, mask_shift=shift
                )
            )
            first += counts[level]
        masked = mask_shift is not None
        self.encoder_layers = nn.ModuleList([Descent(each, masked=masked) for each in made[:2]])
        self.bottleneck = made[2]
        self.decoder_layers = nn.ModuleList([Ascent(each) for each in made[3:]])
        self.mapping = Conv(width, width, 3, padding=1, bias=False)

    def climb(
        self,
        h: Tensor,
        attention: AttentionStatistics,
        prior: Prior | None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Embedded features -> mapped ones, (batch, width, rows, columns), with spare channels."""
        kept = []
        for down in self.encoder_layers:
            skip, below, mask_below = down(h, attention, prior, mask)
            kept.append((skip, mask))
            h, mask = below, mask_below
        h = self.bottleneck(h, attention, prior, mask)
        for up in self.decoder_layers:
            skip, mask = kept.pop()
            h = up(h, skip, attention, prior, mask)
        return self.mapping(h)


def block_widths(network: nn.Module) -> Sequence[int]:
    """Channels of the blocks of a network, in the order they run; see `Prior`."""
    return [
        each.width for each in network.modules() if isinstance(each, Blocks) for _ in each.blocks
    ]
