"""AWAN: residual convolutions, channel attention by weighted pooling, a non-local end.

Source: Li, Wu, Song, Li, Liu 2020, "Adaptive Weighted Attention Network with Camera Spectral
Sensitivity Prior for Spectral Reconstruction from RGB Images" (arXiv:2005.09305). Modules keep the
published names, so that published weights load; the computation is arranged anew.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsi_xr.networks._toom_cook import convolve_by_rows
from hsi_xr.networks.attention import AttentionStatistics, ImageStatistics


class AWAN(nn.Module):
    """Answers (batch, bands, rows, columns) reflectance to (batch, 3, rows, columns) RGB.

    200 channels are the winner of NTIRE 2020's clean track (17,461,521 parameters); 96 are the
    size of the NTIRE 2022 benchmark (4,039,425 parameters, 270.6e9 multiply-accumulates at
    256 x 256). Source: arXiv:2005.09305.
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
        """(batch, 3, rows, columns) -> (batch, bands, rows, columns); any size from 3 x 3."""
        attention = attention or ImageStatistics()
        first = self.head_conv2D(self.input_prelu2D(self.input_conv2D(rgb)))
        x = rest = first
        for block in self.backbone:
            x, rest = block(x, rest, attention)
        x = self.output_prelu2D(self.tail_conv2D(x).add_(first))
        return self.tail_nonlocal(self.output_conv2D(x))


class DRAB(nn.Module):
    """Dual Residual Attention Block: both streams, (batch, width, rows, columns), go on.

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
    """Weighted sums over the pixels of each image, mergeable whatever the weights' magnitude."""

    peak: Tensor
    """Largest logarithm of a weight, (batch, 1); the sums are in units of its exponential."""
    mass: Tensor
    """Sum of the weights, (batch, 1)."""
    total: Tensor
    """Weighted sum of the features, (batch, channels)."""

    def pooled(self) -> "Pooling":
        """The sums of the whole batch seen as one image."""
        peak = self.peak.amax(0, keepdim=True)
        unit = (self.peak - peak).exp()
        return Pooling(
            peak, (unit * self.mass).sum(0, keepdim=True), (unit * self.total).sum(0, keepdim=True)
        )

    def mean(self) -> Tensor:
        """(batch, channels)."""
        return self.total / self.mass


class AWCA(nn.Module):
    """Adaptive Weighted Channel Attention: scales channels by a mean whose weights are learned.

    The mean runs over all pixels; `attention` decides whose. (batch, width, rows, columns) in
    and out. Source: arXiv:2005.09305.
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
        if weights is not None:  # a weight of zero stays finite: an image may hold nothing else
            logits = logits + weights.clamp(min=torch.finfo(weights.dtype).tiny).log().flatten(2)
        peak = logits.detach().amax(2, keepdim=True)
        mass = (logits - peak).exp()
        total = (mass @ x.flatten(2).mT)[:, 0]
        return Pooling(peak[..., 0], mass.sum(2), total)


class PSNL(nn.Module):
    """Patch-level Second-order Non-local module: in each quarter, all pixels attend to all.

    (batch, bands, rows, columns) in and out. What a pixel gets depends on the other pixels of its
    quarter of the image at hand; no sums over a scene stand in for them, since a scene has
    quarters of its own. Source: arXiv:2005.09305.
    """

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.non_local = NonLocal(bands)

    def forward(self, x: Tensor) -> Tensor:
        return self.non_local(x)


class NonLocal(nn.Module):
    """The projections of PSNL around `second_order`, and its residual."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        inner = max(bands // 8, 1)
        self.g = nn.Conv2d(bands, inner, 1, bias=False)
        self.theta = nn.Conv2d(bands, inner, 1, bias=False)
        self.W = nn.Conv2d(inner, bands, 1, bias=False)
        nn.init.zeros_(self.W.weight)  # as published: it starts as the identity

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
    """Images (batch, inner, rows, columns) -> the attended g, of the same shape."""
    mixed = second_order(theta.flatten(2).mT, g.flatten(2).mT)
    return mixed.mT.unflatten(2, theta.shape[2:])


REACH = 20.0
"""Exponents up to which powers serve: float64 leaves 1e-16 exp(20) = 5e-8 of the answer."""


def second_order(theta: Tensor, values: Tensor) -> Tensor:
    """softmax((theta - its mean over channels) theta^T / channels) values, and no N x N matrix.

    Centring makes the scores inner products of vectors with one dimension less than channels. For
    the published three these are points z of a plane, and exp(z_i . z_j) is an inner product of
    their monomials: the sum over j becomes a small table of moments. Its cost is N times terms
    instead of N times N. Where the points lie too far apart for that, rows attend block by block.

    Args:
        theta: (batch, N, channels).
        values: (batch, N, any number).

    Returns:
        (batch, N, number of values), equal to the formula to about 1e-6 of the largest value.

    Source: arXiv:2005.09305, for the formula.
    """
    count, channels = theta.shape[1:]
    centred = theta - theta.mean(2, keepdim=True)
    if channels == 3:
        z = centred.double() @ _plane(centred.device) / math.sqrt(3)
        # a shift of the targets is a weight of the sources, one of the sources changes nothing;
        # about these two centres, no sum over sources is smaller than one (Jensen's inequality)
        middle = z.mean(1, keepdim=True)
        share = (z @ middle.mT).softmax(1)
        targets, sources = z - middle, z - (share * z).sum(1, keepdim=True)
        reach = (targets.norm(dim=2).amax(1) * sources.norm(dim=2).amax(1)).max().item()
        terms = _terms(reach)
        if reach <= REACH and terms**2 <= 4 * count:
            return _by_powers(targets, sources, share, values.double(), terms).to(values.dtype)
    return _by_blocks(centred, theta, values)


def _plane(device: torch.device) -> Tensor:
    """Orthonormal directions of the plane of vectors with mean zero, (3, 2)."""
    directions = torch.tensor([[1, 1], [-1, 1], [0, -2]], dtype=torch.float64, device=device)
    return directions / directions.norm(dim=0)


def _terms(reach: float) -> int:
    """Powers, with the zeroth, after which the series of exp(reach) has less than 1e-8 to come."""
    n, term = 0, 1.0
    while term > 5e-9 or n < 2 * min(reach, REACH):
        n += 1
        term *= min(reach, REACH) / n
    return n + 1


def _by_powers(
    targets: Tensor, sources: Tensor, share: Tensor, values: Tensor, terms: int
) -> Tensor:
    weighted = share * torch.cat([values, torch.ones_like(values[..., :1])], dim=2)
    first, second = (_powers(sources[..., axis], terms) for axis in (0, 1))
    moments = first.mT @ (second[..., None] * weighted[:, :, None]).flatten(2)
    first, second = (_powers(targets[..., axis], terms) for axis in (0, 1))
    found = ((first @ moments).unflatten(2, (terms, -1)) * second[..., None]).sum(2)
    return found[..., :-1] / found[..., -1:]


def _powers(x: Tensor, terms: int) -> Tensor:
    """x^n / sqrt(n!), whose products with those of y sum to exp(xy); (..., terms)."""
    powers = [torch.ones_like(x)]
    for n in range(1, terms):
        powers.append(powers[-1] * x / math.sqrt(n))
    return torch.stack(powers, dim=-1)


def _by_blocks(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """The formula as it stands; the fused kernel holds a block of rows at a time."""
    channels, wanted = queries.shape[2], values.shape[2]
    # fused kernels want heads of one length, a multiple of eight; zeros add nothing
    length = -(-max(channels, wanted) // 8) * 8
    q, k, v = (
        F.pad(each, (0, length - each.shape[2]))[:, None] for each in (queries, keys, values)
    )
    return F.scaled_dot_product_attention(q, k, v, scale=1 / channels)[:, 0, :, :wanted]


class Convolution(nn.Module):
    """Convolution of a reflected image, without bias; (batch, channels, rows, columns).

    Where no gradient is asked for, a CPU runs the wide ones as `convolve_by_rows`.
    """

    def __init__(self, narrow: int, wide: int, side: int) -> None:
        super().__init__()
        self.conv2d = nn.Conv2d(
            narrow, wide, side, padding=side // 2, padding_mode="reflect", bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        if self._pays(x):
            return convolve_by_rows(x, self.conv2d.weight)
        return self.conv2d(x)

    def _pays(self, x: Tensor) -> bool:
        plain = x.device.type == "cpu" and x.dtype == self.conv2d.weight.dtype == torch.float32
        wide = min(self.conv2d.in_channels, self.conv2d.out_channels) >= 32
        large = min(x.shape[2:]) >= 8
        busy = torch.is_grad_enabled() or torch.is_autocast_enabled("cpu")
        return plain and wide and large and not busy
