"""Fits a mixture of Gaussians to spectra by expectation maximisation.

Source: Dempster, Laird, Rubin 1977 (Journal of the Royal Statistical Society B 39(1), 1-38).
"""

import logging

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from hsi_xr.networks.gaussian_mixture import SpectralMixture

REGULARISATION = 1e-5
"""Added to the variances of shapes, whose mean is 1."""

BROAD_WEIGHT, BROAD_SCALE = 0.02, 4.0
"""Weight of the broad Gaussian, and its covariance relative to that of all spectra."""

_log = logging.getLogger(__name__)


def fit(spectra: Tensor, count: int, rng: Generator, *, rounds: int = 25) -> SpectralMixture:
    """Fit a mixture.

    Args:
        spectra: (pixels, bands) reflectance.
        count: Number of Gaussians, including a broad one for spectra unlike all others.
        rng: Draws the initial clusters.
        rounds: Iterations.
    """
    brightness = spectra.mean(1, keepdim=True)
    shapes, log_levels = spectra / brightness, brightness[:, 0].log()
    responsibility = _clusters(shapes, count - 1, rng)
    for _ in range(rounds - 1):
        weight, mean, covariance = _maximise(shapes, responsibility)
        density = _log_densities(shapes, mean, covariance) + weight.log()
        responsibility = density.softmax(1)
        _log.debug("mixture: %.2f nats per spectrum", density.logsumexp(1).mean().item())
    weight, mean, covariance = _maximise(shapes, responsibility)
    broad = torch.cov(shapes.T) * BROAD_SCALE + REGULARISATION * torch.eye(shapes.shape[1])
    log_level, log_level_std = _levels(log_levels, responsibility)
    mixture = SpectralMixture(spectra.shape[1], count)
    mixture.log_weight.data = torch.cat(
        [weight.new_tensor([BROAD_WEIGHT]), (1 - BROAD_WEIGHT) * weight]
    ).log()
    mixture.mean.data = torch.cat([shapes.mean(0)[None], mean])
    covariances = torch.cat([broad[None], covariance]).double()
    mixture.cholesky.data = torch.linalg.cholesky(covariances).float()
    mixture.log_level.data = torch.cat([log_levels.mean()[None], log_level])
    mixture.log_level_std.data = torch.cat([2 * log_levels.std()[None], log_level_std])
    return mixture


def _clusters(shapes: Tensor, count: int, rng: Generator, rounds: int = 15) -> Tensor:
    """Initial responsibilities, (pixels, count): k-means on principal components of log shapes."""
    logs = shapes.log() - shapes.log().mean(0)
    points = logs @ torch.linalg.svd(logs, full_matrices=False).Vh[:8].T
    centres = points[torch.randperm(len(points), generator=rng)[:count]]
    for _ in range(rounds):
        member = F.one_hot(torch.cdist(points, centres).argmin(1), count).float()
        sizes = member.sum(0)[:, None]
        centres = torch.where(sizes > 0, member.T @ points / sizes.clamp(min=1), centres)
    return member


def _maximise(shapes: Tensor, responsibility: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Weights (count,), means (count, bands) and covariances (count, bands, bands)."""
    sizes = responsibility.sum(0) + 1e-6
    mean = responsibility.T @ shapes / sizes[:, None]
    regularisation = REGULARISATION * torch.eye(shapes.shape[1])
    covariance = []
    for number, centre in enumerate(mean):
        members = (responsibility[:, number] > 1e-6).nonzero()[:, 0]
        difference = shapes[members] - centre
        scatter = (difference * responsibility[members, number, None]).T @ difference
        covariance.append(scatter / sizes[number] + regularisation)
    return sizes / sizes.sum(), mean, torch.stack(covariance)


def _levels(log_levels: Tensor, responsibility: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the log level of each Gaussian, (count,) each."""
    sizes = responsibility.sum(0).clamp(min=1e-6)
    mean = (responsibility.T @ log_levels) / sizes
    squares = (responsibility * (log_levels[:, None] - mean).square()).sum(0)
    return mean, (squares / sizes + 0.01).sqrt()


def _log_densities(shapes: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """Logarithms of the densities, without a constant, (pixels, count)."""
    whitening = torch.linalg.inv(torch.linalg.cholesky(covariance.double())).float()
    densities = []
    for centre, factor in zip(mean, whitening):
        distance = ((shapes - centre) @ factor.T).square().sum(1)
        densities.append(factor.diagonal().log().sum() - distance / 2)
    return torch.stack(densities, dim=1)
