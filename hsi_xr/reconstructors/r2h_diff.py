"""R2H-Diff as a whole system: scene gain, classical base, guided five-step refinement."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsi_xr.diffusion import samplers, schedules
from hsi_xr.networks.attention import GivenStatistics, PooledStatistics, Statistics
from hsi_xr.networks.r2h_diff import STRIDE, R2HDiff, Size
from hsi_xr.reconstructors.scene_gain import SceneGain
from hsi_xr.regression import TERMS, root_polynomial

FLOOR = 0.005
"""Reflectance added before logarithms: below it spectra are noise."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """All that shapes weights or samples; stored in the card."""

    bands: int = 31
    steps: int = 5
    beta_first: float = 0.1
    beta_last: float = 0.99
    spread: float = 0.5
    """Log-ratio to the base that one unit of the chain stands for."""
    limit: float = 2.0
    """Largest chain value: a spectrum differs from its base by at most exp(limit * spread)."""


class R2HDiffReconstructor(nn.Module):
    """Refines root-polynomial regression by guided diffusion of its relative error.

    The published system diffuses the cube itself. Ours diffuses the logarithm of cube over base,
    so that an untrained correction leaves the classical answer as it is, and errors count
    relative to the spectrum, as the field's ranking metric does.
    """

    stride = STRIDE

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.network = R2HDiff(config.bands, Size())
        self.gain = SceneGain()
        self.base = nn.Parameter(torch.zeros(config.bands, TERMS), requires_grad=False)
        keep = schedules.linear(config.steps, config.beta_first, config.beta_last)
        self.register_buffer("keep", keep.float(), persistent=False)

    def encode(self, cube: Tensor, base: Tensor) -> Tensor:
        """Reflectance -> chain; see `decode`."""
        ratio = ((cube + FLOOR) / (base + FLOOR)).log() / self.config.spread
        return ratio.clamp(-self.config.limit, self.config.limit)

    def decode(self, x: Tensor, base: Tensor) -> Tensor:
        """Chain -> reflectance, (batch, bands, rows, columns)."""
        return (base + FLOOR) * (x * self.config.spread).exp() - FLOOR

    def classical(self, rgb: Tensor) -> Tensor:
        """Root-polynomial regression of calibrated linear RGB."""
        return F.conv2d(root_polynomial(rgb), self.base[:, :, None, None]).clamp(min=0)

    @staticmethod
    def guide_of(rgb: Tensor) -> Tensor:
        """Linear RGB on a logarithmic scale, about [-1, 1]: a gain error is a shift."""
        return (rgb.clamp(min=0) + 0.01).log() / 2 + 1.25
