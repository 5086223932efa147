"""Draws how an image was made, and the spectra of its pixels given that, for a whole scene at once.

A draw has one camera, one colour matrix and one white balance.
"""

import torch
from torch import Tensor

from hsi_xr.networks.gaussian_mixture import SpectralMixture
from hsi_xr.networks.mixture_draws import OWN, DrawNoise, MixtureDraw
from hsi_xr.networks.projected_mixture import ProjectedMixture
from hsi_xr.reconstructors._base import GroundNoise, SceneStatistics
from hsi_xr.reconstructors._photofinishing import TINT_STD

CAMERA, MATRIX, TINT, CHOICE, SHARED, OWN_TABLE = range(6)
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


def draw_spectra(
    mixture: ProjectedMixture, level_std: Tensor, noise: GroundNoise, *, shared: float
) -> MixtureDraw:
    """Returns the tables of a draw; see `MixtureDraw.of`."""
    count, bands = mixture.mean.shape
    of_scene = DrawNoise(
        choice=noise.uniform(CHOICE, count),
        shared=noise.normal(SHARED, count, bands),
        own=noise.normal(OWN_TABLE, OWN // 2, bands),
    )
    return MixtureDraw.of(mixture, level_std, of_scene, shared=shared)
