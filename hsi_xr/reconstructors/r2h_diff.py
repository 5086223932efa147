"""R2H-Diff: root-polynomial regression, refined by a guided diffusion chain of five steps.

Source: Ding, Zhao, Sun, Liu 2026, "R2H-Diff: Guided Spectral Diffusion Model for RGB-to-
Hyperspectral Reconstruction" (arXiv:2605.05688); the regression after Finlayson, Mackiewicz,
Hurlbert 2015 (IEEE TIP 24(5), 1460-1470).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from hsi_xr.diffusion import samplers, schedules
from hsi_xr.networks.attention import GivenStatistics, PooledStatistics, StepStatistics
from hsi_xr.networks.r2h_diff import THIN, R2HDiff, Size
from hsi_xr.networks.root_polynomial import TERMS, fit, predict
from hsi_xr.reconstructors._base import (
    DenoisingTarget,
    Noise,
    Reconstructor,
    SceneStatistics,
    SceneWindows,
)
from hsi_xr.reconstructors._guided_denoiser import guided_denoiser
from hsi_xr.reconstructors._scene_gain import SceneGain

SIZES = {"base": Size(), "thin": THIN}

FLOOR = 0.005
"""Reflectance that is added before logarithms; spectra below it are noise."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that determines weights or samples; part of the card.

    Attributes:
        bands: Bands of the output.
        size: Size of the network, by the two readings of its published cost. The `stride` in a
            card is 4 for `base` and 8 for `thin`.
        steps: Steps of the chain.
        beta_first: Noise variance added in the first step.
        beta_last: Noise variance added in the last step.
        spread: Log ratio to the base that one unit of the chain represents.
        limit: Largest absolute value in the chain: a spectrum differs from its base by a factor of
            at most exp(limit * spread).
        shapes: Cosines over the bands, without the constant, that a refinement consists of.
            Reflectance in the visible has no finer features; finer ones are noise.
        strength: Share of the refinement that is applied. On ground unlike that of the training
            data the refinement errs; less of it is better there and no worse elsewhere.
    """

    bands: int = 31
    size: Literal["base", "thin"] = "base"
    steps: int = 5
    beta_first: float = 0.1
    beta_last: float = 0.99
    spread: float = 0.5
    limit: float = 2.0
    shapes: int = 10
    strength: float = 0.6

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise ValueError(f"size must be 'base' or 'thin'; got {self.size!r}")


class R2HDiffReconstructor(Reconstructor):
    """Refines root-polynomial regression by guided diffusion of its relative error.

    The published system diffuses the cube itself. This one diffuses the log ratio of the cube to
    the regression, as far as it is a smooth shape. An untrained network therefore leaves the
    regression unchanged, errors count relative to the spectrum as in the field's ranking metric,
    and brightness follows from the gain of the scene and the exposure-invariant regression.

    Attributes:
        base: (bands, 13) coefficients of the regression.
        smooth: (bands, bands) projector onto smooth shapes.
    """

    predicts: Literal["epsilon", "x0"] = "x0"

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.network = R2HDiff(config.bands, SIZES[config.size])
        self.gain = SceneGain()
        self.base = torch.nn.Parameter(torch.zeros(config.bands, TERMS), requires_grad=False)
        self.smooth = smooth_shapes(config.bands, config.shapes)
        self.keep = schedules.linear(config.steps, config.beta_first, config.beta_last)

    @property
    def stride(self) -> int:
        """Rows and columns must be multiples of this."""
        return SIZES[self.config.size].stride

    def whole(self, scene: SceneWindows, noise: Noise) -> tuple[Tensor, SceneStatistics]:
        statistics = self.survey(scene)
        attention = PooledStatistics(scene.weights)
        cube = self._reconstruct(self.calibrate(scene.rgb, statistics), noise, attention)
        return cube, {**statistics, **attention.collected}

    def survey(self, scene: SceneWindows) -> dict[str, Tensor]:
        """Returns the statistics of a scene, except those of attention, which need a pass."""
        return {"gain": self.gain.estimate(scene)}

    def forward(
        self, rgb: Tensor, noise: Noise, statistics: SceneStatistics, *, stochastic: bool = False
    ) -> Tensor:
        calibrated, attention = self.calibrate(rgb, statistics), GivenStatistics(statistics)
        return self._reconstruct(calibrated, noise, attention, stochastic=stochastic)

    def _reconstruct(
        self, rgb: Tensor, noise: Noise, attention: StepStatistics, *, stochastic: bool = False
    ) -> Tensor:
        """Runs the chain for calibrated RGB."""
        image = log_guide(rgb)
        guide = self.network.guide(image)
        x = samplers.ancestral(
            guided_denoiser(self.network, image, attention=attention, guide=guide),
            noise,
            self.keep,
            stochastic=stochastic,
            limit=self.config.limit,
        )
        return self.decode(self.config.strength * x, self.regress(rgb))

    def denoising_target(
        self, rgb: Tensor, cube: Tensor, statistics: SceneStatistics
    ) -> DenoisingTarget:
        """See `DiffusionReconstructor`. Training uses the refinement at full strength."""
        calibrated = self.calibrate(rgb, statistics)
        base, image = self.regress(calibrated), log_guide(calibrated)
        return DenoisingTarget(
            self.encode(cube.clamp(min=0), base),
            lambda x, step: self.network(x, image, step),
            lambda x: self.decode(x, base),
        )

    def calibrate(self, rgb: Tensor, statistics: SceneStatistics) -> Tensor:
        """Returns RGB over the gain of the scene. See `FittedReconstructor`."""
        return rgb / statistics["gain"][..., None, None]

    def fit(self, rgb: Tensor, spectra: Tensor) -> None:
        """Fits the regression. See `FittedReconstructor`."""
        self.base.data = fit(rgb, spectra)

    def regress(self, rgb: Tensor) -> Tensor:
        """Returns the regression of calibrated linear RGB, (batch, bands, rows, columns)."""
        return predict(rgb, self.base)

    def encode(self, cube: Tensor, base: Tensor) -> Tensor:
        """Converts reflectance to the chain; the inverse of `decode` for smooth shapes."""
        ratio = ((cube + FLOOR) / (base + FLOOR)).log() / self.config.spread
        return self._shape(ratio).clamp(-self.config.limit, self.config.limit)

    def decode(self, x: Tensor, base: Tensor) -> Tensor:
        """Converts the chain to reflectance, (batch, bands, rows, columns)."""
        return (base + FLOOR) * (self._shape(x) * self.config.spread).exp() - FLOOR

    def _shape(self, ratio: Tensor) -> Tensor:
        """Projects onto the smooth shapes, which exclude a change of brightness."""
        return F.conv2d(ratio, self.smooth.to(ratio)[..., None, None])


def log_guide(rgb: Tensor) -> Tensor:
    """Returns linear RGB on a logarithmic scale, about [-1, 1], where a gain is a shift."""
    return (rgb.clamp(min=0) + 0.01).log() / 2 + 1.25


def smooth_shapes(bands: int, count: int) -> Tensor:
    """Returns the projector onto the first cosines over the bands, without the constant.

    Args:
        bands: Number of bands.
        count: Number of cosines.

    Returns:
        (bands, bands).
    """
    order, position = torch.arange(1, count + 1)[:, None], torch.arange(bands) + 0.5
    cosines = (math.pi * order * position / bands).cos() * (2 / bands) ** 0.5
    return cosines.T @ cosines


def build(config: Mapping[str, Any]) -> Reconstructor:
    """Builds the system from the `config` of a card."""
    return R2HDiffReconstructor(Config(**config))
