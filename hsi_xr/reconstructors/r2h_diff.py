"""R2H-Diff as a whole system: scene gain, classical base, guided five-step refinement."""

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
"""Reflectance added before logarithms: below it spectra are noise."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """All that shapes weights or samples; in the card."""

    bands: int = 31
    size: Literal["base", "thin"] = "base"
    """Of the network, by the two readings of its published cost; a card's `stride` is 4 for `base`
    and 8 for `thin`."""
    steps: int = 5
    beta_first: float = 0.1
    beta_last: float = 0.99
    spread: float = 0.5
    """Log-ratio to the base that one unit of the chain stands for."""
    limit: float = 2.0
    """Largest chain value: a spectrum differs from its base by at most exp(limit * spread)."""
    shapes: int = 10
    """Cosines over the bands, the constant left out, that a refinement is made of: reflectance in
    the visible has no finer features than these, and what is finer is noise."""
    strength: float = 0.6
    """Share of the refinement that is applied: on ground unlike the training's it errs, and less
    of it is better there and no worse elsewhere."""

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise ValueError(f"size must be 'base' or 'thin'; got {self.size!r}")


class R2HDiffReconstructor(Reconstructor):
    """Refines root-polynomial regression by guided diffusion of its relative error.

    The published system diffuses the cube itself. Ours diffuses the logarithm of cube over base,
    as far as it is a smooth shape: an untrained correction leaves the classical answer as it is,
    errors count relative to the spectrum, as in the field's ranking metric, and brightness stays
    what the scene's gain and the exposure-invariant base make it.
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
        cube = self._chain(self.seen(scene.rgb, statistics), noise, attention)
        return cube, {**statistics, **attention.collected}

    def survey(self, scene: SceneWindows) -> dict[str, Tensor]:
        """The scene's gain; the facts of attention follow from a pass. See `whole`."""
        return {"gain": self.gain.of(scene)}

    def forward(
        self, rgb: Tensor, noise: Noise, statistics: SceneStatistics, *, stochastic: bool = False
    ) -> Tensor:
        attention = GivenStatistics(statistics)
        return self._chain(self.seen(rgb, statistics), noise, attention, stochastic=stochastic)

    def _chain(
        self, rgb: Tensor, noise: Noise, attention: StepStatistics, *, stochastic: bool = False
    ) -> Tensor:
        base, seen = self.classical(rgb), self.guide_of(rgb)
        denoise = guided_denoiser(
            self.network, seen, attention=attention, guide=self.network.guide(seen)
        )
        limit = self.config.limit
        x = samplers.ancestral(denoise, noise, self.keep, stochastic=stochastic, limit=limit)
        return self.decode(self.config.strength * x, base)

    def denoising_target(
        self, rgb: Tensor, cube: Tensor, statistics: SceneStatistics
    ) -> DenoisingTarget:
        """See `Diffusing`. The whole refinement is learned, whatever share of it is applied."""
        calibrated = self.seen(rgb, statistics)
        base, seen = self.classical(calibrated), self.guide_of(calibrated)
        return DenoisingTarget(
            self.encode(cube.clamp(min=0), base),
            lambda x, step: self.network(x, seen, step),
            lambda x: self.decode(x, base),
        )

    def seen(self, rgb: Tensor, statistics: SceneStatistics) -> Tensor:
        """Calibrated RGB: over the scene's gain. See `Fitted`."""
        return rgb / statistics["gain"][..., None, None]

    def fit(self, rgb: Tensor, spectra: Tensor) -> None:
        """Fits the base. See `Fitted`."""
        self.base.data = fit(rgb, spectra)

    def encode(self, cube: Tensor, base: Tensor) -> Tensor:
        """Reflectance -> chain; see `decode`."""
        ratio = ((cube + FLOOR) / (base + FLOOR)).log() / self.config.spread
        return self._shape(ratio).clamp(-self.config.limit, self.config.limit)

    def decode(self, x: Tensor, base: Tensor) -> Tensor:
        """Chain -> reflectance, (batch, bands, rows, columns)."""
        return (base + FLOOR) * (self._shape(x) * self.config.spread).exp() - FLOOR

    def _shape(self, ratio: Tensor) -> Tensor:
        """Projects onto the smooth shapes, which brightness is none of."""
        return F.conv2d(ratio, self.smooth.to(ratio)[..., None, None])

    def classical(self, rgb: Tensor) -> Tensor:
        """Root-polynomial regression of calibrated linear RGB."""
        return predict(rgb, self.base)

    @staticmethod
    def guide_of(rgb: Tensor) -> Tensor:
        """Linear RGB on a logarithmic scale, about [-1, 1]: a gain error is a shift."""
        return (rgb.clamp(min=0) + 0.01).log() / 2 + 1.25


def smooth_shapes(bands: int, count: int) -> Tensor:
    """Projector (bands, bands) onto the first `count` cosines over the bands, less the constant."""
    order, place = torch.arange(1, count + 1)[:, None], torch.arange(bands) + 0.5
    cosines = (math.pi * order * place / bands).cos() * (2 / bands) ** 0.5
    return cosines.T @ cosines


def build(config: Mapping[str, Any]) -> Reconstructor:
    """The system of a card's `config`."""
    return R2HDiffReconstructor(Config(**config))
