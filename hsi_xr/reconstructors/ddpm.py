"""Plain conditional diffusion as a whole system: a cube from pure noise, guided by the RGB."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from hsi_xr.diffusion import samplers, schedules
from hsi_xr.networks.ddpm import ConditionalUNet, Norm
from hsi_xr.reconstructors._base import (
    DenoisingTarget,
    Noise,
    Reconstructor,
    SceneStatistics,
    SceneWindows,
)
from hsi_xr.reconstructors._feedforward import DisplayReferred, InputAdapter
from hsi_xr.reconstructors._guided_denoiser import guided_denoiser

LIMIT = 1.0
"""Largest number of the chain: reflectance in [0, 1] is diffused as 2 x - 1."""


@dataclass(frozen=True, kw_only=True)
class Config(DisplayReferred):
    """All that shapes weights or samples; in the card."""

    bands: int = 31
    width: int = 64
    """Channels at full resolution; doubled at the half and at the quarter."""
    norm: Norm = "batch"
    """`group` takes statistics of each tile, which then see no more than attention does."""
    trained_steps: int = 1000
    beta_first: float = 1e-4
    beta_last: float = 0.02
    sampler: Literal["ddim", "ancestral"] = "ddim"
    steps: int = 50
    """Of the trained steps, those that a chain visits; `ancestral` visits all."""
    eta: float = 0.0
    """Fresh noise of `ddim` when asked for a stochastic chain. With 0, samples differ by their
    start alone, which suffices: unlike a chain of means, such a chain loses no spread."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sampler not in ("ddim", "ancestral"):
            raise ValueError(f"sampler must be 'ddim' or 'ancestral'; got {self.sampler!r}")
        if self.sampler == "ancestral" and self.steps != self.trained_steps:
            raise ValueError(
                f"the ancestral chain visits all {self.trained_steps} steps; got steps={self.steps}"
            )
        schedules.spaced(self.steps, self.trained_steps)  # refuses what cannot be visited


class DDPMReconstructor(Reconstructor):
    """Guided by the RGB image, turns noise on the ground into a cube.

    Attention sees the pixels of a tile and no others, so that a pixel's answer depends a little on
    its tile: no halo makes tiles exact, and they are to be blended.
    """

    predicts: Literal["epsilon", "x0"] = "epsilon"

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        widths = (config.width, 2 * config.width, 4 * config.width)
        self.network = ConditionalUNet(config.bands, widths=widths, norm=config.norm)
        self.front = InputAdapter(config)
        self.keep = schedules.linear(config.trained_steps, config.beta_first, config.beta_last)

    def whole(self, scene: SceneWindows, noise: Noise) -> tuple[Tensor, SceneStatistics]:
        statistics = self.front.survey(scene)
        return self(scene.rgb, noise, statistics, stochastic=False), statistics

    def forward(
        self, rgb: Tensor, noise: Noise, statistics: SceneStatistics, *, stochastic: bool = False
    ) -> Tensor:
        denoise = samplers.from_noise_prediction(
            guided_denoiser(self.network, self.front(rgb, statistics)), self.keep
        )
        if self.config.sampler == "ancestral":
            x = samplers.ancestral(denoise, noise, self.keep, stochastic=stochastic, limit=LIMIT)
        else:
            eta = self.config.eta if stochastic else 0.0
            steps = self.config.steps
            x = samplers.ddim(denoise, noise, self.keep, steps=steps, limit=LIMIT, eta=eta)
        return self.decode(x)

    @staticmethod
    def decode(x: Tensor) -> Tensor:
        """Chain -> reflectance."""
        return (x + 1) / 2

    def denoising_target(
        self, rgb: Tensor, cube: Tensor, statistics: SceneStatistics
    ) -> DenoisingTarget:
        """See `Diffusing`."""
        seen = self.front(rgb, statistics)
        return DenoisingTarget(
            2 * cube - 1, lambda x, step: self.network(x, seen, step), self.decode
        )


def build(config: Mapping[str, Any]) -> Reconstructor:
    """The system of a card's `config`."""
    return DDPMReconstructor(Config(**config))
