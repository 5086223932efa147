"""Binarised convolutions of BiSRNet.

Source: Cai, Zheng, Lin, Yuan, Zhang, Wang 2023, "Binarized Spectral Compressive Imaging"
(NeurIPS, arXiv:2305.10299). Modules have the published names.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx


class BiSRConv(nn.Module):
    """Binarised spectral-redistribution convolution with a shortcut of full precision.

    Input and output are (batch, channels, rows, columns). The shortcut keeps what signs lose; it
    needs as many output as input channels. Source: arXiv:2305.10299.
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
    """Computes k x + b for each channel, so that the signs that follow split each band usefully."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.k = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.b = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.k + self.b


class BinaryActivation(nn.Module):
    """Takes signs, with the gradient of tanh(beta x), whose steepness is learned."""

    def __init__(self) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return x.sign()
        return StraightThrough.apply(x.sign(), torch.tanh(self.beta * x))


class BinaryConv(nn.Module):
    """Convolution with one bit per weight and one scale per output channel, the mean |weight|.

    The gradient passes straight through to weights within [-1, 1] and is zero for others. The scale
    has no gradient.
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
        """Returns the binarised weights that are applied, of the shape of `weight`."""
        scale = self.weight.detach().abs().mean((1, 2, 3), keepdim=True)
        return StraightThrough.apply(scale * self.weight.detach().sign(), self.weight.clamp(-1, 1))


class RPReLU(nn.Module):
    """PReLU of each channel with a learned origin: bias, PReLU, bias."""

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
    """Returns the first argument with the gradient of the second; both have one shape."""

    @staticmethod
    def forward(ctx: FunctionCtx, exact: Tensor, surrogate: Tensor) -> Tensor:
        return exact.view_as(exact)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[None, Tensor]:
        return None, gradient
