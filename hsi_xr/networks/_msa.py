"""Spectral-wise multi-head self-attention, and the memory layout of the networks that use it.

Source: Cai, Lin, Hu, Wang, Yuan, Zhang, Timofte, Van Gool 2022, "Mask-guided Spectral-wise
Transformer for Efficient Hyperspectral Image Reconstruction" (arXiv:2111.07910). Modules have the
names of the published checkpoints. The computation is arranged differently: attention from moments,
so that a survey can provide it (see `attention`), in the layout below. Outputs equal the published
forward pass to rounding.

Features are channels-last and have extra channels of zeros up to a multiple of `LANES`. Weights are
padded when they are used.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsi_xr.networks.attention import AttentionStatistics, Moments

LANES = 8
"""Channels per vector register. Measured with AVX2, a convolution with 32 output channels takes
half the time of one with 31, whatever its input."""

STRIDE = 8
"""Rows and columns are padded by reflection to a multiple of this, as published."""


def conv(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, *, stride: int = 1, groups: int = 1
) -> Tensor:
    """Convolves features, and keeps or halves their size.

    Args:
        x: (batch, channels, rows, columns); channels beyond those of the weights are zero.
        weight: (channels out, channels in, side, side).
        bias: (channels out,).
        stride: 1 keeps the size, 2 halves it.
        groups: 1, or any other number to convolve each channel by itself.

    Returns:
        (batch, channels, rows, columns); channels beyond those of the weights are zero.
    """
    spare = -len(weight) % LANES
    unread = x.shape[1] - weight.shape[1] if groups == 1 else 0
    if spare or unread:
        weight = F.pad(weight, (0, 0, 0, 0, 0, unread, 0, spare))
        bias = None if bias is None else F.pad(bias, (0, spare))
    margin = (weight.shape[-1] - 1) // 2
    return F.conv2d(x, weight, bias, stride, margin, groups=1 if groups == 1 else x.shape[1])


class Conv(nn.Conv2d):
    """A convolution in the layout of this module; see `conv`."""

    def forward(self, x: Tensor) -> Tensor:
        return conv(x, self.weight, self.bias, stride=self.stride[0], groups=self.groups)


def depthwise(width: int, side: int, *, bias: bool = False) -> Conv:
    """Returns a convolution of each channel by itself."""
    return Conv(width, width, side, padding=side // 2, groups=width, bias=bias)


class GELU(nn.Module):
    """GELU of a channels-last image; as rows of channels it is contiguous and 1.7 times as fast.

    Without gradients it overwrites its input, so the input must not be used elsewhere.
    """

    def forward(self, x: Tensor) -> Tensor:
        rows = x.permute(0, 2, 3, 1)
        active = F.gelu(rows) if torch.is_grad_enabled() else torch.ops.aten.gelu_(rows)
        return active.permute(0, 3, 1, 2)


def pad_to_stride(image: Tensor) -> Tensor:
    """Pads rows and columns by reflection, at the bottom and right, and makes channels last."""
    rows, columns = image.shape[-2:]
    if rows % STRIDE or columns % STRIDE:
        image = F.pad(image, (0, -columns % STRIDE, 0, -rows % STRIDE), mode="reflect")
    return image.contiguous(memory_format=torch.channels_last)


class SpectralAttention(nn.Module):
    """S-MSA: channels attend to channels, and a positional branch on the values keeps detail.

    A = softmax(rescale * K Q^T), with queries and keys normalised over the pixels.

    Args:
        width: Channels.
        heads: Heads of attention.
        index: Index of the layer in its network; see `AttentionStatistics`.
        guide: Weights the values by a mask.
    """

    def __init__(
        self, width: int, heads: int, index: int = 0, *, guide: "MaskGuide | None" = None
    ) -> None:
        super().__init__()
        self.heads, self.index = heads, index
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.rescale = nn.Parameter(torch.ones(heads, 1, 1))
        self.proj = nn.Linear(width, width)
        self.pos_emb = nn.Sequential(depthwise(width, 3), GELU(), depthwise(width, 3))
        if guide is not None:
            self.mm = guide
        for linear in (self.to_q, self.to_k, self.to_v, self.proj):
            nn.init.trunc_normal_(linear.weight, std=0.02)
        nn.init.zeros_(self.proj.bias)

    def forward(
        self, x: Tensor, attention: AttentionStatistics, mask: Tensor | None = None
    ) -> Tensor:
        """Returns attended features, (batch, width, rows, columns), of the shape of `x`."""
        if attention.known:
            matrices = attention.matrices(self.index)
        else:
            moments = self._moments(x, attention.weights(x.shape[-2:]))
            matrices = attention.matrices(self.index, self._rule, moments)
        value = conv(x, self.to_v.weight[..., None, None])
        guided = value if mask is None else value * self.mm(mask, x.shape[-1])
        return self._local(value).add_(self._mix(guided, matrices))

    def _moments(self, x: Tensor, weights: Tensor | None) -> Moments:
        each = torch.stack([self.to_q.weight, self.to_k.weight]).unflatten(1, (self.heads, -1))
        size = each.shape[2]
        weight = F.pad(each, (0, 0, 0, -size % LANES))  # whole lanes per head
        both = conv(x, weight.flatten(0, 2)[..., None, None])
        weighted = both if weights is None else both * weights
        query, key = self._by_head(weighted)[0], self._by_head(both)[1]
        energy = (weighted * both).sum((2, 3)).unflatten(1, (2, self.heads, -1))[..., :size]
        pixels = energy.new_full((len(x), 1), x.shape[2] * x.shape[3])
        return Moments(
            gram=(query.mT @ key)[..., :size, :size],
            query_energy=energy[:, 0],
            key_energy=energy[:, 1],
            value=energy.new_zeros(len(x), 0),  # not used by the rule
            pixels=(pixels if weights is None else weights.sum((2, 3)))[..., None],
        )

    def _by_head(self, both: Tensor) -> Tensor:
        """Views (batch, 2 heads d, rows, columns) as (2, batch, heads, pixels, d)."""
        pixels = both.permute(0, 2, 3, 1).flatten(1, 2)
        return pixels.unflatten(2, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)

    def _rule(self, moments: Moments) -> Tensor:
        energies = (moments.query_energy, moments.key_energy)
        query, key = (each.clamp(min=1e-24).sqrt() for each in energies)  # finite slope at zero
        cosine = moments.gram.mT / (key[..., :, None] * query[..., None, :])
        return (self.rescale * cosine).softmax(dim=-1)

    def _mix(self, value: Tensor, matrices: Tensor) -> Tensor:
        """Applies matrices and projection as one product; for the bias see `_local`."""
        by_head = self.proj.weight.unflatten(1, (self.heads, -1))
        product = torch.einsum("ohd,bhde->bohe", by_head, matrices).flatten(2)
        spare = value.shape[1] - product.shape[1]
        pixels = value.permute(0, 2, 3, 1)
        mixed = pixels.flatten(1, 2) @ F.pad(product, (0, spare, 0, spare)).mT
        return mixed.view(pixels.shape).permute(0, 3, 1, 2)

    def _local(self, value: Tensor) -> Tensor:
        """Computes the positional branch, and adds the projection's bias at no further cost."""
        near = self.pos_emb[:2](value)
        weight = self.pos_emb.get_parameter("2.weight")
        return conv(near, weight, self.proj.bias, groups=len(weight))


class MaskGuide(nn.Module):
    """Computes from a mask a weight for each value.

    Args:
        width: Channels.
        shift: Columns by which the mask of each channel is shifted to the right of the one before;
            0 for a mask on the grid of the image.
    """

    def __init__(self, width: int, shift: float) -> None:
        super().__init__()
        self.conv1, self.conv2 = Conv(width, width, 1), Conv(width, width, 1)
        self.depth_conv = depthwise(width, 5, bias=True)
        self.shift = shift

    def forward(self, mask: Tensor, columns: int) -> Tensor:
        """Returns (batch, width, rows, columns) weights for a mask of as many columns or more."""
        embedded = self.conv1(mask)
        attention = self.depth_conv(self.conv2(embedded)).sigmoid()
        return self._shift_back(embedded + embedded * attention, columns)

    def _shift_back(self, guide: Tensor, columns: int) -> Tensor:
        if not self.shift:
            return guide
        first = (torch.arange(guide.shape[1], device=guide.device) * self.shift).long()
        first = first.clamp(max=guide.shape[-1] - columns)  # reached by channels of zeros only
        at = first[:, None, None] + torch.arange(columns, device=guide.device)
        return guide.gather(3, at.expand(*guide.shape[:-1], -1))
