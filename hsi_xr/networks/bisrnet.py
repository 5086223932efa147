"""BiSRNet: spectral reconstruction of a coded-aperture snapshot with binarised convolutions.

Source: Cai, Zheng, Lin, Yuan, Zhang, Wang 2023, "Binarized Spectral Compressive Imaging"
(NeurIPS, arXiv:2305.10299). Modules have the published names, so that published weights load.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsi_xr.networks._binarised import BiSRConv, RPReLU
from hsi_xr.networks._prior import Prior

STRIDE = 8
"""Rows and columns are padded to multiples of this."""


class BiSRNet(nn.Module):
    """Binarised spectral redistribution network.

    Only the first and last convolutions have full precision. It has 659,319 stored values. Counted
    as published, where a binary weight is 1/32 of a parameter and a binary product 1/64 of an
    operation, it has 0.036 M parameters and 1.18 G operations at 256 x 256.

    Args:
        bands: Bands of input and output.

    Source: arXiv:2305.10299.
    """

    def __init__(self, bands: int = 28) -> None:
        super().__init__()
        self.fution = nn.Conv2d(2 * bands, bands, 1)  # sic: the published name
        self.conv_in = nn.Conv2d(bands, bands, 3, padding=1, bias=False)
        self.body = nn.ModuleList([Body(bands)])
        self.conv_out = nn.Conv2d(bands, bands, 3, padding=1, bias=False)

    def forward(self, cube: Tensor, mask: Tensor, *, prior: Prior | None = None) -> Tensor:
        """Reconstructs a cube.

        Args:
            cube: (batch, bands, rows, columns) measurement with each band shifted back, times
                2 / bands; at least 5 x 5.
            mask: (batch, bands, rows, columns) mask for each band.
            prior: Modulates each of the five blocks after its normalisation; None for the
                published network.

        Returns:
            (batch, bands, rows, columns).
        """
        rows, columns = cube.shape[-2:]
        margin = (0, -columns % STRIDE, 0, -rows % STRIDE)
        padded = F.pad(torch.cat([cube, mask], dim=1), margin, mode="reflect")
        first = self.conv_in(self.fution(padded))
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
    """A level of the encoder; returns the features for the skip connection and the halved ones."""

    def __init__(self, width: int) -> None:
        super().__init__([Blocks(width), Down(width)])

    def forward(self, x: Tensor, prior: Prior | None, index: int) -> tuple[Tensor, Tensor]:
        blocks, shrink = self
        skip = blocks(x, prior, index)
        return skip, shrink(skip)


class Decoder(nn.ModuleList):
    """A level of the decoder, from twice the channels and half the rows and columns."""

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
    """Widens fourfold, convolves 3 x 3 in groups of four channels, narrows again."""

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
    """Doubles the channels: two binarised convolutions of one input, concatenated."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.biconv_1, self.biconv_2 = BiSRConv(channels, side), BiSRConv(channels, side)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.biconv_1(x), self.biconv_2(x)], dim=1)


class FusionDecrease(nn.Module):
    """Halves the channels: the mean of two binarised convolutions, one of each half."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        half = channels // 2
        self.biconv_1, self.biconv_2 = BiSRConv(half, side), BiSRConv(half, side)

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, dim=1)
        return (self.biconv_1(first) + self.biconv_2(second)) / 2


class Down(FusionIncrease):
    """Halves rows and columns, doubles channels."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.avg_pool2d(x, 2))


class Up(FusionDecrease):
    """Doubles rows and columns, halves channels."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.interpolate(x, scale_factor=2, mode="bilinear"))
