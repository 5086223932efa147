"""Distances between cubes, over the values that are known."""

from collections.abc import Callable

import torch
from torch import Tensor

from hsi_xr.camera.operator import Camera

Distance = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(found, truth, known), each (batch, bands, rows, columns) -> a mean."""


def named(name: str, *, dark: float) -> Distance:
    """The distance that a run asks for: mrae, l1 or rmse; `dark` as in `mrae`."""
    if name == "mrae":
        return lambda found, truth, known: mrae(found, truth, known, dark=dark)
    return {"l1": l1, "rmse": rmse}[name]


def mrae(found: Tensor, truth: Tensor, known: Tensor, *, dark: float = 0.0) -> Tensor:
    """Relative error as `evaluation.metrics.mrae` has it.

    Truths at or below `dark`, 0 and more, are left out: theirs does not exist, or is noise.
    """
    counts = known & (truth > dark)
    return mean((found - truth).abs() / truth.where(counts, truth.new_ones(())), counts)


def l1(found: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    return mean((found - truth).abs(), known)


def l2(found: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    return mean((found - truth).square(), known)


def rmse(found: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Of the whole batch; its gradient exists at 0, too."""
    return l2(found, truth, known).clamp(min=1e-12).sqrt()


def gradients(found: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """L1 between the steps from a pixel to the next, down and to the right."""
    error, total = found - truth, found.new_zeros(())
    for axis in (2, 3):
        both = known.narrow(axis, 1, known.shape[axis] - 1)
        both = both & known.narrow(axis, 0, known.shape[axis] - 1)
        total = total + mean(error.diff(dim=axis).abs(), both)
    return total


def colours(found: Tensor, truth: Tensor, known: Tensor, response: Tensor) -> Tensor:
    """L1 between what a camera of this response, (3, bands), sees of the two, within [0, 1].

    White, 1 in every band, is (1, 1, 1). A pixel of which some band is not known has no colour.

    Source: the camera prior of AWAN, Li et al. 2020 (arXiv:2005.09305). Its published code rounds
        colours to bytes, from which no gradient comes; here they are not rounded.
    """
    camera = Camera(response.to(truth.device))
    with torch.autocast(truth.device.type, enabled=False):
        seen, right = (camera.project(cube.float()).clamp(0, 1) for cube in (found, truth))
    return l1(seen, right, known.all(1, keepdim=True).expand_as(seen))


def mean(values: Tensor, counts: Tensor) -> Tensor:
    """Of the values that count; 0 where none does."""
    return (values * counts).sum() / counts.sum().clamp(min=1)
