"""The smoothest spectrum that has a colour: regularised least squares, nothing learnt.

Source: Phillips 1962, Journal of the ACM 9(1), 84-97 (doi:10.1145/321105.321114).
`python -m hsi_xr_smooth_inverse smooth.safetensors` writes a model of it and its card.
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
"""What holds of the system with any weights; hsi_xr reads it to list the system."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """All that shapes weights or answers; in the card."""

    bands: int = 31
    smoothness: float = 1e-3


class SmoothInverse(Reconstructor):
    """The x with the least |S x - rgb|^2 + smoothness |D x|^2; D are second differences.

    A straight spectrum costs nothing, so that grey stays grey. `response` is S, (3, bands).
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.smoothness = config.smoothness
        nm = torch.linspace(400, 700, config.bands)
        peaks = torch.tensor([600.0, 540.0, 460.0])[:, None]
        self.response = nn.Parameter((-(((nm - peaks) / 40) ** 2)).exp(), requires_grad=False)

    def whole(self, scene: SceneWindows, noise: Noise) -> tuple[Tensor, SceneStatistics]:
        return self(scene.rgb, noise, {}, stochastic=False), {}  # a pixel's answer needs no scene

    def forward(
        self, rgb: Tensor, noise: Noise, statistics: SceneStatistics, *, stochastic: bool
    ) -> Tensor:
        seen = Camera(self.response.double()).response
        curve = torch.eye(seen.shape[1]).to(seen).diff(n=2, dim=0)
        cost = seen.T @ seen + self.smoothness * curve.T @ curve
        return torch.einsum("bc,nchw->nbhw", torch.linalg.solve(cost, seen.T).to(rgb), rgb)


def build(config: Mapping[str, Any]) -> Reconstructor:
    """The system of a card's `config`; what hsi_xr calls."""
    return SmoothInverse(Config(**config))


def write_model(weights: Path, config: Config = Config()) -> None:
    """Writes the weights, and beside them the card as json."""
    model, nm = SmoothInverse(config), torch.linspace(400, 700, config.bands).tolist()
    card = {
        **json.loads(CARD.read_text()),
        **{"name": weights.stem, "version": "1.0", "config": asdict(config)},
        **{"bands": {"centres_nm": nm}, "parameters": model.response.numel()},
    }
    save_model(model, weights, card)  # adds the checksum


if __name__ == "__main__":
    write_model(Path(sys.argv[1]))
