"""Statistics for channel attention: of one image, of all windows of a scene, or from a survey.

Spectral ("transposed") attention compares channels instead of pixels. Its matrices follow from a
few sums over pixels, as the weights of channel attention do. If these sums are taken over a tile,
the output at a pixel depends on the tile; if they are taken over the scene, it does not. A layer
therefore never decides which pixels count: it passes its sums to an `AttentionStatistics` and
applies the matrices that it gets back.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol, Self, TypeVar

import torch.nn.functional as F
from torch import Tensor

ATTENTION = "attention"
"""Prefix of the names of attention matrices among the statistics of a scene."""


class Sums(Protocol):
    """Sums over the pixels of each image of a batch."""

    def pooled(self) -> Self:
        """Returns the sums over all images of the batch, as one image."""


AnySums = TypeVar("AnySums", bound=Sums)

Rule = Callable[[AnySums], Tensor]
"""Computes the matrices of a layer from its sums, for each image of the batch."""


@dataclass(frozen=True)
class Moments:
    """The sums of spectral attention, from which a rule computes (batch, heads, d, d) matrices."""

    gram: Tensor
    """Sums of query-key products, (batch, heads, d, d)."""
    query_energy: Tensor
    """Sums of squared queries, (batch, heads, d)."""
    key_energy: Tensor
    """Sums of squared keys, (batch, heads, d)."""
    value: Tensor
    """Sums of values, (batch, heads, d); empty if the rule does not use them."""
    pixels: Tensor
    """Sum of the weights of the pixels, (batch, 1, 1)."""

    def pooled(self) -> "Moments":
        return Moments(*(getattr(self, each.name).sum(0, keepdim=True) for each in fields(self)))


class AttentionStatistics(Protocol):
    """Provides the matrices that each attention layer of a network applies."""

    known: bool
    """True if the matrices need no sums, so that a layer can skip queries and keys."""

    def weights(self, size: Sequence[int]) -> Tensor | None:
        """Returns the weights of pixels at a resolution, or None if all count alike.

        Args:
            size: Rows and columns of the features.

        Returns:
            (batch, 1, rows, columns).
        """

    def matrices(
        self, layer: int, rule: Rule[AnySums] | None = None, sums: AnySums | None = None
    ) -> Tensor:
        """Returns the matrices that a layer applies.

        Args:
            layer: Index of the layer in its network.
            rule: Computes the matrices from sums; not needed if they are `known`.
            sums: The sums over the pixels of each image; not needed if `known`.
        """


class StepStatistics(Protocol):
    """Provides attention statistics for each step of a diffusion chain."""

    def of_step(self, step: int) -> AttentionStatistics:
        """Returns the statistics of a step, counted from 1."""


class ImageStatistics:
    """Computes the matrices of each image from its own pixels, as published; used in training.

    Args:
        weights: (batch, 1, rows, columns) weights of the pixels; None counts all alike.
    """

    known = False

    def __init__(self, weights: Tensor | None = None) -> None:
        self._weights = weights

    def weights(self, size: Sequence[int]) -> Tensor | None:
        if self._weights is None or tuple(self._weights.shape[-2:]) == tuple(size):
            return self._weights
        return F.adaptive_avg_pool2d(self._weights, (size[0], size[1]))

    def matrices(
        self, layer: int, rule: Rule[AnySums] | None = None, sums: AnySums | None = None
    ) -> Tensor:
        if rule is None or sums is None:
            raise ValueError("the matrices of an image are computed from a rule and sums")
        return rule(sums)


class PooledStatistics(ImageStatistics):
    """Computes one set of matrices from all images of the batch: the windows of one scene.

    The windows run through the network together, layer by layer. Each layer reads features that
    already depend on the statistics of the scene, so one pass is consistent.

    Args:
        weights: (batch, 1, rows, columns) weights of the pixels; None counts all alike.
        name: Prefix of the names in `collected`.

    Attributes:
        collected: The matrices of the layers that ran, by name; `GivenStatistics` reads them.
    """

    def __init__(self, weights: Tensor | None, name: str = ATTENTION) -> None:
        super().__init__(weights)
        self._name = name
        self.collected: dict[str, Tensor] = {}

    def of_step(self, step: int) -> "PooledStatistics":
        """Returns statistics of a step, counted from 1, that are collected here, too."""
        found = PooledStatistics(self._weights, f"{self._name}/{step}")
        found.collected = self.collected
        return found

    def matrices(
        self, layer: int, rule: Rule[AnySums] | None = None, sums: AnySums | None = None
    ) -> Tensor:
        found = super().matrices(layer, rule, None if sums is None else sums.pooled())
        self.collected[_key(self._name, layer)] = found
        return found


class GivenStatistics:
    """Provides the matrices that a survey collected, for any pixels of its scene.

    Args:
        statistics: The statistics of the scene; see `PooledStatistics.collected`.
        name: Prefix of the names in `statistics`.
    """

    known = True

    def __init__(self, statistics: Mapping[str, Tensor], name: str = ATTENTION) -> None:
        self._statistics, self._name = statistics, name

    def of_step(self, step: int) -> "GivenStatistics":
        """Returns the statistics of a step, counted from 1."""
        return GivenStatistics(self._statistics, f"{self._name}/{step}")

    def weights(self, size: Sequence[int]) -> Tensor | None:
        return None

    def matrices(
        self, layer: int, rule: Rule[AnySums] | None = None, sums: AnySums | None = None
    ) -> Tensor:
        return self._statistics[_key(self._name, layer)]


def _key(name: str, layer: int) -> str:
    return f"{name}/{layer:02d}"
