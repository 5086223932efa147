"""Quantiles of the spectra that a mixture of Gaussians gives to the pixels of an image.

Given the colour of a pixel, each band is a mixture of normal distributions, which may be skewed or
have several modes. Its quantiles, truncated at zero, follow from the distribution function.

Their distances from the mean, in standard deviations, change slowly with the colour. They are
computed once for each cell of a grid of colours; mean and deviation are those of the pixel.
"""

import torch
from torch import Tensor

from hsi_xr.networks.projected_mixture import Posterior, ProjectedMixture, colour_terms, colours

CELL, LEVEL_CELL = 0.05, 0.4
"""Sides of the cells of the grid: in red and blue over brightness, and in log brightness."""

COMPONENTS = 40
"""Gaussians of a cell that are kept, those with the largest responsibility."""

STEPS = 14
"""Steps of the search: each halves the bracket at least, and a step of Newton's method that stays
within the bracket replaces the half."""

STRIP = 2**6
"""Cells that are processed at a time; each needs several values per band for each Gaussian."""

LEAST = 1e-3
"""Smallest standard deviation of a shape, relative to brightness: below, the distribution function
is a step."""


def posterior_quantiles(
    mixture: ProjectedMixture,
    posterior: Posterior,
    rgb: Tensor,
    level_std: Tensor,
    probabilities: Tensor,
) -> Tensor:
    """Returns quantiles of the reflectance of pixels, each pixel by itself.

    Args:
        mixture: In the colours of the camera.
        posterior: That of the mixture for these pixels.
        rgb: (batch, channels, rows, columns) linear image on the scale of reflectance.
        level_std: See `ProjectedMixture.log_likelihood`.
        probabilities: (n,) within (0, 1).

    Returns:
        (batch, n, bands, rows, columns), not negative, and ascending with the probability.
    """
    level, colour = colours(rgb)
    sides = rgb.new_tensor([CELL] * colour.shape[1] + [LEVEL_CELL])
    cells = (torch.cat([colour, level.log()], dim=1).movedim(1, -1) / sides).round()
    centres, cell = cells.flatten(0, -2).unique(dim=0, return_inverse=True)
    centres = centres * sides
    standard = torch.cat(
        [_of_cells(mixture, part, level_std, probabilities) for part in centres.split(STRIP)]
    )
    batch, _, rows, columns = rgb.shape
    of_pixels = standard[cell].reshape(batch, rows, columns, len(probabilities), -1)
    distance = of_pixels.movedim((3, 4), (1, 2)) * posterior.std[:, None]
    return (posterior.mean[:, None] + distance).clamp(min=0)


def _of_cells(
    mixture: ProjectedMixture, centres: Tensor, level_std: Tensor, probabilities: Tensor
) -> Tensor:
    """Returns quantiles less the mean over the standard deviation; (cells, n, bands).

    Args:
        mixture: In the colours of the camera.
        centres: (cells, n) colours over brightness less 1, and the logarithm of brightness.
        level_std: See `ProjectedMixture.log_likelihood`.
        probabilities: (n,) within (0, 1).
    """
    colour, log = centres[:, :-1], centres[:, -1:]
    terms = colour_terms(log.exp()[..., None, None], colour[..., None, None])[..., 0, 0]
    share = (terms @ mixture.log_likelihood(level_std).to(terms).T).softmax(1)[..., None]
    shapes = torch.stack([mixture.mean, *mixture.gain.unbind(-1)]).to(terms)
    from_mean = colour.T[..., None] - mixture.colour.to(terms).T[:, None]
    mean = shapes[0] + (from_mean[..., None] * shapes[1:, None]).sum(0)
    std = mixture.variance.to(terms).sqrt().clamp(min=LEAST)
    centre = (share * mean).sum(1)
    spread = (share * ((mean - centre[:, None]).square() + std.square())).sum(1).sqrt()
    share, kept = share[..., 0].topk(min(COMPONENTS, share.shape[1]), dim=1)
    share = (share / share.sum(1, keepdim=True))[..., None]
    mean = mean.gather(1, kept[..., None].expand(-1, -1, mean.shape[2]))
    found = quantiles_of_normals(share, mean, std[kept], probabilities.to(terms))
    return (found - centre[:, None]) / spread[:, None]


def quantiles_of_normals(share: Tensor, mean: Tensor, std: Tensor, probabilities: Tensor) -> Tensor:
    """Returns quantiles of mixtures of normal distributions, truncated at zero.

    That of a mixture is between the smallest and the largest of its components. The number of steps
    of the search is fixed, so that no mixture depends on others.

    Args:
        share: (mixtures, components, 1) weights that sum to 1.
        mean: (mixtures, components, bands).
        std: (mixtures, components, bands), or with one mixture for all.
        probabilities: (n,) within (0, 1).

    Returns:
        (mixtures, n, bands).
    """
    removed = (share * _cdf(-mean / std)).sum(1)
    start = (share * mean).sum(1)
    found = []
    for probability in probabilities:
        target = (removed + probability * (1 - removed)).clamp(max=1 - 1e-6)
        ends = mean + std * torch.special.ndtri(target)[:, None]
        low, high = ends.amin(1).clamp(min=0), ends.amax(1).clamp(min=0)
        x = start
        for _ in range(STEPS):
            x = torch.minimum(torch.maximum(x, low), high)
            z = (x[:, None] - mean) / std
            excess = (share * _cdf(z)).sum(1) - target
            density = (share / std * (-z.square() / 2).exp()).sum(1) / (2 * torch.pi) ** 0.5
            low, high = torch.where(excess < 0, x, low), torch.where(excess > 0, x, high)
            newton = x - excess / density.clamp(min=1e-9)
            inside = (newton > low) & (newton < high)
            x = torch.where(inside, newton, (low + high) / 2)
        found.append(x)
    return torch.stack(found, dim=1)


def _cdf(z: Tensor) -> Tensor:
    """Returns the distribution function of the normal distribution; faster than `ndtr`."""
    return (1 + torch.erf(z * 0.5**0.5)) / 2


def spread_about_median(quantiles: Tensor, median: Tensor, scale: Tensor) -> Tensor:
    """Scales the distances of quantiles from the median, as a calibration requires.

    Above the median the distance is scaled, and below it the logarithm of the ratio: quantiles keep
    their order, and none becomes negative.

    Args:
        quantiles: (batch, n, bands, rows, columns), not negative.
        median: (batch, 1, bands, rows, columns).
        scale: (bands, 1, 1) positive factors.
    """
    above = median + scale * (quantiles - median)
    ratio = quantiles / median.clamp(min=torch.finfo(median.dtype).tiny)
    return torch.where(quantiles > median, above, median * ratio.clamp(max=1) ** scale)
