"""A model of the clean linear RGB given the image as delivered: a guided chain of R2H-Diff.

Source: Ding, Zhao, Sun, Liu 2026, R2H-Diff (arXiv:2605.05688), whose network and schedule serve
here for three channels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from hsi_xr.diffusion import samplers, schedules
from hsi_xr.networks.attention import GivenStatistics, PooledStatistics, StepStatistics
from hsi_xr.networks.r2h_diff import R2HDiff, Size
from hsi_xr.reconstructors._base import Noise, Reconstructor, SceneStatistics, SceneWindows
from hsi_xr.reconstructors._guided_denoiser import guided_denoiser

FLOOR = 0.02
"""Added to linear RGB before logarithms. With it, noise of 8-bit sRGB is about as large in dark
pixels as in bright ones."""

UNIT = 0.15
"""Log ratio of clean to delivered that one unit of the chain represents, about its deviation."""

LIMIT = 6.0
"""Largest absolute value in the chain."""


@dataclass(frozen=True, kw_only=True)
class PictureConfig:
    """Configuration of the model.

    Attributes:
        widths, blocks, head, guide, step: See `hsi_xr.networks.r2h_diff.Size`.
        steps: Steps of the chain.
        beta_first: Noise variance added in the first step.
        beta_last: Noise variance added in the last step.
    """

    widths: tuple[int, ...] = (16, 32, 48)
    blocks: tuple[int, ...] = (2, 1, 1)
    head: int = 8
    guide: int = 12
    step: int = 32
    steps: int = 5
    beta_first: float = 0.1
    beta_last: float = 0.99


class PictureModel(Reconstructor):
    """Cleans linear RGB: the log ratio of clean to delivered is the end of a diffusion chain.

    An untrained network predicts zero and changes nothing. Beyond the steps of the chain it knows
    one more, at which it predicts the mean from the image alone, without noise.
    """

    def __init__(self, config: PictureConfig) -> None:
        super().__init__()
        self.config = config
        size = Size(
            widths=config.widths,
            blocks=config.blocks,
            head=config.head,
            guide=config.guide,
            step=config.step,
        )
        self.network = R2HDiff(3, size)
        self.keep = schedules.linear(config.steps, config.beta_first, config.beta_last)

    @property
    def stride(self) -> int:
        """Rows and columns must be multiples of this."""
        return 2 ** (len(self.config.widths) - 1)

    @property
    def mean_step(self) -> int:
        """The step at which the network predicts the mean."""
        return self.config.steps + 1

    def predict(self, x: Tensor, picture: Tensor, step: Tensor) -> Tensor:
        """Predicts the clean end of the chain from (batch, 3, rows, columns) and (batch,) steps."""
        output: Tensor = self.network(x, guide_image(picture), step)
        return output

    def mean(self, picture: Tensor) -> Tensor:
        """Returns the expected clean image, (batch, 3, rows, columns) linear RGB."""
        step = torch.full((len(picture),), self.mean_step)
        return decode(self.predict(torch.zeros_like(picture), picture, step), picture)

    def draw_once(self, picture: Tensor, noise: Noise) -> Tensor:
        """Draws a clean image in one pass from noise, as a generator that was trained to."""
        step = torch.full((len(picture),), self.config.steps)
        return decode(self.predict(noise(self.config.steps)[:, :3], picture, step), picture)

    def whole(self, scene: SceneWindows, noise: Noise) -> tuple[Tensor, SceneStatistics]:
        attention = PooledStatistics(scene.weights)
        return self._draw(scene.rgb, noise, attention), attention.collected

    def forward(
        self, rgb: Tensor, noise: Noise, statistics: SceneStatistics, *, stochastic: bool = True
    ) -> Tensor:
        return self._draw(rgb, noise, GivenStatistics(statistics))

    def _draw(self, picture: Tensor, noise: Noise, attention: StepStatistics) -> Tensor:
        """Draws clean images by the stochastic chain."""
        image = guide_image(picture)
        x = samplers.ancestral(
            guided_denoiser(
                self.network, image, attention=attention, guide=self.network.guide(image)
            ),
            lambda step: noise(step)[:, :3],
            self.keep,
            stochastic=True,
            limit=LIMIT,
        )
        return decode(x, picture)


def guide_image(picture: Tensor) -> Tensor:
    """Returns linear RGB on the scale that the network reads: logarithms, 0 at mid grey."""
    return ((picture + FLOOR) / (0.18 + FLOOR)).log()


def encode(clean: Tensor, picture: Tensor) -> Tensor:
    """Converts clean linear RGB to the chain; the inverse of `decode`."""
    return (((clean + FLOOR) / (picture + FLOOR)).log() / UNIT).clamp(-LIMIT, LIMIT)


def decode(x: Tensor, picture: Tensor) -> Tensor:
    """Converts the chain to clean linear RGB, not negative."""
    ratio = (UNIT * x.clamp(-LIMIT, LIMIT)).exp()
    return ((picture + FLOOR) * ratio - FLOOR).clamp(min=0)
