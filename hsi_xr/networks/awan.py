"""AWAN: residual convolutions, channel attention by weighted pooling, and a non-local module.

Source: Li, Wu, Song, Li, Liu 2020, "Adaptive Weighted Attention Network with Camera Spectral
Sensitivity Prior for Spectral Reconstruction from RGB Images" (arXiv:2005.09305). Modules have the
published names, so that published weights load; the computation is arranged differently.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hsi_xr.networks._second_order import second_order
from hsi_xr.networks._toom_cook import convolve_by_rows
from hsi_xr.networks.attention import AttentionStatistics, ImageStatistics


class AWAN(nn.Module):
    """Adaptive Weighted Attention Network.

    With 200 channels it is the winner of the clean track of NTIRE 2020 (17,461,521 parameters);
    with 96 it has the size of the NTIRE 2022 benchmark (4,039,425 parameters, 270.6e9
    multiply-accumulates at 256 x 256).

    Args:
        bands: Bands of the output.
        width: Channels.
        blocks: Dual residual attention blocks.

    Source: arXiv:2005.09305.
    """

    def __init__(self, bands: int, width: int = 96, blocks: int = 8) -> None:
        super().__init__()
        self.input_conv2D = Convolution(3, width, 3)
        self.input_prelu2D = nn.PReLU()
        self.head_conv2D = Convolution(width, width, 3)
        self.backbone = nn.ModuleList([DRAB(width, index) for index in range(blocks)])
        self.tail_conv2D = Convolution(width, width, 3)
        self.output_prelu2D = nn.PReLU()
        self.output_conv2D = Convolution(width, bands, 3)
        self.tail_nonlocal = PSNL(bands)

    def forward(self, rgb: Tensor, *, attention: AttentionStatistics | None = None) -> Tensor:
        """Reconstructs a cube.

        Args:
            rgb: (batch, 3, rows, columns), at least 3 x 3.
            attention: Statistics of channel attention; None computes them from each image.

        Returns:
            (batch, bands, rows, columns).
        """
        attention = attention or ImageStatistics()
        first = self.head_conv2D(self.input_prelu2D(self.input_conv2D(rgb)))
        x = rest = first
        for block in self.backbone:
            x, rest = block(x, rest, attention)
        x = self.output_prelu2D(self.tail_conv2D(x).add_(first))
        return self.tail_nonlocal(self.output_conv2D(x))


class DRAB(nn.Module):
    """Dual Residual Attention Block, with two streams of (batch, width, rows, columns).

    Source: arXiv:2005.09305.
    """

    def __init__(self, width: int, index: int) -> None:
        super().__init__()
        self.conv1, self.relu1 = Convolution(width, width, 3), nn.PReLU()
        self.conv2, self.relu2 = Convolution(width, width, 3), nn.PReLU()
        self.up_conv, self.up_relu = Convolution(width, width, 5), nn.PReLU()
        self.se = AWCA(width, index)
        self.down_conv, self.down_relu = Convolution(width, width, 3), nn.PReLU()

    def forward(
        self, x: Tensor, rest: Tensor, attention: AttentionStatistics
    ) -> tuple[Tensor, Tensor]:
        y = self.relu2(self.conv2(self.relu1(self.conv1(x))).add_(x))
        rest = self.up_relu(self.up_conv(y).add_(rest))
        x = self.down_relu(self.down_conv(self.se(rest, attention)).add_(x))
        return x, rest


@dataclass(frozen=True)
class Pooling:
    """Weighted sums over the pixels of each image, mergeable at any scale of the weights."""

    peak: Tensor
    """Largest logarithm of a weight, (batch, 1); the sums are divided by its exponential."""
    mass: Tensor
    """Sum of the weights, (batch, 1)."""
    total: Tensor
    """Weighted sum of the features, (batch, channels)."""

    def pooled(self) -> "Pooling":
        """Returns the sums over all images of the batch, as one image."""
        peak = self.peak.amax(0, keepdim=True)
        unit = (self.peak - peak).exp()
        return Pooling(
            peak, (unit * self.mass).sum(0, keepdim=True), (unit * self.total).sum(0, keepdim=True)
        )

    def mean(self) -> Tensor:
        """Returns the weighted mean of the features, (batch, channels)."""
        return self.total / self.mass


class AWCA(nn.Module):
    """Adaptive Weighted Channel Attention: scales channels by a mean with learned weights.

    The mean runs over the pixels that `attention` selects. Input and output are (batch, width,
    rows, columns).

    Args:
        width: Channels.
        index: Index of the layer in its network; see `AttentionStatistics`.

    Source: arXiv:2005.09305.
    """

    def __init__(self, width: int, index: int = 0) -> None:
        super().__init__()
        self.index = index
        narrow = width // 16
        self.conv = nn.Conv2d(width, 1, 1, bias=False)
        self.fc = nn.Sequential(
            nn.Linear(width, narrow, bias=False), nn.PReLU(), nn.Linear(narrow, width, bias=False)
        )

    def forward(self, x: Tensor, attention: AttentionStatistics) -> Tensor:
        if attention.known:
            pooled = attention.matrices(self.index)
        else:
            sums = self._pooling(x, attention.weights(x.shape[-2:]))
            pooled = attention.matrices(self.index, Pooling.mean, sums)
        return x * self.fc(pooled).sigmoid()[..., None, None]

    def _pooling(self, x: Tensor, weights: Tensor | None) -> Pooling:
        logits = self.conv(x).flatten(2)
        if weights is not None:  # keep the logarithm of zero finite: all weights may be zero
            logits = logits + weights.clamp(min=torch.finfo(weights.dtype).tiny).log().flatten(2)
        peak = logits.detach().amax(2, keepdim=True)
        mass = (logits - peak).exp()
        total = (mass @ x.flatten(2).mT)[:, 0]
        return Pooling(peak[..., 0], mass.sum(2), total)


class PSNL(nn.Module):
    """Patch-level Second-order Non-local module: all pixels of a quarter attend to each other.

    Input and output are (batch, bands, rows, columns). An output pixel depends on the other pixels
    of its quarter of the image. Sums over a scene cannot replace them, since the quarters of a
    scene are different ones. Source: arXiv:2005.09305.
    """

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.non_local = NonLocal(bands)

    def forward(self, x: Tensor) -> Tensor:
        return self.non_local(x)


class NonLocal(nn.Module):
    """The projections of PSNL around `second_order`, and its residual connection."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        inner = max(bands // 8, 1)
        self.g = nn.Conv2d(bands, inner, 1, bias=False)
        self.theta = nn.Conv2d(bands, inner, 1, bias=False)
        self.W = nn.Conv2d(inner, bands, 1, bias=False)
        nn.init.zeros_(self.W.weight)  # as published: the module starts as the identity

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = x.shape[-2:]
        sides = [(rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2)]
        halves = zip(self.theta(x).split(sides[0], 2), self.g(x).split(sides[0], 2))
        mixed = [
            torch.cat(
                [_quarter(*each) for each in zip(t.split(sides[1], 3), g.split(sides[1], 3))], 3
            )
            for t, g in halves
        ]
        return x + self.W(torch.cat(mixed, 2))


def _quarter(theta: Tensor, g: Tensor) -> Tensor:
    """Attends within (batch, inner, rows, columns) images; returns the same shape."""
    mixed = second_order(theta.flatten(2).mT, g.flatten(2).mT)
    return mixed.mT.unflatten(2, theta.shape[2:])


class Convolution(nn.Module):
    """Convolution without bias, padded by reflection; (batch, channels, rows, columns).

    Without gradients, a CPU runs wide convolutions by `convolve_by_rows`.
    """

    def __init__(self, narrow: int, wide: int, side: int) -> None:
        super().__init__()
        self.conv2d = nn.Conv2d(
            narrow, wide, side, padding=side // 2, padding_mode="reflect", bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        if self._by_rows_is_faster(x):
            return convolve_by_rows(x, self.conv2d.weight)
        return self.conv2d(x)

    def _by_rows_is_faster(self, x: Tensor) -> bool:
        plain = x.device.type == "cpu" and x.dtype == self.conv2d.weight.dtype == torch.float32
        wide = min(self.conv2d.in_channels, self.conv2d.out_channels) >= 32
        large = min(x.shape[2:]) >= 8
        busy = torch.is_grad_enabled() or torch.is_autocast_enabled("cpu")
        return plain and wide and large and not busy
