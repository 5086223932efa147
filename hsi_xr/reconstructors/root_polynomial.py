"""Root-polynomial regression: thirteen coefficients a band; a baseline for the other systems.

Source: Finlayson, Mackiewicz, Hurlbert 2015, "Color Correction Using Root-Polynomial Regression",
IEEE Transactions on Image Processing 24(5), 1460-1470.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hsi_xr.networks import root_polynomial
from hsi_xr.networks.attention import AttentionStatistics
from hsi_xr.reconstructors._base import Reconstructor, SceneStatistics
from hsi_xr.reconstructors._feedforward import FeedForwardReconstructor, InputEncoding


@dataclass(frozen=True, kw_only=True)
class Config(InputEncoding):
    """Everything that determines the weights; part of the card. By default, linear RGB over gain.

    Attributes:
        bands: Bands of the output.
    """

    bands: int = 31


class Regression(nn.Module):
    """Regresses a pixel's spectrum on its colour; negative values are clipped to 0.

    Attributes:
        coefficients: (bands, 13); see `hsi_xr.networks.root_polynomial`.
    """

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.coefficients = nn.Parameter(
            torch.zeros(bands, root_polynomial.TERMS), requires_grad=False
        )

    def forward(self, rgb: Tensor, *, attention: AttentionStatistics | None = None) -> Tensor:
        """Returns (batch, bands, rows, columns) for (batch, 3, rows, columns) linear RGB."""
        return root_polynomial.predict(rgb, self.coefficients)


class RootPolynomial(FeedForwardReconstructor):
    """The regression as a reconstructor, which is fitted in closed form."""

    def calibrate(self, rgb: Tensor, statistics: SceneStatistics) -> Tensor:
        """See `FittedReconstructor`."""
        return self.adapter(rgb, statistics)

    def fit(self, rgb: Tensor, spectra: Tensor) -> None:
        """See `FittedReconstructor`."""
        self.network.coefficients.data = root_polynomial.fit(rgb, spectra)


def build(config: Mapping[str, Any]) -> Reconstructor:
    """Builds the system from the `config` of a card."""
    parsed = Config(**config)
    return RootPolynomial(Regression(parsed.bands), parsed)
