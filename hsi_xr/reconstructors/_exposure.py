"""Estimates the exposure of an image for display: its gain relative to reflectance.

The brightness of such an image depends on the camera. Its colours, which do not depend on the
exposure, indicate the materials on the ground, and sunlit ground of a given colour has a typical
brightness. The gain is the ratio of the brightness of the image to this typical brightness.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from hsi_xr.networks.chromaticity import SceneColours

SUNLIT = 0.6
"""Quantile of the brightness, weighted by brightness, that stands for sunlit ground. Shadows and
gaps, which differ from scene to scene, have little weight in it."""

P_UNCHANGED = 0.15
"""Prior probability that a white reflector is 1 in an image, as in reflectance stored as 8 bits."""

UNCHANGED_STD = 0.08
"""Standard deviation of the log gain of such images, from cameras and tone curves."""

LOG_GROUND, LOG_GROUND_STD = -2.7, 0.8
"""Mean and standard deviation of the log brightness of land: forest is near -3.7, sand
near -1.5."""

LOG_EXPOSURE, LOG_EXPOSURE_STD = math.log(0.2), 0.5
"""Mean and standard deviation of the log brightness of images that were exposed for display."""

LOG_GAIN, LOG_GAIN_STD = 1.0, 1.5
"""Mean and standard deviation of the log gain of these: about the difference of the two means, and
broad."""

STEP, REACH = 0.005, 6.0
"""Resolution and range of the log gains that are compared."""


@dataclass(frozen=True, eq=False)
class Exposure:
    """The gain of an image relative to reflectance.

    Attributes:
        log_gain: Median of the logarithm of the gain, a scalar.
        interval: (2,) its 5 % and 95 % quantiles.
    """

    log_gain: Tensor
    interval: Tensor


@dataclass(frozen=True, eq=False)
class SunlitGround:
    """The brightness of sunlit ground in an image, compared with that typical of its colours.

    Attributes:
        log_ratio: Logarithm of the ratio of the two, a scalar.
        usual: Mean of the usual log brightness, a scalar.
    """

    log_ratio: Tensor
    usual: Tensor


def sunlit_ground(colours: SceneColours, usual: Tensor) -> SunlitGround:
    """Compares the brightness of sunlit ground with the usual one of its colours.

    Args:
        colours: The colours of a scene.
        usual: (cells,) usual log brightness of each colour.
    """
    weight = colours.share * colours.rgb.mean(1)
    weight = weight / weight.sum().clamp(min=1e-12)
    # weighting by brightness moves a normal distribution of its logarithm by the variance
    mean = colours.log_level + colours.log_level_var - usual
    std = colours.log_level_var.sqrt().clamp(min=1e-3)
    low, high = mean.new_tensor(-20.0), mean.new_tensor(20.0)
    for _ in range(40):
        middle = (low + high) / 2
        below = (weight * torch.special.ndtr((middle - mean) / std)).sum() < SUNLIT
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return SunlitGround((low + high) / 2, weight @ usual)


def exposure_of(bright: Tensor, ratio: Tensor, std: Tensor) -> Exposure:
    """Returns the gain of an image by Bayes' rule over two ways to make one.

    Either a white reflector is 1 in the image, or the image was exposed for display.

    Args:
        bright: Logarithm of the mean brightness of the image.
        ratio: Log gain by the colours of the ground.
        std: Standard deviation of `ratio`.
    """
    gains = torch.arange(-REACH, REACH + STEP / 2, STEP).to(ratio)
    unchanged = P_UNCHANGED * _normal(bright, LOG_GROUND, LOG_GROUND_STD)
    exposed = (1 - P_UNCHANGED) * _normal(bright, LOG_EXPOSURE, LOG_EXPOSURE_STD)
    prior = unchanged * _normal(gains, 0.0, UNCHANGED_STD) + exposed * _normal(
        gains, LOG_GAIN, LOG_GAIN_STD
    )
    posterior = prior * _normal(gains, ratio, std) + 1e-30
    total = (posterior / posterior.sum()).cumsum(0)
    low, median, high = (gains[(total < share).sum()] for share in (0.05, 0.5, 0.95))
    return Exposure(median, torch.stack([low, high]))


def _normal(x: Tensor, mean: Tensor | float, std: Tensor | float) -> Tensor:
    return (-(((x - mean) / std) ** 2) / 2).exp() / (std * math.tau**0.5)
