"""Guided posterior: Bayesian estimates from a mixture, optionally refined by R2H-Diff.

Source: the mixture after Murakami, Obi, Yamaguchi, Ohyama 2002 (Applied Optics 41(23), 4840-4847);
the refinement after Ding, Zhao, Sun, Liu 2026, R2H-Diff (arXiv:2605.05688). Their combination is
original to this package.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from hsi_xr.diffusion import samplers, schedules
from hsi_xr.networks.attention import GivenStatistics, PooledStatistics, StepStatistics
from hsi_xr.networks.gaussian_mixture import SpectralMixture
from hsi_xr.networks.mixture_quantiles import posterior_quantiles, spread_about_median
from hsi_xr.networks.projected_mixture import Posterior
from hsi_xr.networks.r2h_diff import R2HDiff
from hsi_xr.reconstructors._base import (
    Estimate,
    GroundNoise,
    Noise,
    Reconstructor,
    SceneStatistics,
    SceneWindows,
)
from hsi_xr.reconstructors._guided_denoiser import guided_denoiser
from hsi_xr.reconstructors._joint_draws import draw_mixture, draw_reflectance
from hsi_xr.reconstructors._photofinishing import Photofinishing, project_mixture
from hsi_xr.reconstructors.r2h_diff import FLOOR, SIZES, log_guide

LEAST_STD = 0.01
"""Smallest relative standard deviation to which one unit of the chain corresponds."""

SHARED = 0.9
"""Share of the variance given the colour that all pixels of a Gaussian share in a draw. Of 0,
0.6 and 0.9, it is the one that makes intervals of means of squares as reliable as those of pixels
on a site left out of the fit; see `examples/default_model/shared_table.py`. The widths found there,
0.7 to 1.8 times `uncertainty_scales` and 1 in the middle, do not call for a scale of their own."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that determines weights or samples; part of the card.

    Attributes:
        bands: Bands of the output.
        gaussians: Gaussians of the mixture.
        cameras: Responses that an unknown camera may have.
        shapes: Channels of the chain: directions in which the mixture's mean errs.
        size: Size of the network, see `r2h_diff`; "none" for a model without one.
        trained_steps: Steps that the network was trained on.
        steps: Steps that are run; 0 returns the mean of the mixture.
        beta_first: Noise variance added in the first step.
        beta_last: Noise variance added in the last step.
        limit: Largest absolute value in the chain.
        strengths: Share of the refinement that is applied if the radiometry is known and so is the
            camera; if the camera is unknown; and to images for display. 0 skips the network.
    """

    bands: int = 31
    gaussians: int = 128
    cameras: int = 48
    shapes: int = 12
    size: Literal["base", "thin", "none"] = "base"
    trained_steps: int = 5
    steps: int = 0
    beta_first: float = 0.1
    beta_last: float = 0.99
    limit: float = 4.0
    strengths: tuple[float, ...] = (0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        if self.size not in (*SIZES, "none"):
            raise ValueError(f"size must be 'base', 'thin' or 'none'; got {self.size!r}")
        if self.size == "none" and self.steps:
            raise ValueError(f"a model without a network runs in 0 steps; got {self.steps}")
        if len(self.strengths) != 3:
            raise ValueError(f"strengths must be three values; got {self.strengths}")
        if not 0 <= self.steps <= self.trained_steps:
            raise ValueError(f"steps must be 0 to {self.trained_steps}; got {self.steps}")


class GuidedPosterior(Reconstructor):
    """Estimates each pixel's spectrum and its uncertainty by a mixture, and may refine the mean.

    The refining chain diffuses the log ratio of the cube to the mixture's mean, in units of the
    mixture's standard deviation and along the directions in which the mean errs. An untrained
    network therefore leaves the mean unchanged. The network is guided by the mean in the colours
    of a reference camera, whatever camera took the image.

    Attributes:
        directions: (bands, shapes): one unit of each channel of the chain, in deviations.
        uncertainty_scales: (4, bands) factors on standard deviations, such that 1.645 of them on
            either side cover 90 %: camera known, camera unknown, image for display, sensor of more
            than three channels.
        shared: See `SHARED`.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.mixture = SpectralMixture(config.bands, config.gaussians)
        self.photofinishing = Photofinishing(config.bands, config.cameras)
        self.network = None
        if config.size != "none":
            self.network = R2HDiff(config.shapes, SIZES[config.size])
        self.directions = torch.nn.Parameter(
            torch.eye(config.bands, config.shapes), requires_grad=False
        )
        self.uncertainty_scales = torch.nn.Parameter(
            torch.ones(4, config.bands), requires_grad=False
        )
        self.shared = SHARED
        self.keep = schedules.linear(config.trained_steps, config.beta_first, config.beta_last)

    @property
    def stride(self) -> int:
        """Rows and columns must be multiples of this."""
        return 1 if self.config.size == "none" else SIZES[self.config.size].stride

    @property
    def trained_network(self) -> R2HDiff:
        """The network that refines the mean.

        Raises:
            ValueError: The model has none.
        """
        if self.network is None:
            raise ValueError("the model has no network; use one of size 'base' or 'thin'")
        return self.network

    def whole(self, scene: SceneWindows, noise: Noise) -> tuple[Tensor, SceneStatistics]:
        statistics = self.survey(scene)
        attention = PooledStatistics(scene.weights)
        cube = self._reconstruct(scene.rgb, noise, statistics, attention)
        return cube, {**statistics, **attention.collected}

    def survey(self, scene: SceneWindows) -> dict[str, Tensor]:
        """Returns the statistics of a scene, except those of attention, which need a pass."""
        histogram, response = scene.chromaticity, scene.response
        camera = None if response is None else response / response.sum(1, keepdim=True)
        colours = None if histogram is None else histogram[0]
        statistics = self.photofinishing(self.mixture, colours, camera, scene.level)
        kind = 2 if histogram is not None else 1 if camera is None else 0
        is_rgb = camera is None or len(camera) == 3
        return {
            **statistics,
            "uncertainty_scale": self.uncertainty_scales[kind if is_rgb else 3],
            "strength": scene.rgb.new_tensor([self.config.strengths[kind]]),
        }

    def forward(
        self, rgb: Tensor, noise: Noise, statistics: SceneStatistics, *, stochastic: bool = False
    ) -> Tensor:
        return self._reconstruct(rgb, noise, statistics, GivenStatistics(statistics))

    def estimate(
        self,
        rgb: Tensor,
        noise: Noise,
        statistics: SceneStatistics,
        *,
        probabilities: Sequence[float] = (),
        draws: Sequence[GroundNoise] = (),
    ) -> Estimate:
        """See `ProbabilisticReconstructor`."""
        posterior = self.posterior(rgb, statistics)
        cube = posterior.mean
        if self._refines(statistics):
            cube = self._refine(posterior, noise, statistics, GivenStatistics(statistics))
        ratio = (cube + FLOOR) / (posterior.mean + FLOOR)
        std = ratio * posterior.std * statistics["uncertainty_scale"][:, None, None]
        quantiles = drawn = None
        if probabilities:
            quantiles = ratio[:, None] * self._quantiles(posterior, rgb, statistics, probabilities)
        if draws:
            drawn = self._draws(posterior, rgb, statistics, draws).mul_(ratio[:, None])
        return Estimate(cube, std, posterior.novelty, quantiles, drawn)

    def posterior(self, rgb: Tensor, statistics: SceneStatistics) -> Posterior:
        """Returns the mixture's posterior of the pixels of a surveyed scene."""
        mixture = project_mixture(self.mixture, statistics)
        return mixture.posterior(_calibrate(rgb, statistics), statistics["level_std"])

    def _quantiles(
        self,
        posterior: Posterior,
        rgb: Tensor,
        statistics: SceneStatistics,
        probabilities: Sequence[float],
    ) -> Tensor:
        """Returns the quantiles of the mixture, as wide as the calibration requires."""
        found = posterior_quantiles(
            project_mixture(self.mixture, statistics),
            posterior,
            _calibrate(rgb, statistics),
            statistics["level_std"],
            rgb.new_tensor([*probabilities, 0.5]),
        )
        scale = statistics["uncertainty_scale"][:, None, None]
        scaled = spread_about_median(found[:, :-1], found[:, -1:], scale)
        return scaled.cummax(1).values  # within its error, the search may return them out of order

    def _draws(
        self,
        posterior: Posterior,
        rgb: Tensor,
        statistics: SceneStatistics,
        draws: Sequence[GroundNoise],
    ) -> Tensor:
        """Returns joint draws from the mixture, as wide as the calibration requires."""
        calibrated = _calibrate(rgb, statistics)
        scale = statistics["uncertainty_scale"][:, None, None] * posterior.widening
        drawn = rgb.new_empty((len(rgb), len(draws), *posterior.mean.shape[1:]))
        for at, noise in enumerate(draws):
            mixture = draw_mixture(self.mixture, self.photofinishing.observer, statistics, noise)
            draw = draw_reflectance(
                mixture, calibrated, statistics["level_std"], noise, shared=self.shared
            )
            drawn[:, at] = spread_about_median(draw, posterior.mean, scale)
        return drawn

    def _reconstruct(
        self, rgb: Tensor, noise: Noise, statistics: SceneStatistics, attention: StepStatistics
    ) -> Tensor:
        if self._refines(statistics):
            return self._refine(self.posterior(rgb, statistics), noise, statistics, attention)
        mixture = project_mixture(self.mixture, statistics)
        return mixture.posterior_mean(_calibrate(rgb, statistics), statistics["level_std"])

    def _refines(self, statistics: SceneStatistics) -> bool:
        return self.config.steps > 0 and bool(statistics["strength"] > 0)

    def _refine(
        self,
        posterior: Posterior,
        noise: Noise,
        statistics: SceneStatistics,
        attention: StepStatistics,
    ) -> Tensor:
        image, limit = self.guide_image(posterior.mean), self.config.limit
        network = self.trained_network
        guide = network.guide(image)
        x = samplers.ddim(
            guided_denoiser(network, image, attention=attention, guide=guide),
            lambda step: noise(step)[:, : self.config.shapes],
            self.keep,
            steps=self.config.steps,
            limit=limit,
        )
        return self.decode(statistics["strength"] * x.clamp(-limit, limit), posterior)

    def guide_image(self, cube: Tensor) -> Tensor:
        """Returns a cube in the colours of the reference camera, as the network reads them."""
        return log_guide(torch.einsum("cb,nbhw->nchw", self.photofinishing.cameras.mean(0), cube))

    def encode(self, cube: Tensor, posterior: Posterior) -> Tensor:
        """Converts reflectance to the chain; the inverse of `decode` along the directions."""
        inverse = torch.linalg.pinv(self.directions)
        x = F.conv2d(self.standardise(cube, posterior), inverse[..., None, None])
        return x.clamp(-self.config.limit, self.config.limit)

    def decode(self, x: Tensor, posterior: Posterior) -> Tensor:
        """Converts the chain to reflectance, (batch, bands, rows, columns)."""
        return (posterior.mean + FLOOR) * self.log_ratio(x, posterior).exp() - FLOOR

    def standardise(self, cube: Tensor, posterior: Posterior) -> Tensor:
        """Returns the log ratio of a cube to the mean, in standard deviations."""
        return ((cube + FLOOR) / (posterior.mean + FLOOR)).log() / _relative_std(posterior)

    def log_ratio(self, x: Tensor, posterior: Posterior) -> Tensor:
        """Converts the chain to the log ratio of a cube to the mean."""
        return F.conv2d(x, self.directions[..., None, None]) * _relative_std(posterior)


def _relative_std(posterior: Posterior) -> Tensor:
    return (posterior.std / (posterior.mean + FLOOR)).clamp(LEAST_STD, 0.5)


def _calibrate(rgb: Tensor, statistics: SceneStatistics) -> Tensor:
    """Returns RGB without haze and on the scale of reflectance, as far as they are known."""
    clear = (rgb - statistics["haze"][..., None, None]).clamp(min=0)
    return clear / statistics["gain"][..., None, None]


def build(config: Mapping[str, Any]) -> Reconstructor:
    """Builds the system from the `config` of a card."""
    return GuidedPosterior(Config(**config))
