"""Where the statistics of attention come from: the image, a batch of windows, or a survey.

Spectral ("transposed") attention compares channels, not pixels: its matrices follow from a few
sums over pixels, as the weights of channel attention do. Taken from a tile, these sums make a
pixel's answer depend on the tile; taken from the scene they do not. A layer therefore never decides
whose pixels count: it hands its sums to a `Statistics` and applies the matrices that come back.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol, Self, TypeVar

import torch.nn.functional as F
from torch import Tensor


class Sums(Protocol):
    """What a layer sums over the pixels of each image; sums of several images pool their pixels."""

    def pooled(self) -> Self:
        """The sums of the whole batch seen as one image."""


AnySums = TypeVar("AnySums", bound=Sums)

Rule = Callable[[AnySums], Tensor]
"""A layer's way from its sums to the matrices that it applies, those of each image."""


@dataclass(frozen=True)
class Moments:
    """The sums of spectral attention.

    A rule makes matrices of them, (batch, heads, d, d), with rows summing to one.
    """

    gram: Tensor
    """Query-key products, (batch, heads, d, d)."""
    query_energy: Tensor
    """Squared queries, (batch, heads, d)."""
    key_energy: Tensor
    value: Tensor
    pixels: Tensor
    """Weight of the pixels that were summed, (batch, 1, 1)."""

    def pooled(self) -> "Moments":
        return Moments(*(getattr(self, each.name).sum(0, keepdim=True) for each in fields(self)))


class Statistics(Protocol):
    """Answers, layer by layer, with the attention matrices to apply."""

    known: bool
    """True when matrices need no sums, so that queries and keys need not be computed."""

    def weights(self, size: Sequence[int]) -> Tensor | None:
        """Weights of the pixels of a size, (batch, 1, rows, columns); None counts all alike."""

    def matrices(self, rule: Rule[AnySums] | None = None, sums: AnySums | None = None) -> Tensor:
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

    def matrices(self, rule: Rule[AnySums] | None = None, sums: AnySums | None = None) -> Tensor:
        if rule is None or sums is None:
            raise ValueError("statistics that are not known beforehand need a rule and sums")
        return rule(sums)


class PooledStatistics(OwnStatistics):
    """All images of the batch are windows of one scene; writes down what it answers.

    The windows advance together, layer by layer, so that each layer sees inputs which already
    carry the scene's statistics: one sweep is consistent.
    """

    def __init__(self, weights: Tensor | None, *, into: dict[str, Tensor], name: str) -> None:
        super().__init__(weights)
        self._into, self._name, self._layer = into, name, 0

    def matrices(self, rule: Rule[AnySums] | None = None, sums: AnySums | None = None) -> Tensor:
        found = super().matrices(rule, None if sums is None else sums.pooled())
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

    def matrices(self, rule: Rule[AnySums] | None = None, sums: AnySums | None = None) -> Tensor:
        found = self._facts[f"{self._name}/{self._layer:02d}"]
        self._layer += 1
        return found
