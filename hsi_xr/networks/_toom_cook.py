"""Convolution by products of polynomials, which takes fewer multiplications than the plain sum.

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
"""Where polynomials are multiplied by value; an eighth point is infinity."""

BAND = 16
"""Steps of rows transformed at a time; bounds what `convolve_by_rows` holds beside its answer."""


def convolve_by_rows(x: Tensor, weight: Tensor) -> Tensor:
    """Convolution of a reflected image by Toom-Cook products along its columns.

    Six rows of the answer (3 x 3), or four (5 x 5), take eight convolutions with a single row of
    weights, where the plain sum takes 18 or 20. Rounding stays that of a plain convolution. Has
    no gradient.

    Args:
        x: (batch, channels, rows, columns), both at least 8.
        weight: (channels out, channels, side, side), side 3 or 5.

    Returns:
        (batch, channels out, rows, columns), channels last in memory.
    """
    side, (rows, columns) = weight.shape[-1], x.shape[-2:]
    spread, taps, gather = (each.to(x) for each in _toom_cook(side))
    (step, points), half = gather.shape, side // 2
    kernels = torch.einsum("pr,oirc->poci", taps, weight)[:, :, None].permute(0, 1, 4, 2, 3)
    steps = -(-rows // step)
    x = F.pad(x, (half, half, half, half + steps * step - rows), mode="reflect")
    x = x.permute(0, 2, 3, 1)
    answer = x.new_empty(len(x), steps, step, columns * len(weight))
    for image, into in zip(x, answer):
        windows = image.flatten(1).unfold(0, points, step).mT  # rows of a step and of its margin
        for band, out in zip(windows.split(BAND), into.split(BAND)):
            spectra = x.new_empty(points, *band.shape[::2])
            torch.bmm(spread.expand(len(band), -1, -1), band, out=spectra.transpose(0, 1))
            images = spectra.view(points, len(band), *x.shape[2:]).permute(0, 3, 1, 2)
            mixed = [F.conv2d(each[None], kernel) for each, kernel in zip(images, kernels)]
            found = torch.cat([each.permute(0, 2, 3, 1) for each in mixed]).flatten(2)
            torch.bmm(gather.expand(len(band), -1, -1), found.transpose(0, 1), out=out)
    answer = answer.view(len(x), steps * step, columns, -1)[:, :rows]
    return answer.permute(0, 3, 1, 2)


@lru_cache
def _toom_cook(side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Matrices of a product of polynomials by their values at `POINTS` and infinity.

    What spreads rows of the image over the points (8, 8), taps over them (8, side), and gathers
    the answers (9 - side, 8).
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
    """Coefficients of the product of all (x - root), lowest first."""
    found = [Fraction(1)]
    for root in roots:
        found = [
            high - root * low for high, low in zip([Fraction(0), *found], [*found, Fraction(0)])
        ]
    return found


def _matrix(rows: list[list[Fraction]]) -> Tensor:
    return torch.tensor([[float(entry) for entry in row] for row in rows], dtype=torch.float64)
