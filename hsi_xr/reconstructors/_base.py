"""What the rest of the house asks of a reconstructor."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

Noise = Callable[[int], Tensor]
"""Step, counted from 1 -> standard normal noise of the cube's shape, tied to the ground."""

SceneStatistics = Mapping[str, Tensor]
"""What belongs to the scene and not to a tile: gains, attention matrices. Small."""


@dataclass(frozen=True, eq=False)
class SceneWindows:
    """Images that are the windows of one scene, and what far more of its pixels tell."""

    rgb: Tensor
    """(windows, 3, rows, columns) linear RGB without NaN."""
    weights: Tensor
    """(windows, 1, rows, columns), 1 where a pixel counts for the scene's statistics and 0 where it
    is filled or a margin."""
    chromaticity: Tensor | None
    """(1, n) chromaticity histogram of the scene, from which photofinishing is estimated (see
    `networks.chromaticity`); None where a white reflector is known to be 1 in `rgb`."""
    extremes: Tensor | None = None
    """(2,) lowest and highest number of linear RGB in the scene; None takes the windows'."""
    response: Tensor | None = None
    """(3, bands) spectral response of the camera, with rows of any scale; None if unknown."""

    @classmethod
    def entire(
        cls, rgb: Tensor, chromaticity: Tensor | None = None, *, response: Tensor | None = None
    ) -> "SceneWindows":
        """Returns images that cover a whole scene, every pixel of which counts."""
        return cls(rgb, torch.ones_like(rgb[:, :1]), chromaticity, response=response)


class Reconstructor(nn.Module, ABC):
    """Linear RGB in [0, 1] -> reflectance. Rows and columns are multiples of its stride."""

    @abstractmethod
    def whole(self, scene: SceneWindows, noise: Noise) -> tuple[Tensor, SceneStatistics]:
        """Reconstructs the windows of one scene, and tells the scene's facts.

        Args:
            scene: Its windows.
            noise: Called with a step; see `Noise`.

        Returns:
            (windows, bands, rows, columns) reflectance, and the facts for `forward`.
        """

    @abstractmethod
    def forward(
        self, rgb: Tensor, noise: Noise, statistics: SceneStatistics, *, stochastic: bool
    ) -> Tensor:
        """(batch, 3, rows, columns) of a surveyed scene -> (batch, bands, rows, columns)."""


@dataclass(frozen=True)
class Estimate:
    """An answer that knows its doubt."""

    cube: Tensor
    """(batch, bands, rows, columns) reflectance."""
    deviation: Tensor
    """The same shape: standard deviation of reflectance about it."""
    novelty: Tensor
    """(batch, 1, rows, columns) in [0, 1]: how far colours are from all that was learned from."""


@runtime_checkable
class ProbabilisticReconstructor(Protocol):
    """A system that tells its own doubt, and needs no samples for it."""

    def estimate(self, rgb: Tensor, noise: Noise, statistics: SceneStatistics) -> Estimate:
        """Of a surveyed scene; the cube is that of `forward`."""


@dataclass(frozen=True)
class DenoisingTarget:
    """A batch as the clean end of a chain, for a network that learns to see it in noise."""

    clean: Tensor
    """(batch, bands, rows, columns), what is diffused."""
    answer: Callable[[Tensor, Tensor], Tensor]
    """(noisy, (batch,) steps counted from 1) -> what the network says; see `Diffusing.predicts`."""
    decode: Callable[[Tensor], Tensor]
    """Chain -> reflectance."""


@runtime_checkable
class Fitted(Protocol):
    """A system with a part that is fitted before training, and not by gradients."""

    def seen(self, rgb: Tensor, statistics: SceneStatistics) -> Tensor:
        """What that part sees of linear RGB, (batch, 3, rows, columns); `facts` as for training."""

    def fit(self, rgb: Tensor, spectra: Tensor) -> None:
        """(pixels, 3) as seen, (pixels, bands) reflectance."""


@runtime_checkable
class Diffusing(Protocol):
    """What training asks of a system that diffuses cubes."""

    keep: Tensor
    """(steps + 1,) share of signal variance left after each step."""
    predicts: Literal["epsilon", "x0"]

    def denoising_target(
        self, rgb: Tensor, cube: Tensor, statistics: SceneStatistics
    ) -> DenoisingTarget:
        """Of linear RGB and true reflectance; `facts` have one row for each image."""
