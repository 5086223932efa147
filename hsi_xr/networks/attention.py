"""Where the statistics of spectral attention come from: the image, a batch of windows, or a survey.

Spectral ("transposed") attention compares channels, not pixels: its matrices follow from a few
sums over pixels. Taken from a tile, these sums make a pixel's answer depend on the tile; taken
from the scene they do not. A layer therefore never decides whose pixels count: it hands its
moments to a `Statistics` and applies the matrices that come back.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
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
        return Moments(*(getattr(self, each.name).sum(0, keepdim=True) for each in fields(self)))


Rule = Callable[[Moments], Tensor]
"""A layer's way from moments to matrices, (batch, heads, d, d), rows summing to one."""


class Statistics(Protocol):
    """Answers, layer by layer, with the attention matrices to apply."""

    known: bool
    """True when matrices need no moments, so that queries and keys need not be computed."""

    def weights(self, size: Sequence[int]) -> Tensor | None:
        """Weights of the pixels of a size, (batch, 1, rows, columns); None counts all alike."""

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
        return F.adaptive_avg_pool2d(self._weights, (size[0], size[1]))

    def matrices(self, rule: Rule | None = None, moments: Moments | None = None) -> Tensor:
        if rule is None or moments is None:
            raise ValueError("statistics that are not known beforehand need a rule and moments")
        return rule(moments)


class PooledStatistics(OwnStatistics):
    """All images of the batch are windows of one scene; writes down what it answers.

    The windows advance together, layer by layer, so that each layer sees inputs which already
    carry the scene's statistics: one sweep is consistent.
    """

    def __init__(self, weights: Tensor | None, *, into: dict[str, Tensor], name: str) -> None:
        super().__init__(weights)
        self._into, self._name, self._layer = into, name, 0

    def matrices(self, rule: Rule | None = None, moments: Moments | None = None) -> Tensor:
        found = super().matrices(rule, None if moments is None else moments.pooled())
        self._into[f"{self._name}/{self._layer:02d}"] = found
        self._layer += 1
        return found


class GivenStatistics:
    """The matrices of a survey, applied to any pixels of its scene."""

    known = True

    def __init__(self, facts: Mapping[str, Tensor], name: str) -> None:
        self._facts, self._name, self._layer = facts, name, 0

    def weights(self, size: Sequence[int]) -> Tensor | None:
        return None

    def matrices(self, rule: Rule | None = None, moments: Moments | None = None) -> Tensor:
        found = self._facts[f"{self._name}/{self._layer:02d}"]
        self._layer += 1
        return found
