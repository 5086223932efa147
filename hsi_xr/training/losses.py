"""Distances between cubes, over the values that are known."""

from collections.abc import Callable

from torch import Tensor

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


def mean(values: Tensor, counts: Tensor) -> Tensor:
    """Of the values that count; 0 where none does."""
    return (values * counts).sum() / counts.sum().clamp(min=1)
