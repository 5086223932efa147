"""BiSRNet: spectral reconstruction of a coded-aperture snapshot with binarised convolutions.

Source: Cai, Zheng, Lin, Yuan, Zhang, Wang 2023, "Binarized Spectral Compressive Imaging"
(NeurIPS, arXiv:2305.10299). Modules keep the published names, so that published weights load.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsi_xr.networks._prior import Prior

STRIDE = 8
"""Rows and columns are padded to multiples of this."""


class BiSRNet(nn.Module):
    """Answers a cube to a measurement that was shifted back, and the aperture's mask.

    Only the first and last convolutions are of full precision. 659,319 stored values; counted as
    published, where a binary weight is a thirty-second of a parameter and a binary product a
    sixty-fourth of an operation, 0.036 M parameters and 1.18 G operations at 256 x 256.
    Source: arXiv:2305.10299.
    """

    def __init__(self, bands: int = 28) -> None:
        super().__init__()
        self.fution = nn.Conv2d(2 * bands, bands, 1)  # the published name
        self.conv_in = nn.Conv2d(bands, bands, 3, padding=1, bias=False)
        self.body = nn.ModuleList([Body(bands)])
        self.conv_out = nn.Conv2d(bands, bands, 3, padding=1, bias=False)

    def forward(self, cube: Tensor, mask: Tensor, *, prior: Prior | None = None) -> Tensor:
        """(batch, bands, rows, columns) twice -> the same; any size from 5 x 5.

        Args:
            cube: The measurement shifted back, times 2 / bands.
            mask: The mask for every band.
            prior: Modulates each of the five blocks after its normalisation; None leaves the
                published network.
        """
        rows, columns = cube.shape[-2:]
        margin = (0, -columns % STRIDE, 0, -rows % STRIDE)
        seen = F.pad(torch.cat([cube, mask], dim=1), margin, mode="reflect")
        first = self.conv_in(self.fution(seen))
        h = first
        for body in self.body:
            h = body(h, prior)
        return (self.conv_out(h) + first)[..., :rows, :columns]


class Body(nn.Module):
    """A binarised U-Net of three levels with one block each; (batch, bands, rows, columns)."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        fine, middle, coarse = bands, 2 * bands, 4 * bands
        self.embedding = BiSRConv(bands, 3)
        self.encoder_layers = nn.ModuleList([Encoder(fine), Encoder(middle)])
        self.bottleneck = Blocks(coarse)
        self.decoder_layers = nn.ModuleList([Decoder(coarse), Decoder(middle)])
        self.mapping = BiSRConv(bands, 3)

    def forward(self, x: Tensor, prior: Prior | None) -> Tensor:
        skips, h = [], self.embedding(x)
        for index, level in enumerate(self.encoder_layers):
            skip, h = level(h, prior, index)
            skips.append(skip)
        deepest = len(self.encoder_layers)
        h = self.bottleneck(h, prior, deepest)
        for index, level in enumerate(self.decoder_layers, deepest + 1):
            h = level(h, skips.pop(), prior, index)
        return self.mapping(h) + x


class Encoder(nn.ModuleList):
    """A level on the way down: what goes across at once, and what goes on below."""

    def __init__(self, width: int) -> None:
        super().__init__([Blocks(width), Down(width)])

    def forward(self, x: Tensor, prior: Prior | None, index: int) -> tuple[Tensor, Tensor]:
        blocks, shrink = self
        skip = blocks(x, prior, index)
        return skip, shrink(skip)


class Decoder(nn.ModuleList):
    """A level on the way up, from twice the channels and half the rows and columns."""

    def __init__(self, width: int) -> None:
        super().__init__([Up(width), FusionDecrease(width, 1), Blocks(width // 2)])

    def forward(self, x: Tensor, skip: Tensor, prior: Prior | None, index: int) -> Tensor:
        grow, fuse, blocks = self
        return blocks(fuse(torch.cat([grow(x), skip], dim=1)), prior, index)


class Blocks(nn.Module):
    """The one block of a level, under the published name for several."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(width)])

    def forward(self, x: Tensor, prior: Prior | None, index: int) -> Tensor:
        for block in self.blocks:
            x = block(x, prior, index)
        return x


class Block(nn.Module):
    """x + feed-forward of the normalised x; `fn.net` and `norm` are the published names."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fn = FeedForward(width)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, prior: Prior | None, index: int) -> Tensor:
        h = self.norm(x.movedim(1, -1)).movedim(-1, 1)
        if prior is not None:
            h = prior(h, index)
        return x + self.fn(h)


class FeedForward(nn.Module):
    """Widens fourfold, looks at neighbours in groups of four channels, narrows again."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            FusionIncrease(width, 1),
            FusionIncrease(2 * width, 1),
            RPReLU(4 * width),
            BiSRConv(4 * width, 3, groups=width),
            RPReLU(4 * width),
            FusionDecrease(4 * width, 1),
            FusionDecrease(2 * width, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class FusionIncrease(nn.Module):
    """Twice the channels: two binarised convolutions of one input, side by side."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.biconv_1, self.biconv_2 = BiSRConv(channels, side), BiSRConv(channels, side)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.biconv_1(x), self.biconv_2(x)], dim=1)


class FusionDecrease(nn.Module):
    """Half the channels: the mean of two binarised convolutions, one of each half."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        half = channels // 2
        self.biconv_1, self.biconv_2 = BiSRConv(half, side), BiSRConv(half, side)

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, dim=1)
        return (self.biconv_1(first) + self.biconv_2(second)) / 2


class Down(FusionIncrease):
    """Half the rows and columns, twice the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.avg_pool2d(x, 2))


class Up(FusionDecrease):
    """Twice the rows and columns, half the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.interpolate(x, scale_factor=2, mode="bilinear"))


class BiSRConv(nn.Module):
    """Spectral-redistributed convolution of bits with bits, beside a path of full precision.

    (batch, channels, rows, columns) in and out: the shortcut keeps what signs lose, and needs as
    many channels out as in. Source: arXiv:2305.10299.
    """

    def __init__(self, channels: int, side: int, groups: int = 1) -> None:
        super().__init__()
        self.move0 = Redistribute(channels)
        self.binary_activation = BinaryActivation()
        self.binary_conv = BinaryConv(channels, side, groups)
        self.relu = RPReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.relu(self.binary_conv(self.binary_activation(self.move0(x))))


class Redistribute(nn.Module):
    """k x + b by channel, so that the signs that follow divide each band where it matters."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.k = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.b = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.k + self.b


class BinaryActivation(nn.Module):
    """Signs; their gradient is that of tanh(beta x), which is learned to be as steep as it pays."""

    def __init__(self) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return x.sign()
        return StraightThrough.apply(x.sign(), torch.tanh(self.beta * x))


class BinaryConv(nn.Module):
    """Convolution with one bit by weight and one scale by channel out, the mean |weight|.

    The gradient of a weight passes straight through where the weight is within [-1, 1], and is
    zero elsewhere; the scale has none.
    """

    def __init__(self, channels: int, side: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.weight = nn.Parameter(torch.empty(channels, channels // groups, side, side))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def forward(self, signs: Tensor) -> Tensor:
        same = self.weight.shape[-1] // 2
        return F.conv2d(signs, self.binary(), padding=same, groups=self.groups)

    def binary(self) -> Tensor:
        """The weights that are applied, of the shape of `weight`."""
        scale = self.weight.detach().abs().mean((1, 2, 3), keepdim=True)
        return StraightThrough.apply(scale * self.weight.detach().sign(), self.weight.clamp(-1, 1))


class RPReLU(nn.Module):
    """A PReLU by channel whose corner is moved by channel, too: bias, PReLU, bias."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pr_bias0, self.pr_bias1 = Bias(channels), Bias(channels)
        self.pr_prelu = nn.PReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.pr_bias1(self.pr_prelu(self.pr_bias0(x)))


class Bias(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias


class StraightThrough(torch.autograd.Function):
    """The first argument's values with the second's gradient; both of one shape."""

    @staticmethod
    def forward(ctx: Any, exact: Tensor, surrogate: Tensor) -> Tensor:
        return exact.view_as(exact)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, gradient
