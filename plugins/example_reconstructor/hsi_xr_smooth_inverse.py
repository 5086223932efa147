"""The smoothest spectrum of a colour, by regularised least squares without training.

Source: Phillips 1962, Journal of the ACM 9(1), 84-97 (doi:10.1145/321105.321114).
`python -m hsi_xr_smooth_inverse smooth.safetensors` writes a model and its card.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hsi_xr.camera.operator import Camera
from hsi_xr.checkpoints import save_model
from hsi_xr.reconstructors import Noise, Reconstructor, SceneStatistics, SceneWindows

CARD = Path(__file__).with_suffix(".json")
"""The card of the system, which is valid for any weights; hsi_xr reads it to list the system."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that determines weights or output; part of the card."""

    bands: int = 31
    smoothness: float = 1e-3


class SmoothInverse(Reconstructor):
    """Computes the x that minimises |S x - rgb|^2 + smoothness |D x|^2, with second differences D.

    A straight spectrum has no cost, so grey stays grey. `response` is S, (3, bands).
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.smoothness = config.smoothness
        nm = torch.linspace(400, 700, config.bands)
        peaks = torch.tensor([600.0, 540.0, 460.0])[:, None]
        self.response = nn.Parameter((-(((nm - peaks) / 40) ** 2)).exp(), requires_grad=False)

    def whole(self, scene: SceneWindows, noise: Noise) -> tuple[Tensor, SceneStatistics]:
        return self(scene.rgb, noise, {}, stochastic=False), {}  # no statistics

    def forward(
        self, rgb: Tensor, noise: Noise, statistics: SceneStatistics, *, stochastic: bool
    ) -> Tensor:
        response = Camera(self.response.double()).response
        curve = torch.eye(response.shape[1]).to(response).diff(n=2, dim=0)
        cost = response.T @ response + self.smoothness * curve.T @ curve
        return torch.einsum("bc,nchw->nbhw", torch.linalg.solve(cost, response.T).to(rgb), rgb)


def build(config: Mapping[str, Any]) -> Reconstructor:
    """Builds the system from the `config` of a card; called by hsi_xr."""
    return SmoothInverse(Config(**config))


def write_model(weights: Path, config: Config = Config()) -> None:
    """Writes the weights, and the card as JSON next to them."""
    model, nm = SmoothInverse(config), torch.linspace(400, 700, config.bands).tolist()
    card = {
        **json.loads(CARD.read_text()),
        **{"name": weights.stem, "version": "1.0", "config": asdict(config)},
        **{"bands": {"centres_nm": nm}, "parameters": model.response.numel()},
    }
    save_model(model, weights, card)  # adds checksum and time


if __name__ == "__main__":
    write_model(Path(sys.argv[1]))
