"""Distances between cubes, over the values that are known.

Estimate, truth and `known` are (batch, bands, rows, columns).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from hsi_xr.camera.operator import Camera

Distance = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(estimate, truth, known) -> their mean distance."""


def distance_of(name: str, *, dark: float) -> Distance:
    """Returns a distance by name: mrae, l1 or rmse. `dark` is the argument of `mrae`."""
    if name == "mrae":
        return lambda estimate, truth, known: mrae(estimate, truth, known, dark=dark)
    return {"l1": l1, "rmse": rmse}[name]


def mrae(estimate: Tensor, truth: Tensor, known: Tensor, *, dark: float = 0.0) -> Tensor:
    """Mean relative absolute error, as in `evaluation.metrics.mrae`.

    True values at or below `dark`, which must not be negative, are left out: their relative error
    is undefined or dominated by noise.
    """
    counts = known & (truth > dark)
    return mean((estimate - truth).abs() / truth.where(counts, truth.new_ones(())), counts)


def l1(estimate: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    return mean((estimate - truth).abs(), known)


def l2(estimate: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    return mean((estimate - truth).square(), known)


def rmse(estimate: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Root of the mean squared error over the whole batch; its gradient is defined at 0, too."""
    return l2(estimate, truth, known).clamp(min=1e-12).sqrt()


def gradients(estimate: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """L1 between differences of neighbouring pixels, down and to the right."""
    error, total = estimate - truth, estimate.new_zeros(())
    for axis in (2, 3):
        both = known.narrow(axis, 1, known.shape[axis] - 1)
        both = both & known.narrow(axis, 0, known.shape[axis] - 1)
        total = total + mean(error.diff(dim=axis).abs(), both)
    return total


def colours(estimate: Tensor, truth: Tensor, known: Tensor, response: Tensor) -> Tensor:
    """L1 between the colours of estimate and truth, as a camera records them, within [0, 1].

    White, which is 1 in every band, has the colour (1, 1, 1). Pixels with an unknown band are left
    out.

    Args:
        estimate: Reflectance.
        truth: Reflectance.
        known: True where the truth is known.
        response: (3, bands) spectral response of the camera.

    Source: the camera prior of AWAN, Li et al. 2020 (arXiv:2005.09305). Its published code rounds
        colours to bytes, which has no gradient; here they are not rounded.
    """
    camera = Camera(response.to(truth.device))
    with torch.autocast(truth.device.type, enabled=False):
        colour, target = (camera.project(cube.float()).clamp(0, 1) for cube in (estimate, truth))
    return l1(colour, target, known.all(1, keepdim=True).expand_as(colour))


def mean(values: Tensor, counts: Tensor) -> Tensor:
    """Mean of the values where `counts` is true, or 0 if it is true nowhere."""
    return (values * counts).sum() / counts.sum().clamp(min=1)
