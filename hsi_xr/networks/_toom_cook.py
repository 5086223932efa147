"""Convolution by Toom-Cook products of polynomials, with fewer multiplications than a plain sum.

Source: Winograd 1980, "Arithmetic Complexity of Computations"; Lavin & Gray 2016
(arXiv:1509.09308) for convolutional layers.
"""

import math
from fractions import Fraction
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

POINTS = tuple(Fraction(p) for p in ("0", "1", "-1", "2", "-2", "1/2", "-1/2"))
"""Points at which polynomials are evaluated and multiplied; the eighth is infinity."""

BAND = 16
"""Steps of rows that are transformed at a time; bounds the memory of `convolve_by_rows`."""


def convolve_by_rows(x: Tensor, weight: Tensor) -> Tensor:
    """Convolves an image, padded by reflection, by Toom-Cook products along its columns.

    Six rows of the output (3 x 3), or four (5 x 5), take eight convolutions with a single row of
    weights, where a plain sum takes 18 or 20. The rounding error is that of a plain convolution.
    Gradients are not supported.

    Args:
        x: (batch, channels, rows, columns), both at least 8.
        weight: (channels out, channels, side, side), side 3 or 5.

    Returns:
        (batch, channels out, rows, columns), channels-last in memory.
    """
    side, (rows, columns) = weight.shape[-1], x.shape[-2:]
    spread, taps, gather = (each.to(x) for each in _toom_cook(side))
    (step, points), half = gather.shape, side // 2
    kernels = torch.einsum("pr,oirc->poci", taps, weight)[:, :, None].permute(0, 1, 4, 2, 3)
    steps = -(-rows // step)
    x = F.pad(x, (half, half, half, half + steps * step - rows), mode="reflect")
    x = x.permute(0, 2, 3, 1)
    output = x.new_empty(len(x), steps, step, columns * len(weight))
    for image, into in zip(x, output):
        windows = image.flatten(1).unfold(0, points, step).mT  # rows of a step and of its margin
        for band, out in zip(windows.split(BAND), into.split(BAND)):
            spectra = x.new_empty(points, *band.shape[::2])
            torch.bmm(spread.expand(len(band), -1, -1), band, out=spectra.transpose(0, 1))
            images = spectra.view(points, len(band), *x.shape[2:]).permute(0, 3, 1, 2)
            mixed = [F.conv2d(each[None], kernel) for each, kernel in zip(images, kernels)]
            products = torch.cat([each.permute(0, 2, 3, 1) for each in mixed]).flatten(2)
            torch.bmm(gather.expand(len(band), -1, -1), products.transpose(0, 1), out=out)
    output = output.view(len(x), steps * step, columns, -1)[:, :rows]
    return output.permute(0, 3, 1, 2)


@lru_cache
def _toom_cook(side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the matrices of a product of polynomials by values at `POINTS` and infinity.

    Returns:
        The transforms of rows of the image (8, 8), of weights (8, side), and of products to rows of
        the output (9 - side, 8).
    """
    step = len(POINTS) + 2 - side
    spread, taps = [], []
    for point in POINTS:
        others = [p for p in POINTS if p != point]
        scale = math.prod(point - p for p in others)
        spread.append([*_polynomial(others), Fraction(0)])
        taps.append([point**j / scale for j in range(side)])
    spread.append(_polynomial(list(POINTS)))
    taps.append([Fraction(j == side - 1) for j in range(side)])
    gather = [[p**i for p in POINTS] + [Fraction(i == step - 1)] for i in range(step)]
    return _matrix(spread), _matrix(taps), _matrix(gather)


def _polynomial(roots: list[Fraction]) -> list[Fraction]:
    """Returns the coefficients of the product of all (x - root), lowest first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted, padded = [Fraction(0), *coefficients], [*coefficients, Fraction(0)]
        coefficients = [high - root * low for high, low in zip(shifted, padded)]
    return coefficients


def _matrix(rows: list[list[Fraction]]) -> Tensor:
    return torch.tensor([[float(entry) for entry in row] for row in rows], dtype=torch.float64)
