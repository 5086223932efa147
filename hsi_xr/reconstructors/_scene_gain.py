"""How bright a picture was made: a gain per channel, told from the whole scene.

A display-referred picture of a dark forest looks as bright as one of a beach. What was done to it
shows only in its statistics against what is known of land surfaces; so the gain is estimated once
per scene, and never per tile.
"""

import torch
from torch import Tensor, nn

from hsi_xr.networks.chromaticity import shares
from hsi_xr.networks.root_polynomial import TERMS, root_polynomial
from hsi_xr.reconstructors._base import SceneWindows

COLOURS = 9


def colour_means(seen: Tensor) -> Tensor:
    """Means over the pixels of palettes; (batch, 4 SIDE^2) -> (batch, 22).

    They are level, logarithm and square of each channel, and the root-polynomial terms.
    """
    share, rgb = shares(seen)
    rgb = rgb[..., None]
    each = [rgb, (rgb + 0.01).log(), rgb.square(), root_polynomial(rgb)]
    return (torch.cat(each, dim=1)[..., 0] * share[:, None]).sum(2)


class SceneGain(nn.Module):
    """Palette -> gain of each channel over a white reflector's 1; -> (batch, 3).

    The level is the picture's over that which root-polynomial regression believes of the ground:
    a picture twice as bright is taken for ground twice as bright. (A network that may use the
    brightness learns how the few pictures at hand were exposed, and is wrong by factors on
    others.) How the channels differ is learned.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.believed = nn.Parameter(torch.full((3, TERMS), 1 / TERMS), requires_grad=False)
        """Regression of the reference camera's reflectance on the root-polynomial terms."""
        self.layers = nn.Sequential(
            nn.Linear(COLOURS, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )
        self.answer = nn.Linear(width, 3)

    def forward(self, seen: Tensor) -> Tensor:
        means = colour_means(seen)
        level = means[:, :3].clamp(min=1e-4)
        ground = (means[:, COLOURS:] @ self.believed.T).clamp(min=0.02 * level)
        common = (level / ground).log().mean(1, keepdim=True)
        return (common + self.tint(self.seen(means))).clamp(-1.0, 4.0).exp()

    def of(self, scene: SceneWindows) -> Tensor:
        """(1, 3); 1 where a white reflector is known to be 1."""
        return scene.rgb.new_ones(1, 3) if scene.chromaticity is None else self(scene.chromaticity)

    def trust(self) -> None:
        """From now on pictures are taken for what they say: every gain is 1."""
        torch.nn.init.eye_(self.believed)
        torch.nn.init.zeros_(self.answer.weight)
        torch.nn.init.zeros_(self.answer.bias)

    def tint(self, seen: Tensor) -> Tensor:
        """Log-gain of each channel over their mean; (batch, 9) -> (batch, 3)."""
        found: Tensor = self.answer(self.layers(seen))
        return found - found.mean(1, keepdim=True)

    @staticmethod
    def seen(means: Tensor) -> Tensor:
        """The colour means on a logarithmic scale, where a gain is a shift; -> (batch, 9)."""
        level, log, square = means[:, :COLOURS].split(3, dim=1)
        return torch.cat([(level + 1e-3).log(), log, (square + 1e-5).log() / 2], dim=1)
