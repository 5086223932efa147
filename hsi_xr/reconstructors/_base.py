"""The interface between reconstructors and the rest of the package."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from hsi_xr.diffusion.noise import NoiseField
from hsi_xr.reconstructors._level import Level

Noise = Callable[[int], Tensor]
"""Returns standard normal noise of the cube's shape for a step, counted from 1.

The noise is a function of the position on the ground, so that tiles get the same values where they
overlap; see `hsi_xr.diffusion.noise`.
"""


@dataclass(frozen=True, eq=False)
class GroundNoise:
    """The noise of one draw at the pixels of images, as a function of the ground.

    Attributes:
        field: The noise of the draw.
        rows: (batch, rows) absolute rows, int64.
        columns: (batch, columns) absolute columns, int64.
    """

    field: NoiseField
    rows: Tensor
    columns: Tensor

    def words(self) -> Tensor:
        """Returns a random integer for each pixel, (batch, rows, columns)."""
        return self.field.words(self.rows, self.columns)

    def normal(self, table: int, *shape: int) -> Tensor:
        """Returns standard normal values that all pixels of the scene share."""
        return self.field.of_scene(table, *shape, device=self.rows.device)[0]

    def uniform(self, table: int, *shape: int) -> Tensor:
        """Returns uniform values within (0, 1) that all pixels of the scene share."""
        return self.field.of_scene(table, *shape, device=self.rows.device)[1]


SceneStatistics = Mapping[str, Tensor]
"""Small tensors that all tiles of a scene share, by name: gains, attention matrices."""


@dataclass(frozen=True, eq=False)
class SceneWindows:
    """Windows of one scene, and what is known about the scene as a whole.

    Attributes:
        rgb: (windows, 3, rows, columns) linear RGB without NaN; of a camera with n channels,
            (windows, n, rows, columns).
        weights: (windows, 1, rows, columns), 1 where a pixel counts for the scene statistics, 0
            where it is filled or belongs to a margin.
        chromaticity: (1, n) chromaticity histogram of the scene, from which photofinishing is
            estimated (see `hsi_xr.networks.chromaticity`); None if a white reflector is known to
            be 1 in `rgb`.
        extremes: (2,) lowest and highest value of linear RGB in the scene; None takes those of the
            windows.
        response: (n, bands) spectral response of the camera, with rows of any positive scale; None
            if the camera is unknown, and has the channels red, green and blue.
        level: The gain of `rgb` over reflectance if it is stated; None estimates it. Without a
            chromaticity histogram, the gain is 1 and there is no level to state.
    """

    rgb: Tensor
    weights: Tensor
    chromaticity: Tensor | None
    extremes: Tensor | None = None
    response: Tensor | None = None
    level: Level | None = None

    @classmethod
    def entire(
        cls,
        rgb: Tensor,
        chromaticity: Tensor | None = None,
        *,
        response: Tensor | None = None,
        level: Level | None = None,
    ) -> "SceneWindows":
        """Returns images that together are the whole scene; every pixel counts."""
        weights = torch.ones_like(rgb[:, :1])
        return cls(rgb, weights, chromaticity, response=response, level=level)


class Reconstructor(nn.Module, ABC):
    """Estimates reflectance from linear RGB in [0, 1].

    Rows and columns of images are multiples of the stride in the model's card.
    """

    @abstractmethod
    def whole(self, scene: SceneWindows, noise: Noise) -> tuple[Tensor, SceneStatistics]:
        """Reconstructs all windows of a scene together and computes the scene statistics.

        Args:
            scene: The windows.
            noise: Called with a step; see `Noise`.

        Returns:
            (windows, bands, rows, columns) reflectance, and the statistics that `forward` needs.
        """

    @abstractmethod
    def forward(
        self, rgb: Tensor, noise: Noise, statistics: SceneStatistics, *, stochastic: bool
    ) -> Tensor:
        """Reconstructs tiles of a surveyed scene.

        An output pixel depends on its own tile, and on no other image of the batch.

        Args:
            rgb: (batch, 3, rows, columns) linear RGB without NaN.
            noise: Called with a step; see `Noise`.
            statistics: The statistics of the scene, from `whole`.
            stochastic: Draw a sample instead of computing the mean.

        Returns:
            (batch, bands, rows, columns) reflectance.
        """


@dataclass(frozen=True)
class Estimate:
    """A reflectance estimate with its uncertainty.

    Attributes:
        cube: (batch, bands, rows, columns) reflectance.
        std: Standard deviation of the reflectance given the level of the scene, of the same shape.
        novelty: (batch, 1, rows, columns) out-of-distribution score of the colours in [0, 1].
        quantiles: (batch, n, bands, rows, columns) of the reflectance, not negative and in
            ascending order, if they were asked for.
        draws: (batch, n, bands, rows, columns) joint draws of the reflectance, not negative, if
            they were asked for.
    """

    cube: Tensor
    std: Tensor
    novelty: Tensor
    quantiles: Tensor | None = None
    draws: Tensor | None = None


@runtime_checkable
class ProbabilisticReconstructor(Protocol):
    """A reconstructor that computes its own uncertainty, without samples."""

    def estimate(
        self,
        rgb: Tensor,
        noise: Noise,
        statistics: SceneStatistics,
        *,
        probabilities: Sequence[float] = (),
        draws: Sequence[GroundNoise] = (),
    ) -> Estimate:
        """Returns the cube of `forward` with its uncertainty.

        Args:
            rgb, noise, statistics: As for `forward`.
            probabilities: Those of the quantiles wanted, in ascending order.
            draws: The noise of each draw wanted.
        """


@runtime_checkable
class FittedReconstructor(Protocol):
    """A reconstructor with a part that is fitted in closed form before training."""

    def calibrate(self, rgb: Tensor, statistics: SceneStatistics) -> Tensor:
        """Returns the input of the fitted part.

        Args:
            rgb: (batch, 3, rows, columns) linear RGB.
            statistics: Statistics with one row for each image, or one for all.

        Returns:
            (batch, 3, rows, columns).
        """

    def fit(self, rgb: Tensor, spectra: Tensor) -> None:
        """Fits the part to (pixels, 3) calibrated RGB and (pixels, bands) reflectance."""


@dataclass(frozen=True)
class DenoisingTarget:
    """A batch of cubes on the scale of a diffusion chain, with the network that denoises them.

    Attributes:
        clean: (batch, channels, rows, columns) clean end of the chain.
        predict: Runs the network on a noisy chain and (batch,) steps, counted from 1; see
            `DiffusionReconstructor.predicts`.
        decode: Converts the chain to reflectance, (batch, bands, rows, columns).
    """

    clean: Tensor
    predict: Callable[[Tensor, Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]


@runtime_checkable
class DiffusionReconstructor(Protocol):
    """A reconstructor that diffuses cubes, as training needs it.

    Attributes:
        keep: (steps + 1,) share of the signal variance left after each step ("alpha bar").
        predicts: What the network estimates: the noise, or the clean chain.
    """

    keep: Tensor
    predicts: Literal["epsilon", "x0"]

    def denoising_target(
        self, rgb: Tensor, cube: Tensor, statistics: SceneStatistics
    ) -> DenoisingTarget:
        """Encodes a batch for training.

        Args:
            rgb: (batch, 3, rows, columns) linear RGB.
            cube: (batch, bands, rows, columns) true reflectance.
            statistics: Statistics with one row for each image.
        """
