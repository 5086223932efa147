"""The gain of an image over reflectance, estimated from the colours of the whole scene.

A display-referred image of a dark forest looks as bright as one of a beach. The gain shows only in
a comparison of the scene's colours with those known of land surfaces, so it is estimated once per
scene and never per tile.
"""

import torch
from torch import Tensor, nn

from hsi_xr.networks.chromaticity import shares
from hsi_xr.networks.root_polynomial import TERMS, root_polynomial
from hsi_xr.reconstructors._base import SceneWindows

COLOURS = 9
"""Number of colour means without the root-polynomial terms; see `colour_means`."""


def colour_means(chromaticity: Tensor) -> Tensor:
    """Returns means over the pixels of scenes.

    Args:
        chromaticity: (batch, n) chromaticity histograms.

    Returns:
        (batch, 22): level, logarithm and square of each channel, and the root-polynomial terms.
    """
    share, rgb = shares(chromaticity)
    rgb = rgb[..., None]
    each = [rgb, (rgb + 0.01).log(), rgb.square(), root_polynomial(rgb)]
    return (torch.cat(each, dim=1)[..., 0] * share[:, None]).sum(2)


class SceneGain(nn.Module):
    """Estimates the gain of each channel: the value of a white reflector.

    The common level is that of the image over the level that root-polynomial regression predicts
    for the ground, so an image twice as bright gets twice the gain. (A network that may use the
    brightness learns how the few training images were exposed, and is wrong by factors on others.)
    The differences between channels, the tint, are learned.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.regression = nn.Parameter(torch.full((3, TERMS), 1 / TERMS), requires_grad=False)
        """Coefficients that predict the reference camera's reflectance from the terms."""
        self.layers = nn.Sequential(
            nn.Linear(COLOURS, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )
        self.output = nn.Linear(width, 3)

    def forward(self, chromaticity: Tensor) -> Tensor:
        """Returns gains, (batch, 3), for (batch, n) chromaticity histograms."""
        means = colour_means(chromaticity)
        level = means[:, :3].clamp(min=1e-4)
        ground = (means[:, COLOURS:] @ self.regression.T).clamp(min=0.02 * level)
        common = (level / ground).log().mean(1, keepdim=True)
        return (common + self.tint(self.features(means))).clamp(-1.0, 4.0).exp()

    def estimate(self, scene: SceneWindows) -> Tensor:
        """Returns the gains of a scene, (1, 3); 1 if a white reflector is known to be 1.

        A stated level is the gain of each channel: a white reflector is then white in the image.
        """
        if scene.chromaticity is None:
            return scene.rgb.new_ones(1, 3)
        if scene.level is not None:
            return scene.rgb.new_full((1, 3), scene.level.gain)
        return self(scene.chromaticity)

    def fix_to_one(self) -> None:
        """Sets the weights such that every gain is 1: images are taken as reflectance."""
        torch.nn.init.eye_(self.regression)
        torch.nn.init.zeros_(self.output.weight)
        torch.nn.init.zeros_(self.output.bias)

    def tint(self, features: Tensor) -> Tensor:
        """Returns the log gain of each channel less their mean; (batch, 9) -> (batch, 3)."""
        tint: Tensor = self.output(self.layers(features))
        return tint - tint.mean(1, keepdim=True)

    @staticmethod
    def features(means: Tensor) -> Tensor:
        """Returns colour means on a logarithmic scale, where a gain is a shift; (batch, 9)."""
        level, log, square = means[:, :COLOURS].split(3, dim=1)
        return torch.cat([(level + 1e-3).log(), log, (square + 1e-5).log() / 2], dim=1)
