"""AWAN transcribed plainly from its formulas: what the library's forward is compared with.

One formula, one line: every convolution pads by a copy, the non-local module builds its N x N
matrix. Takes the same weights under the same keys.

Source: Li, Wu, Song, Li, Liu 2020, "Adaptive Weighted Attention Network with Camera Spectral
Sensitivity Prior for Spectral Reconstruction from RGB Images" (arXiv:2005.09305).
"""

import torch
from torch import Tensor, nn


class PlainAWAN(nn.Module):
    def __init__(self, bands: int = 31, width: int = 96, blocks: int = 8) -> None:
        super().__init__()
        self.input_conv2D = Padded(3, width, 3)
        self.input_prelu2D = nn.PReLU()
        self.head_conv2D = Padded(width, width, 3)
        self.backbone = nn.ModuleList([Block(width) for _ in range(blocks)])
        self.tail_conv2D = Padded(width, width, 3)
        self.output_prelu2D = nn.PReLU()
        self.output_conv2D = Padded(width, bands, 3)
        self.tail_nonlocal = Quarters(bands)

    def forward(self, rgb: Tensor) -> Tensor:
        first = self.head_conv2D(self.input_prelu2D(self.input_conv2D(rgb)))
        x = rest = first
        for block in self.backbone:
            x, rest = block(x, rest)
        x = self.output_prelu2D(self.tail_conv2D(x) + first)
        return self.tail_nonlocal(self.output_conv2D(x))


class Padded(nn.Module):
    def __init__(self, narrow: int, wide: int, side: int) -> None:
        super().__init__()
        self.pad = nn.ReflectionPad2d(side // 2)
        self.conv2d = nn.Conv2d(narrow, wide, side, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2d(self.pad(x))


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.relu1 = Padded(width, width, 3), nn.PReLU()
        self.conv2, self.relu2 = Padded(width, width, 3), nn.PReLU()
        self.up_conv, self.up_relu = Padded(width, width, 5), nn.PReLU()
        self.se = Weigh(width)
        self.down_conv, self.down_relu = Padded(width, width, 3), nn.PReLU()

    def forward(self, x: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
        y = self.relu2(self.conv2(self.relu1(self.conv1(x))) + x)
        rest = self.up_relu(self.up_conv(y) + rest)
        return self.down_relu(self.down_conv(self.se(rest)) + x), rest


class Weigh(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        narrow = width // 16
        self.conv = nn.Conv2d(width, 1, 1, bias=False)
        self.fc = nn.Sequential(
            nn.Linear(width, narrow, bias=False), nn.PReLU(), nn.Linear(narrow, width, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        share = self.conv(x).flatten(2).softmax(dim=2)
        pooled = torch.bmm(x.flatten(2), share.transpose(1, 2))[..., 0]
        return x * self.fc(pooled).sigmoid()[..., None, None]


class Quarters(nn.Module):
    def __init__(self, bands: int) -> None:
        super().__init__()
        self.non_local = NonLocal(bands)

    def forward(self, x: Tensor) -> Tensor:
        top, left = x.shape[2] // 2, x.shape[3] // 2
        answer = torch.zeros_like(x)
        for rows in (slice(0, top), slice(top, None)):
            for columns in (slice(0, left), slice(left, None)):
                answer[:, :, rows, columns] = self.non_local(x[:, :, rows, columns])
        return answer


class NonLocal(nn.Module):
    def __init__(self, bands: int) -> None:
        super().__init__()
        inner = bands // 8
        self.g = nn.Conv2d(bands, inner, 1, bias=False)
        self.theta = nn.Conv2d(bands, inner, 1, bias=False)
        self.W = nn.Conv2d(inner, bands, 1, bias=False)
        nn.init.zeros_(self.W.weight)

    def forward(self, x: Tensor) -> Tensor:
        values = self.g(x).flatten(2).transpose(1, 2)
        theta = self.theta(x).flatten(2).transpose(1, 2)
        covariance = torch.bmm(theta - theta.mean(2, keepdim=True), theta.transpose(1, 2))
        mixed = torch.bmm((covariance / theta.shape[2]).softmax(dim=2), values)
        return x + self.W(mixed.transpose(1, 2).reshape(len(x), -1, *x.shape[2:]))
