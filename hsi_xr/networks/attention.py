"""Where the statistics of spectral attention come from: the image, a batch of windows, or a survey.

Spectral ("transposed") attention compares channels, not pixels: its matrices follow from a few
sums over pixels. Taken from a tile, these sums make a pixel's answer depend on the tile; taken
from the scene they do not. A layer therefore never decides whose pixels count: it hands its
moments to a `Statistics` and applies the matrices that come back.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Moments:
    """Sums over the pixels of each image; the sums of several images pool their pixels."""

    gram: Tensor
    """Query-key products, (batch, heads, d, d)."""
    query_energy: Tensor
    """Squared queries, (batch, heads, d)."""
    key_energy: Tensor
    value: Tensor
    pixels: Tensor
    """Weight of the pixels that were summed, (batch, 1, 1)."""

    def pooled(self) -> "Moments":
        """The moments of the whole batch seen as one image."""
        return Moments(*(each.sum(0, keepdim=True) for each in astuple(self)))


Rule = Callable[[Moments], Tensor]
"""A layer's way from moments to matrices, (batch, heads, d, d), rows summing to one."""


class Statistics(Protocol):
    """Answers, layer by layer, with the attention matrices to apply."""

    known: bool
    """True when matrices need no moments, so that queries and keys need not be computed."""

    def weights(self, size: Sequence[int]) -> Tensor | None:
        """Weight of each pixel at a resolution, (batch, 1, rows, columns); None counts all alike."""

    def matrices(self, rule: Rule | None = None, moments: Moments | None = None) -> Tensor:
        """The matrices of the next layer."""


class OwnStatistics:
    """Every image for itself, as published; what training uses."""

    known = False

    def __init__(self, weights: Tensor | None = None) -> None:
        self._weights = weights

    def weights(self, size: Sequence[int]) -> Tensor | None:
        if self._weights is None or tuple(self._weights.shape[-2:]) == tuple(size):
            return self._weights
        return F.adaptive_avg_pool2d(self._weights, tuple(size))

    def matrices(self, rule: Rule | None = None, moments: Moments | None = None) -> Tensor:
        if rule is None or moments is None:
            raise ValueError("statistics that are not known beforehand need a rule and moments")
        return rule(moments)


class PooledStatistics(OwnStatistics):
    """All images of the batch are windows of one scene; keeps what it answered, in order."""

    def __init__(self, weights: Tensor | None = None) -> None:
        super().__init__(weights)
        self.answered: list[Tensor] = []

    def matrices(self, rule: Rule | None = None, moments: Moments | None = None) -> Tensor:
        found = super().matrices(rule, None if moments is None else moments.pooled())
        self.answered.append(found)
        return found


class GivenStatistics:
    """The matrices of a survey, applied to any pixels of its scene."""

    known = True

    def __init__(self, matrices: Sequence[Tensor]) -> None:
        self._next: Iterator[Tensor] = iter(matrices)

    def weights(self, size: Sequence[int]) -> Tensor | None:
        return None

    def matrices(self, rule: Rule | None = None, moments: Moments | None = None) -> Tensor:
        return next(self._next)
