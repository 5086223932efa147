"""Quantiles of the spectra that a mixture of Gaussians gives to the pixels of an image.

Given the colour of a pixel, each band is a mixture of normal distributions, which may be skewed or
have several modes. Its quantiles, truncated at zero, follow from the distribution function.

The likeliest Gaussians are kept as they are. The others are replaced by one that gives the mixture
its exact mean and variance.

With three channels, the distances of quantiles from the mean, in standard deviations, are computed
at the nodes of a grid of colours and interpolated. They are continuous in the colour, so a rounding
difference between two tilings changes no pixel by more than that. Mean and deviation are those of
the pixel. Interpolation causes most of the error, since cells are nearly as wide as the narrowest
Gaussians: compared with a search for each pixel, half of the quantiles are within a twentieth of a
standard deviation, and one in a hundred is off by up to half of one.

With more channels, a grid would have more nodes than there are pixels, so each pixel is computed by
itself. With three channels this would be slow: many narrow and broad Gaussians share a colour, and
with only a few of them the tails are off by most of a standard deviation.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from hsi_xr.networks.projected_mixture import Posterior, ProjectedMixture, colour_terms, colours

CELL, LEVEL_CELL = 0.05, 0.4
"""Sides of the cells of the table: in red and blue over brightness, and in log brightness."""

OF_NODE, OF_PIXEL = 40, 8
"""Gaussians that are kept at a node of the table, and at a pixel where there is no table."""

STEPS = 7
"""Steps of the search, of which distributions with several modes need most."""

STRIP = 2**6
"""Pixels or nodes that are processed at a time; each needs several values per band and Gaussian."""

LEAST = 1e-3
"""Smallest standard deviation of a shape, relative to brightness: below, the distribution function
is a step. Also the smallest weight of the Gaussian that stands for others."""

FAR = 6.0
"""Deviations beyond which the distribution function of a normal distribution is 0 or 1 in single
precision."""


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
    given = (level_std, probabilities)
    if rgb.shape[1] > 3:
        return _of_each(mixture, posterior, rgb, *given, kept=OF_PIXEL)
    level, colour = colours(rgb)
    sides = rgb.new_tensor([CELL, CELL, LEVEL_CELL])
    points = torch.cat([colour, level.log()], dim=1).movedim(1, -1).flatten(0, -2) / sides
    corners, weights = simplex(points)
    nodes, node = corners.flatten(0, 1).unique(dim=0, return_inverse=True)
    red, blue, log = (nodes * sides).T
    seen = (torch.stack([1 + red, 1 - red - blue, 1 + blue]) * log.exp())[None, :, None]
    of_nodes = mixture.posterior(seen, level_std)
    found = _of_each(mixture, of_nodes, seen, *given, kept=OF_NODE)
    table = (
        ((found - of_nodes.mean[:, None]) / of_nodes.std[:, None].clamp(min=1e-9))
        .flatten(1, 3)[0]
        .T
    )
    standard = rgb.new_zeros(len(points), table.shape[1])
    for weight, index in zip(weights.T, node.reshape(weights.shape).T):
        standard.addcmul_(weight[:, None], table[index])
    batch, _, rows, columns = rgb.shape
    shaped = standard.reshape(batch, rows, columns, len(probabilities), -1).movedim((3, 4), (1, 2))
    return (posterior.mean[:, None] + shaped * posterior.std[:, None]).clamp(min=0)


def simplex(points: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the corners of the simplex of a unit grid that contains each point, and weights.

    Cubes are cut along their diagonals into simplices. Values that are linear in each of them are
    continuous across their faces.

    Args:
        points: (points, n).

    Returns:
        (points, n + 1, n) corners, and (points, n + 1) weights that sum to 1.
    """
    base = points.floor()
    part, order = (points - base).sort(1, descending=True)
    steps = F.one_hot(order, points.shape[1]).to(points).cumsum(1)
    corners = torch.cat([base[:, None], base[:, None] + steps], dim=1)
    return corners, F.pad(part, (1, 0), value=1.0) - F.pad(part, (0, 1))


def _of_each(
    mixture: ProjectedMixture,
    posterior: Posterior,
    rgb: Tensor,
    level_std: Tensor,
    probabilities: Tensor,
    *,
    kept: int,
) -> Tensor:
    """Returns quantiles without a table, of mixtures of the `kept` likeliest Gaussians and a rest.

    Other arguments and result are those of `posterior_quantiles`.
    """
    level, colour = colours(rgb)
    weights = mixture.log_likelihood(level_std).to(rgb).T
    shapes = torch.cat([mixture.mean[..., None], mixture.gain], dim=-1).movedim(-1, 0).to(rgb)
    variance = mixture.variance.to(rgb).clamp(min=LEAST**2)
    known = mixture.colour.to(rgb)

    def flat(each: Tensor) -> Tensor:
        return each.movedim(1, -1).flatten(0, -2)

    pixels = (colour_terms(level, colour), colour, posterior.mean / level, posterior.std / level)
    parts = zip(*(flat(each).split(STRIP) for each in pixels))
    found = torch.cat(
        [
            quantiles_of_normals(
                *_reduced(terms @ weights, colour, known, shapes, variance, mean, std, kept),
                probabilities.to(rgb),
            )
            for terms, colour, mean, std in parts
        ]
    )
    batch, _, rows, columns = rgb.shape
    shaped = found.reshape(batch, rows, columns, len(probabilities), -1).movedim((3, 4), (1, 2))
    return shaped * level[:, None]


def _reduced(
    log_likelihood: Tensor,
    colour: Tensor,
    known: Tensor,
    shapes: Tensor,
    variance: Tensor,
    mean: Tensor,
    std: Tensor,
    size: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns few Gaussians of the same mean and variance as all: weights, means and deviations.

    The weight of a kept one is what its responsibility exceeds that of the first that is not kept
    by, and the rest has the remainder: so nothing jumps where two Gaussians change places.

    Args:
        log_likelihood: (pixels, count) of each Gaussian.
        colour: (pixels, n) colours over brightness less 1.
        known: (count, n) mean colours of the Gaussians.
        shapes: (n + 1, count, bands) mean shapes, and their regressions on the colours.
        variance: (count, bands) variances of the shapes given the colour.
        mean: (pixels, bands) means of the complete mixture.
        std: (pixels, bands) standard deviations of the complete mixture.
        size: Gaussians that are kept.

    Returns:
        (pixels, components, 1), (pixels, components, bands) and the same.
    """
    count = min(size + 1, log_likelihood.shape[1])
    share, kept = log_likelihood.softmax(1).topk(count, dim=1)
    share, kept = (share - share[:, -1:])[:, :-1, None], kept[:, :-1]
    from_mean = (colour[:, None] - known[kept]).split(1, dim=-1)
    means = shapes[0][kept]
    for gain, distance in zip(shapes[1:], from_mean):
        means = torch.addcmul(means, gain[kept], distance)
    variances = variance[kept]
    rest = 1 - share.sum(1, keepdim=True)
    offset = means - mean[:, None]
    of_rest = -(share * offset).sum(1, keepdim=True) / rest.clamp(min=LEAST)
    square = std.square()[:, None] - (share * (offset.square() + variances)).sum(1, keepdim=True)
    variance_of_rest = square / rest.clamp(min=LEAST) - of_rest.square()
    return (
        torch.cat([share, rest], dim=1),
        torch.cat([means, mean[:, None] + of_rest], dim=1),
        torch.cat([variances, variance_of_rest.clamp(min=LEAST**2)], dim=1).sqrt(),
    )


def quantiles_of_normals(share: Tensor, mean: Tensor, std: Tensor, probabilities: Tensor) -> Tensor:
    """Returns quantiles of mixtures of normal distributions, truncated at zero.

    Newton's method, on the distribution function in deviations of a normal distribution: this is
    nearly linear. It stays within Cantelli's bounds, and halves the bracket where it would leave
    it. The number of steps is fixed, so that no mixture depends on others.

    Args:
        share: (mixtures, components, 1) weights that sum to 1.
        mean: (mixtures, components, bands).
        std: (mixtures, components, bands), or with one mixture for all.
        probabilities: (n,) within (0, 1).

    Returns:
        (mixtures, n, bands).
    """
    removed = (share * _cdf(-mean / std)).sum(1)
    centre = (share * mean).sum(1)
    spread = (share * ((mean - centre[:, None]).square() + std.square())).sum(1).sqrt()
    inverse, density_share = 1 / std, share / std / (2 * torch.pi) ** 0.5
    found = []
    for probability in probabilities:
        target = (removed + probability * (1 - removed)).clamp(1e-6, 1 - 1e-6)
        low = (centre - spread * (1 / target - 1).sqrt()).clamp(min=0)
        high = (centre + spread * (target / (1 - target)).sqrt()).clamp(min=0)
        wanted = torch.special.ndtri(target)
        x = centre + spread * wanted
        for _ in range(STEPS):
            x = torch.minimum(torch.maximum(x, low), high)
            z = ((x[:, None] - mean) * inverse).clamp(-FAR, FAR)
            reached = (share * _cdf(z)).sum(1)
            density = (density_share * (z.square() / -2).exp()).sum(1).clamp(min=1e-9)
            low, high = (
                torch.where(reached < target, x, low),
                torch.where(reached > target, x, high),
            )
            probit = torch.special.ndtri(reached.clamp(1e-6, 1 - 1e-6))
            slope = (probit.square() / -2).exp() / (2 * torch.pi) ** 0.5 / density
            newton = x - (probit - wanted) * slope
            inside = (newton >= low) & (newton <= high)
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
