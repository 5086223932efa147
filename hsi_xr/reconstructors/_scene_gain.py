"""How bright a picture was made: a gain per channel, told from the whole scene.

A display-referred picture of a dark forest looks as bright as one of a beach. What was done to it
shows only in its statistics against what is known of land surfaces; so the gain is estimated once
per scene, and never per tile.
"""

import torch
from torch import Tensor, nn

FEATURES = 9


def colour_means(rgb: Tensor, weights: Tensor | None = None) -> Tensor:
    """Means over the valid pixels: level, logarithm, square; (batch, 3, h, w) -> (batch, 9).

    Means of several windows average to the means of the scene.
    """
    rgb = rgb.clamp(min=0)
    each = torch.cat([rgb, (rgb + 0.01).log(), rgb.square()], dim=1)
    if weights is None:
        return each.mean((2, 3))
    return (each * weights).sum((2, 3)) / weights.sum((2, 3)).clamp(min=1e-6)


class SceneGain(nn.Module):
    """Scene means -> gain of each channel over a white reflector's 1; (batch, 9) -> (batch, 3)."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(FEATURES, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )
        self.answer = nn.Linear(width, 3)

    def forward(self, means: Tensor) -> Tensor:
        level, log, square = means.split(3, dim=1)
        seen = torch.cat([(level + 1e-3).log(), log, (square + 1e-5).log() / 2], dim=1)
        return self.answer(self.layers(seen)).clamp(-1.0, 4.0).exp()
