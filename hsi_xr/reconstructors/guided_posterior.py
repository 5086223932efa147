"""What spectra have the colours of a scene, by Bayes' rule; and R2H-Diff for what pixels lack."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from hsi_xr.diffusion import samplers, schedules
from hsi_xr.networks.attention import GivenStatistics, PooledStatistics, StepStatistics
from hsi_xr.networks.gaussian_mixture import Belief, SpectralMixture
from hsi_xr.networks.r2h_diff import R2HDiff
from hsi_xr.reconstructors._base import (
    Estimate,
    Noise,
    Reconstructor,
    SceneStatistics,
    SceneWindows,
)
from hsi_xr.reconstructors._guided_denoiser import guided_denoiser
from hsi_xr.reconstructors._photofinishing import Photofinishing, seen
from hsi_xr.reconstructors.r2h_diff import SIZES

FLOOR = 0.005
"""Reflectance added before logarithms: below it spectra are noise."""

TIGHTEST = 0.01
"""Least relative deviation that a unit of the chain stands for."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """All that shapes weights or samples; in the card."""

    bands: int = 31
    gaussians: int = 128
    cameras: int = 48
    shapes: int = 12
    """Channels of the chain: how errors of the mixture differ from it, told apart."""
    size: Literal["base", "thin"] = "base"
    """Of the network; see `r2h_diff`."""
    trained_steps: int = 5
    steps: int = 0
    """How many of those trained are run; 0 leaves the mixture's answer as it is."""
    beta_first: float = 0.1
    beta_last: float = 0.99
    limit: float = 4.0
    """Largest value in the chain."""
    strengths: tuple[float, ...] = (0.0, 0.0, 1.0)
    """Share of the refinement that is applied to reflectance seen by a known camera, by an unknown
    one, and to pictures. 0 leaves out the network, too."""

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise ValueError(f"size must be 'base' or 'thin'; got {self.size!r}")
        if len(self.strengths) != 3:
            raise ValueError(f"strengths are three; got {self.strengths}")
        if not 0 <= self.steps <= self.trained_steps:
            raise ValueError(f"steps must be 0 to {self.trained_steps}; got {self.steps}")


class GuidedPosterior(Reconstructor):
    """A mixture of Gaussians tells each pixel's spectrum and doubt; a guided chain refines it.

    The chain diffuses the logarithm of cube over the mixture's mean, in units of the mixture's own
    deviation and along the directions in which it errs: an untrained network leaves the mixture's
    answer as it is. The network is shown what the reference camera would see of that answer,
    whatever camera took the picture.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.mixture = SpectralMixture(config.bands, config.gaussians)
        self.development = Photofinishing(config.bands, config.cameras)
        self.network = R2HDiff(config.shapes, SIZES[config.size])
        self.directions = torch.nn.Parameter(
            torch.eye(config.bands, config.shapes), requires_grad=False
        )
        """(bands, shapes): one unit of each channel, in deviations."""
        self.tempers = torch.nn.Parameter(torch.ones(3, config.bands), requires_grad=False)
        """What deviations are multiplied by: of a known camera, an unknown one, a picture."""
        self.keep = schedules.linear(config.trained_steps, config.beta_first, config.beta_last)

    @property
    def stride(self) -> int:
        """Rows and columns must be multiples of this."""
        return SIZES[self.config.size].stride

    def whole(self, scene: SceneWindows, noise: Noise) -> tuple[Tensor, SceneStatistics]:
        statistics = self.survey(scene)
        attention = PooledStatistics(scene.weights)
        cube = self._answer(scene.rgb, noise, statistics, attention)
        return cube, {**statistics, **attention.collected}

    def survey(self, scene: SceneWindows) -> dict[str, Tensor]:
        """How the scene's picture was made; the facts of attention follow from a pass."""
        palette, response = scene.chromaticity, scene.response
        camera = None if response is None else response / response.sum(1, keepdim=True)
        statistics = self.development(self.mixture, None if palette is None else palette[0], camera)
        kind = 2 if palette is not None else 1 if camera is None else 0
        strength = scene.rgb.new_tensor([self.config.strengths[kind]])
        return {**statistics, "temper": self.tempers[kind], "strength": strength}

    def forward(
        self, rgb: Tensor, noise: Noise, statistics: SceneStatistics, *, stochastic: bool = False
    ) -> Tensor:
        return self._answer(rgb, noise, statistics, GivenStatistics(statistics))

    def _answer(
        self,
        rgb: Tensor,
        noise: Noise,
        statistics: SceneStatistics,
        attention: StepStatistics,
    ) -> Tensor:
        if not self._refines(statistics):
            return seen(self.mixture, statistics).expect(*_calibrated(rgb, statistics))
        return self._refined(self.believe(rgb, statistics), noise, statistics, attention)

    def _refines(self, statistics: SceneStatistics) -> bool:
        return self.config.steps > 0 and bool(statistics["strength"] > 0)

    def estimate(self, rgb: Tensor, noise: Noise, statistics: SceneStatistics) -> Estimate:
        """See `ProbabilisticReconstructor`."""
        belief = self.believe(rgb, statistics)
        cube = belief.mean
        if self._refines(statistics):
            cube = self._refined(belief, noise, statistics, GivenStatistics(statistics))
        own = belief.deviation / (belief.mean + FLOOR) * statistics["temper"][:, None, None]
        return Estimate(
            cube,
            (cube + FLOOR) * (own.square() + statistics["level_doubt"] ** 2).sqrt(),
            belief.novelty,
        )

    def believe(self, rgb: Tensor, statistics: SceneStatistics) -> Belief:
        """What the mixture says of the pixels of a surveyed scene."""
        return seen(self.mixture, statistics).believe(*_calibrated(rgb, statistics))

    def _refined(
        self,
        belief: Belief,
        noise: Noise,
        statistics: SceneStatistics,
        attention: StepStatistics,
    ) -> Tensor:
        shown = self.guide_of(belief.mean)
        denoise = guided_denoiser(
            self.network, shown, attention=attention, guide=self.network.guide(shown)
        )
        x = samplers.ddim(
            denoise,
            lambda t: noise(t)[:, : self.config.shapes],
            self.keep,
            steps=self.config.steps,
            limit=self.config.limit,
        )
        return self.decode(
            statistics["strength"] * x.clamp(-self.config.limit, self.config.limit), belief
        )

    def guide_of(self, cube: Tensor) -> Tensor:
        """What the reference camera sees of a cube, on a logarithmic scale about [-1, 1]."""
        rgb = torch.einsum("cb,nbhw->nchw", self.development.cameras.mean(0), cube)
        return (rgb.clamp(min=0) + 0.01).log() / 2 + 1.25

    def encode(self, cube: Tensor, belief: Belief) -> Tensor:
        """Reflectance -> chain; see `decode`."""
        inverse = torch.linalg.pinv(self.directions)
        x = F.conv2d(self.in_units(cube, belief), inverse[..., None, None])
        return x.clamp(-self.config.limit, self.config.limit)

    def decode(self, x: Tensor, belief: Belief) -> Tensor:
        """Chain -> reflectance, (batch, bands, rows, columns)."""
        return (belief.mean + FLOOR) * self.as_logarithms(x, belief).exp() - FLOOR

    def in_units(self, cube: Tensor, belief: Belief) -> Tensor:
        """The logarithm of cube over mean, in deviations."""
        return ((cube + FLOOR) / (belief.mean + FLOOR)).log() / self._unit(belief)

    def as_logarithms(self, x: Tensor, belief: Belief) -> Tensor:
        """Chain -> the logarithm of cube over mean."""
        return F.conv2d(x, self.directions[..., None, None]) * self._unit(belief)

    @staticmethod
    def _unit(belief: Belief) -> Tensor:
        return (belief.deviation / (belief.mean + FLOOR)).clamp(TIGHTEST, 0.5)


def _calibrated(rgb: Tensor, statistics: SceneStatistics) -> tuple[Tensor, Tensor]:
    """On the scale of reflectance as far as that is known, and how unsure that is."""
    return rgb / statistics["gain"][..., None, None], statistics["level_doubt"]


def build(config: Mapping[str, Any]) -> Reconstructor:
    """The system of a card's `config`."""
    return GuidedPosterior(Config(**config))
