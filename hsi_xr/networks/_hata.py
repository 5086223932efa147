"""Hyperspectral-adaptive transposed attention of R2H-Diff.

Source: Ding, Zhao, Sun, Liu 2026 (arXiv:2605.05688). The inside of the module was not published;
it is original to this package.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsi_xr.networks.attention import AttentionStatistics, Moments


class HATA(nn.Module):
    """Hyperspectral-Adaptive Transposed Attention: channels attend to channels.

    Queries and keys are normalised over space, which makes the scores independent of the signal's
    amplitude without a normalisation layer. "Adaptive": the temperature depends on the scene's mean
    value. A positional branch on the values keeps spatial detail.

    Args:
        width: Channels.
        head: Channels of one head.
        index: Index of the layer in its network; see `AttentionStatistics`.
    """

    def __init__(self, width: int, head: int, index: int = 0) -> None:
        super().__init__()
        self.index = index
        if width % head:
            raise ValueError(f"{width} channels cannot be divided into heads of {head} channels")
        self.heads = width // head
        self.to_qkv = nn.Conv2d(width, 3 * width, 1, bias=False)
        self.near_qkv = nn.Conv2d(3 * width, 3 * width, 3, padding=1, groups=3 * width, bias=False)
        self.to_out = nn.Conv2d(width, width, 1, bias=False)
        self.local = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
        )
        # softplus(0.54) = 1, the published initial temperature of MST's attention
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
        """Views (batch, channels, rows, columns) as (batch, heads, d, pixels)."""
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

    def _rule(self, moments: Moments) -> Tensor:
        mean_value = moments.value / moments.pixels.clamp(min=1)
        sharpness = F.softplus(self.sharpness + (mean_value * self.sharpness_of_value).sum(-1))
        energy = moments.query_energy[..., :, None] * moments.key_energy[..., None, :]
        cosine = moments.gram / energy.sqrt().clamp(min=1e-12)
        return (sharpness[..., None, None] * cosine).softmax(dim=-1)

    def _mix(self, value: Tensor, matrices: Tensor) -> Tensor:
        return self.to_out((matrices @ self._by_head(value)).reshape(value.shape))

    def _mix_known(self, value: Tensor, matrices: Tensor) -> Tensor:
        """Applies the scene's matrices and the output projection as one 1 x 1 convolution."""
        product = self.to_out.weight[..., 0, 0] @ torch.block_diag(*matrices[0])
        return F.conv2d(value, product[..., None, None])
