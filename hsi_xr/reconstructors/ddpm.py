"""Conditional DDPM: a cube from pure noise, guided by the RGB image.

Source: Ho, Jain, Abbeel 2020, "Denoising Diffusion Probabilistic Models" (arXiv:2006.11239),
conditioned on RGB as by Luo, "Generative Models for Spectral Reconstruction from RGB Images"; the
sampler after Song, Meng, Ermon 2021 (arXiv:2010.02502).
"""

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
"""Largest absolute value of the chain: reflectance in [0, 1] is diffused as 2 x - 1."""


@dataclass(frozen=True, kw_only=True)
class Config(DisplayReferred):
    """Everything that determines weights or samples; part of the card.

    Attributes:
        bands: Bands of the output.
        width: Channels at full resolution; doubled at half and again at quarter resolution.
        norm: `group` normalises with the statistics of each tile; see `networks.ddpm.Norm`.
        trained_steps: Steps that the network was trained on.
        beta_first: Noise variance added in the first step.
        beta_last: Noise variance added in the last step.
        sampler: `ddim`, or `ancestral`, which visits every trained step.
        steps: Number of the trained steps that are visited.
        eta: Fresh noise of `ddim` in a stochastic chain. With 0, samples differ by their start
            alone, which suffices: unlike a chain of means, such a chain keeps the spread.
    """

    bands: int = 31
    width: int = 64
    norm: Norm = "batch"
    trained_steps: int = 1000
    beta_first: float = 1e-4
    beta_last: float = 0.02
    sampler: Literal["ddim", "ancestral"] = "ddim"
    steps: int = 50
    eta: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sampler not in ("ddim", "ancestral"):
            raise ValueError(f"sampler must be 'ddim' or 'ancestral'; got {self.sampler!r}")
        if self.sampler == "ancestral" and self.steps != self.trained_steps:
            raise ValueError(
                f"the ancestral chain visits all {self.trained_steps} steps; got steps={self.steps}"
            )
        schedules.spaced(self.steps, self.trained_steps)  # raises if they cannot be visited


class DDPMReconstructor(Reconstructor):
    """Turns noise into a cube, guided by the RGB image.

    Spatial attention reads the pixels of a tile, so the output depends slightly on the tile. No
    halo makes tiles exact; they are blended.
    """

    predicts: Literal["epsilon", "x0"] = "epsilon"

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        widths = (config.width, 2 * config.width, 4 * config.width)
        self.network = ConditionalUNet(config.bands, widths=widths, norm=config.norm)
        self.adapter = InputAdapter(config)
        self.keep = schedules.linear(config.trained_steps, config.beta_first, config.beta_last)

    def whole(self, scene: SceneWindows, noise: Noise) -> tuple[Tensor, SceneStatistics]:
        statistics = self.adapter.survey(scene)
        return self(scene.rgb, noise, statistics, stochastic=False), statistics

    def forward(
        self, rgb: Tensor, noise: Noise, statistics: SceneStatistics, *, stochastic: bool = False
    ) -> Tensor:
        predict = guided_denoiser(self.network, self.adapter(rgb, statistics))
        denoise = samplers.from_noise_prediction(predict, self.keep)
        if self.config.sampler == "ancestral":
            x = samplers.ancestral(denoise, noise, self.keep, stochastic=stochastic, limit=LIMIT)
        else:
            eta = self.config.eta if stochastic else 0.0
            steps = self.config.steps
            x = samplers.ddim(denoise, noise, self.keep, steps=steps, limit=LIMIT, eta=eta)
        return self.decode(x)

    @staticmethod
    def decode(x: Tensor) -> Tensor:
        """Converts the chain to reflectance."""
        return (x + 1) / 2

    def denoising_target(
        self, rgb: Tensor, cube: Tensor, statistics: SceneStatistics
    ) -> DenoisingTarget:
        """See `DiffusionReconstructor`."""
        image = self.adapter(rgb, statistics)
        return DenoisingTarget(
            2 * cube - 1, lambda x, step: self.network(x, image, step), self.decode
        )


def build(config: Mapping[str, Any]) -> Reconstructor:
    """Builds the system from the `config` of a card."""
    return DDPMReconstructor(Config(**config))
