"""Fits a mixture of Gaussians to spectra by expectation and maximisation.

Source: Dempster, Laird, Rubin 1977 (Journal of the Royal Statistical Society B 39(1), 1-38).
"""

import logging

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from hsi_xr.networks.gaussian_mixture import SpectralMixture

REGULAR = 1e-5
"""Added to variances of shapes, whose mean is 1."""

BROAD, WIDER = 0.02, 4.0
"""Share of the Gaussian for all that is unlike the others, and its covariance over that of all."""

log = logging.getLogger(__name__)


def fit(spectra: Tensor, count: int, rng: Generator, *, rounds: int = 25) -> SpectralMixture:
    """The mixture of so many Gaussians, a broad one among them, for (pixels, bands) reflectance."""
    bright = spectra.mean(1, keepdim=True)
    shapes, levels = spectra / bright, bright[:, 0].log()
    belongs = _clusters(shapes, count - 1, rng)
    for _ in range(rounds - 1):
        share, mean, covariance = _maximise(shapes, belongs)
        density = _densities(shapes, mean, covariance) + share.log()
        belongs = density.softmax(1)
        log.debug("mixture: %.2f nats a spectrum", density.logsumexp(1).mean().item())
    share, mean, covariance = _maximise(shapes, belongs)
    every = torch.cov(shapes.T) * WIDER
    sizes = belongs.sum(0).clamp(min=1e-6)
    level = (belongs.T @ levels) / sizes
    spread = ((belongs * (levels[:, None] - level).square()).sum(0) / sizes + 0.01).sqrt()
    found = SpectralMixture(spectra.shape[1], count)
    found.log_weight.data = torch.cat([share.new_tensor([BROAD]), (1 - BROAD) * share]).log()
    found.mean.data = torch.cat([shapes.mean(0)[None], mean])
    regular = REGULAR * torch.eye(len(every))
    factors = torch.linalg.cholesky(torch.cat([(every + regular)[None], covariance]).double())
    found.cholesky.data = factors.float()
    found.log_level.data = torch.cat([levels.mean()[None], level])
    found.log_level_std.data = torch.cat([2 * levels.std()[None], spread])
    return found


def _clusters(shapes: Tensor, count: int, rng: Generator, rounds: int = 15) -> Tensor:
    """Where to begin: k-means on the principal components of the logarithms; (pixels, count)."""
    logs = shapes.log() - shapes.log().mean(0)
    places = logs @ torch.linalg.svd(logs, full_matrices=False).Vh[:8].T
    centres = places[torch.randperm(len(places), generator=rng)[:count]]
    for _ in range(rounds):
        belongs = F.one_hot(torch.cdist(places, centres).argmin(1), count).float()
        sizes = belongs.sum(0)[:, None]
        centres = torch.where(sizes > 0, belongs.T @ places / sizes.clamp(min=1), centres)
    return belongs


def _maximise(shapes: Tensor, belongs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Shares (count,), means (count, bands), covariances (count, bands, bands)."""
    sizes = belongs.sum(0) + 1e-6
    mean = belongs.T @ shapes / sizes[:, None]
    regular = REGULAR * torch.eye(shapes.shape[1])
    covariance = []
    for number, centre in enumerate(mean):
        far = (belongs[:, number] > 1e-6).nonzero()[:, 0]
        apart = shapes[far] - centre
        squares = (apart * belongs[far, number, None]).T @ apart
        covariance.append(squares / sizes[number] + regular)
    return sizes / sizes.sum(), mean, torch.stack(covariance)


def _densities(shapes: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """Logarithms, less a constant; (pixels, count)."""
    white = torch.linalg.inv(torch.linalg.cholesky(covariance.double())).float()
    found = []
    for centre, factor in zip(mean, white):
        near = ((shapes - centre) @ factor.T).square().sum(1)
        found.append(factor.diagonal().log().sum() - near / 2)
    return torch.stack(found, dim=1)
