"""Spectral-wise attention and its layout in memory; `_ladder` stacks it, for the MST family.

Source: Cai, Lin, Hu, Wang, Yuan, Zhang, Timofte, Van Gool 2022, "Mask-guided Spectral-wise
Transformer for Efficient Hyperspectral Image Reconstruction" (arXiv:2111.07910). Names of modules
are those of the published checkpoints. Ours is how it runs: attention from moments, so that a
scene's survey can give it (see `attention`), and the layout below.

Features are channels-last and carry a few channels of zeros up to a multiple of `LANES`: all
weights are padded when they are used. The numbers are those of the published forward.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsi_xr.networks.attention import AttentionStatistics, Moments

LANES = 8
"""Channels per vector register. Measured with AVX2: a convolution that answers 32 channels takes
half the time of one that answers 31, whatever it reads."""

STRIDE = 8
"""Networks of this family reflect-pad rows and columns to a multiple of this, as published."""


def conv(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, *, stride: int = 1, groups: int = 1
) -> Tensor:
    """A convolution that keeps the size, or halves it; of each channel by itself if in groups.

    Channels of `x` beyond those of the weights are zeros, and so are those of the answer.
    """
    spare = -len(weight) % LANES
    unread = x.shape[1] - weight.shape[1] if groups == 1 else 0
    if spare or unread:
        weight = F.pad(weight, (0, 0, 0, 0, 0, unread, 0, spare))
        bias = None if bias is None else F.pad(bias, (0, spare))
    margin = (weight.shape[-1] - 1) // 2
    return F.conv2d(x, weight, bias, stride, margin, groups=1 if groups == 1 else x.shape[1])


class Conv(nn.Conv2d):
    """See `conv`."""

    def forward(self, x: Tensor) -> Tensor:
        return conv(x, self.weight, self.bias, stride=self.stride[0], groups=self.groups)


def by_channel(width: int, side: int, *, bias: bool = False) -> Conv:
    """A convolution of each channel by itself."""
    return Conv(width, width, side, padding=side // 2, groups=width, bias=bias)


class GELU(nn.Module):
    """Of a channels-last image; seen as rows of channels it is contiguous, and 1.7x as fast.

    Where no gradient is asked for it takes the place of its input, which is nobody else's.
    """

    def forward(self, x: Tensor) -> Tensor:
        rows = x.permute(0, 2, 3, 1)
        found = F.gelu(rows) if torch.is_grad_enabled() else torch.ops.aten.gelu_(rows)
        return found.permute(0, 3, 1, 2)


def padded(image: Tensor) -> Tensor:
    """Channels-last, with reflected rows and columns at the bottom and the right."""
    rows, columns = image.shape[-2:]
    if rows % STRIDE or columns % STRIDE:
        image = F.pad(image, (0, -columns % STRIDE, 0, -rows % STRIDE), mode="reflect")
    return image.contiguous(memory_format=torch.channels_last)


class SpectralAttention(nn.Module):
    """S-MSA: channels attend to channels; a positional branch on the values keeps detail.

    A = softmax(rescale * K Q^T), with queries and keys normalised over the pixels.
    """

    def __init__(
        self, width: int, heads: int, index: int = 0, *, guide: "MaskGuide | None" = None
    ) -> None:
        super().__init__()
        self.heads, self.index = heads, index
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.rescale = nn.Parameter(torch.ones(heads, 1, 1))
        self.proj = nn.Linear(width, width)
        self.pos_emb = nn.Sequential(by_channel(width, 3), GELU(), by_channel(width, 3))
        if guide is not None:
            self.mm = guide
        for linear in (self.to_q, self.to_k, self.to_v, self.proj):
            nn.init.trunc_normal_(linear.weight, std=0.02)
        nn.init.zeros_(self.proj.bias)

    def forward(
        self, x: Tensor, attention: AttentionStatistics, mask: Tensor | None = None
    ) -> Tensor:
        """(batch, width, rows, columns) -> the same."""
        if attention.known:
            matrices = attention.matrices(self.index)
        else:
            matrices = attention.matrices(self.index, self._rule, self._moments(x, attention))
        value = conv(x, self.to_v.weight[..., None, None])
        seen = value if mask is None else value * self.mm(mask, x.shape[-1])
        return self._local(value).add_(self._mix(seen, matrices))

    def _moments(self, x: Tensor, attention: AttentionStatistics) -> Moments:
        each = torch.stack([self.to_q.weight, self.to_k.weight]).unflatten(1, (self.heads, -1))
        size = each.shape[2]
        weight = F.pad(each, (0, 0, 0, -size % LANES))  # whole lanes per head
        both = conv(x, weight.flatten(0, 2)[..., None, None])
        weights = attention.weights(x.shape[-2:])
        weighted = both if weights is None else both * weights
        query, key = self._by_head(weighted)[0], self._by_head(both)[1]
        energy = (weighted * both).sum((2, 3)).unflatten(1, (2, self.heads, -1))[..., :size]
        pixels = energy.new_full((len(x), 1), x.shape[2] * x.shape[3])
        return Moments(
            gram=(query.mT @ key)[..., :size, :size],
            query_energy=energy[:, 0],
            key_energy=energy[:, 1],
            value=energy.new_zeros(len(x), 0),  # the rule does not ask for it
            pixels=(pixels if weights is None else weights.sum((2, 3)))[..., None],
        )

    def _by_head(self, both: Tensor) -> Tensor:
        """(batch, 2 heads d, rows, columns) -> (query and key, batch, heads, pixels, d), a view."""
        pixels = both.permute(0, 2, 3, 1).flatten(1, 2)
        return pixels.unflatten(2, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)

    def _rule(self, of: Moments) -> Tensor:
        energies = (of.query_energy, of.key_energy)
        query, key = (each.clamp(min=1e-24).sqrt() for each in energies)  # a slope at zero, too
        cosine = of.gram.mT / (key[..., :, None] * query[..., None, :])
        return (self.rescale * cosine).softmax(dim=-1)

    def _mix(self, value: Tensor, matrices: Tensor) -> Tensor:
        """One product: the projection times the matrices is small. Its bias: see `_local`."""
        by_head = self.proj.weight.unflatten(1, (self.heads, -1))
        whole = torch.einsum("ohd,bhde->bohe", by_head, matrices).flatten(2)
        spare = value.shape[1] - whole.shape[1]
        pixels = value.permute(0, 2, 3, 1)
        mixed = pixels.flatten(1, 2) @ F.pad(whole, (0, spare, 0, spare)).mT
        return mixed.view(pixels.shape).permute(0, 3, 1, 2)

    def _local(self, value: Tensor) -> Tensor:
        """The positional branch, and the projection's bias, which costs nothing here."""
        near = self.pos_emb[:2](value)
        weight = self.pos_emb.get_parameter("2.weight")
        return conv(near, weight, self.proj.bias, groups=len(weight))


class MaskGuide(nn.Module):
    """Says from a mask where the values of which channel count.

    Args:
        width: Channels.
        shift: Columns by which the mask of a channel lies right of the one before; 0 for a mask
            on the image's own grid.
    """

    def __init__(self, width: int, shift: float) -> None:
        super().__init__()
        self.conv1, self.conv2 = Conv(width, width, 1), Conv(width, width, 1)
        self.depth_conv = by_channel(width, 5, bias=True)
        self.shift = shift

    def forward(self, mask: Tensor, columns: int) -> Tensor:
        """(batch, width, rows, columns or more) -> (batch, width, rows, columns)."""
        seen = self.conv1(mask)
        about = self.depth_conv(self.conv2(seen))
        return self._shifted_back(seen + seen * about.sigmoid(), columns)

    def _shifted_back(self, guide: Tensor, columns: int) -> Tensor:
        if not self.shift:
            return guide
        first = (torch.arange(guide.shape[1], device=guide.device) * self.shift).long()
        first = first.clamp(max=guide.shape[-1] - columns)  # only channels of zeros reach it
        at = first[:, None, None] + torch.arange(columns, device=guide.device)
        return guide.gather(3, at.expand(*guide.shape[:-1], -1))
