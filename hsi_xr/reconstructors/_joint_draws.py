"""Draws how an image was made, and the spectra of its pixels given that, for a whole scene at once.

A draw has one camera, one colour matrix and one white balance.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hsi_xr.diffusion.noise import NoiseField
from hsi_xr.networks.gaussian_mixture import SpectralMixture
from hsi_xr.networks.mixture_draws import OWN, DrawNoise, MixtureDraw
from hsi_xr.networks.projected_mixture import ProjectedMixture
from hsi_xr.reconstructors._base import GroundNoise, SceneStatistics
from hsi_xr.reconstructors._photofinishing import NORMAL_90, TINT_STD

CAMERA, MATRIX, TINT, CHOICE, SHARED, OWN_TABLE, LEVEL = range(7)
"""Tables of noise that the pixels of a scene share."""


def draw_mixture(
    mixture: SpectralMixture, observer: Tensor, statistics: SceneStatistics, noise: GroundNoise
) -> ProjectedMixture:
    """Returns a mixture in the colours of a camera that may have taken the image.

    Args:
        mixture: The spectra that the ground may have.
        observer: See `Photofinishing`.
        statistics: See `Photofinishing.forward`.
        noise: The noise of the draw.
    """
    cameras = statistics["cameras"]
    chosen = int(noise.uniform(CAMERA, 1) * len(cameras))
    response = cameras[chosen]
    mean, std = statistics["matrix"]
    if std > 0:  # an image for display
        full = mixture.colour_corrected(response, observer, torch.ones_like(std))
        response = torch.lerp(response, full, mean + std * noise.normal(MATRIX, 1))
        tint = (TINT_STD * noise.normal(TINT, len(response))).exp()
        response = response * (tint / tint.mean())[:, None]
    return mixture.project(response, noise=statistics["noise"])


def draw_reflectance(
    mixture: ProjectedMixture, rgb: Tensor, level_std: Tensor, noise: GroundNoise, *, shared: float
) -> Tensor:
    """Returns the reflectance of images in one draw, (batch, bands, rows, columns).

    Args:
        mixture: In the colours of the camera of the draw.
        rgb: (batch, n, rows, columns) linear channels on the scale of reflectance.
        level_std: See `ProjectedMixture.log_likelihood`.
        noise: The noise of the draw.
        shared: See `MixtureDraw.of`.
    """
    count, bands = mixture.mean.shape
    of_scene = DrawNoise(
        choice=noise.uniform(CHOICE, count),
        shared=noise.normal(SHARED, count, bands),
        own=noise.normal(OWN_TABLE, OWN // 2, bands),
    )
    tables = MixtureDraw.of(mixture, level_std, of_scene, shared=shared)
    return tables.reflectance(rgb, noise.words())


def draw_level_factors(
    gain: float, low: float, high: float, *, seed: int, draws: int
) -> NDArray[np.float64]:
    """Returns the factor of the level in each draw, such that 90 % are in the stated interval.

    Args:
        gain: Gain of the image over reflectance, as used.
        low, high: Ends of its 90 % interval.
        seed: Seed of the noise field.
        draws: Number of draws.
    """
    device = torch.device("cpu")
    normal = torch.cat(
        [NoiseField(seed, k).of_scene(LEVEL, 1, device=device)[0] for k in range(draws)]
    )
    z = normal.double().numpy() / NORMAL_90
    end = np.where(z > 0, np.log(high / gain), np.log(gain / low))
    found: NDArray[np.float64] = np.exp(-z * end)
    return found
