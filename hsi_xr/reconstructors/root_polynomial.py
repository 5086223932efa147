"""Root-polynomial regression as a whole system: thirteen numbers a band, an honest yardstick."""

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
    """All that shapes weights or samples; in the card. It is shown linear light over the gain."""

    bands: int = 31


class Regression(nn.Module):
    """A pixel's spectrum from its colour alone; see `hsi_xr.networks.root_polynomial`."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.coefficients = nn.Parameter(
            torch.zeros(bands, root_polynomial.TERMS), requires_grad=False
        )

    def forward(self, rgb: Tensor, *, attention: AttentionStatistics | None = None) -> Tensor:
        """(batch, 3, rows, columns) -> (batch, bands, rows, columns); it needs no statistics."""
        return root_polynomial.predict(rgb, self.coefficients)


class RootPolynomial(FeedForwardReconstructor):
    """The regression, and how it is fitted."""

    def seen(self, rgb: Tensor, statistics: SceneStatistics) -> Tensor:
        """See `Fitted`."""
        return self.front(rgb, statistics)

    def fit(self, rgb: Tensor, spectra: Tensor) -> None:
        """See `Fitted`."""
        self.network.coefficients.data = root_polynomial.fit(rgb, spectra)


def build(config: Mapping[str, Any]) -> Reconstructor:
    """The system of a card's `config`."""
    found = Config(**config)
    return RootPolynomial(Regression(found.bands), found)
