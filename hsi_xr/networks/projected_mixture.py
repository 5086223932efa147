"""A mixture of Gaussians over spectra in the colours of a camera, and the posterior of pixels.

Source: see `hsi_xr.networks.gaussian_mixture`.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement

import torch
import torch.nn.functional as F
from torch import Tensor

DIM = 1e-4
"""Brightness below which a pixel has no colour."""

NEAR = 3.0
"""Standard deviations from a Gaussian within which a colour is not novel."""

STRIP = 2**14
"""Pixels of three channels that are processed at a time; each needs several values for each
Gaussian, and more of them if there are more channels."""

_DROPPED = 1
"""Index of the channel whose colour follows from the others: green."""


@dataclass(frozen=True)
class Posterior:
    """The spectra that the pixels of images may have.

    Attributes:
        mean: (batch, bands, rows, columns) reflectance.
        std: Standard deviation of the reflectance, of the same shape; of more than three channels
            wider for colours far from the Gaussians, see `_widening`.
        novelty: (batch, 1, rows, columns) out-of-distribution score: 0 if a Gaussian has the colour
            within `NEAR` standard deviations, near 1 if only the broad one has it or all are
            farther.
        widening: (batch, 1, rows, columns) factor by which the deviation is wider than that of the
            mixture.
    """

    mean: Tensor
    std: Tensor
    novelty: Tensor
    widening: Tensor


@dataclass(frozen=True)
class ProjectedMixture:
    """A mixture in the colours of a camera: all channels but the second, over brightness.

    Brightness is the mean of the camera's n channels; shapes here have brightness 1. Of red, green
    and blue, the colours are those of red and blue.

    Attributes:
        colour: (count, n - 1) mean colours less 1: rounding matters, so grey is 0.
        precision: (count, n - 1, n - 1) inverse covariances of the colours.
        log_weight: (count,) logarithms of the mixing weights over the square root of the
            determinants of the covariances.
        log_level: (count,) means of the logarithm of the camera's brightness.
        log_level_std: (count,) its standard deviations.
        mean: (count, bands) mean shapes.
        gain: (count, bands, n - 1) regression of the shape on the colour.
        covariance: (count, bands, bands) covariance of the shape given the colour.
    """

    colour: Tensor
    precision: Tensor
    log_weight: Tensor
    log_level: Tensor
    log_level_std: Tensor
    mean: Tensor
    gain: Tensor
    covariance: Tensor

    @property
    def variance(self) -> Tensor:
        """(count, bands) variance of the shape given the colour."""
        return self.covariance.diagonal(dim1=1, dim2=2).clamp(min=0)

    def log_likelihood(self, level_std: Tensor) -> Tensor:
        """Returns each Gaussian's log-likelihood, as coefficients of `colour_terms`.

        Args:
            level_std: Standard deviation of the log brightness of the images; infinite if
                brightness carries no information.
        """
        p, c = self.precision, self.colour
        pull = (p @ c[:, :, None])[..., 0]
        tight = 1 / (self.log_level_std**2 + level_std.double() ** 2)
        # tight is 0 if level_std is infinite: its logarithm then drops out of a comparison
        normal = tight.clamp(min=1e-30).log() / 2
        return torch.stack(
            [
                self.log_weight - (pull * c).sum(1) / 2 + normal - tight * self.log_level**2 / 2,
                *pull.unbind(1),
                *(-p[:, i, j] / (1 + (i == j)) for i, j in _pairs(c.shape[1])),
                tight * self.log_level,
                -tight / 2 * torch.ones_like(self.log_level),
            ],
            dim=1,
        )

    def posterior(self, rgb: Tensor, level_std: Tensor) -> Posterior:
        """Computes the spectra that the pixels of images may have, each pixel by itself.

        Args:
            rgb: (batch, n, rows, columns) linear channels on the scale of reflectance.
            level_std: See `log_likelihood`.
        """
        parts = self._parts()
        pairs = [parts[i] * parts[j] * (2 - (i == j)) for i, j in _pairs(len(parts))]
        square = torch.cat([pairs[0] + self.variance, *pairs[1:]])
        return Posterior(*self._by_strips(rgb, level_std, [square, self._distances().T]))

    def posterior_mean(self, rgb: Tensor, level_std: Tensor) -> Tensor:
        """Computes the mean of `posterior` alone, at a third of the cost."""
        return self._by_strips(rgb, level_std, [])[0]

    def _distances(self) -> Tensor:
        """Returns squared deviations from colours, as coefficients of `colour_terms`."""
        p, c = self.precision, self.colour
        pull = (p @ c[:, :, None])[..., 0]
        square = [p[:, i, j] * (2 - (i == j)) for i, j in _pairs(c.shape[1])]
        none = torch.zeros_like(c[:, 0])
        linear = (-2 * pull).unbind(1)
        return torch.stack([(pull * c).sum(1), *linear, *square, none, none], dim=1)

    def _parts(self) -> Tensor:
        """Returns coefficients of 1 and the colours, for spectra less centre; (n, count, bands)."""
        offset = self.mean - self._centre() - (self.gain * self.colour[:, None]).sum(-1)
        return torch.stack([offset, *self.gain.unbind(-1)])

    def _centre(self) -> Tensor:
        """Returns a spectrum (bands,) about which variances are computed, to limit rounding."""
        return self.mean.mean(0)

    def _by_strips(self, rgb: Tensor, level_std: Tensor, spread: list[Tensor]) -> list[Tensor]:
        """Evaluates the mixture for a strip of rows at a time, which bounds the memory."""
        first = self._parts().flatten(0, 1)
        weights, *maps = (
            each.to(rgb)[..., None, None]
            for each in (self.log_likelihood(level_std), *(each.T for each in (first, *spread)))
        )
        centre = self._centre().to(rgb)[:, None, None]
        batch, channels, rows, columns = rgb.shape
        strip = max(1, STRIP * len(_pairs(3)) // len(_pairs(channels)) // columns)
        per = -(-rows // strip)
        found = [
            _evaluate(part, centre, weights, *maps)
            for image in rgb.split(1)
            for part in image.split(strip, dim=2)
        ]
        return [
            torch.cat([torch.cat(each[i * per : (i + 1) * per], dim=2) for i in range(batch)])
            for each in zip(*found)
        ]


def _pairs(count: int) -> list[tuple[int, int]]:
    """Returns the pairs of indices whose products make a quadratic form."""
    return [*combinations_with_replacement(range(count), 2)]


def _evaluate(
    rgb: Tensor,
    centre: Tensor,
    weights: Tensor,
    first: Tensor,
    second: Tensor | None = None,
    distances: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """Returns the mean and, if the last two arguments are given, the rest of a `Posterior`."""
    level, colour = colours(rgb)
    terms = colour_terms(level, colour)
    share = F.conv2d(terms, weights).softmax(1)
    each = colour.split(1, dim=1)
    moments = [share, *(share * c for c in each)]
    mean = F.conv2d(torch.cat(moments, dim=1), first)
    # colours beyond those of all spectra have lower means, and reflectance is not negative
    reflectance = (centre + mean).clamp(min=0.01) * level
    if second is None or distances is None:
        return (reflectance,)
    moments += [moments[i + 1] * each[j] for i, j in _pairs(len(each))]
    square = F.conv2d(torch.cat(moments, dim=1), second)
    spread = (square - mean.square()).clamp(min=0).sqrt()
    apart = F.conv2d(terms, distances) * share
    far = apart[:, 1:].sum(1, keepdim=True)
    beyond = (-(far - NEAR**2).clamp(min=0) / 2).exp()
    widening = torch.ones_like(far)
    if len(each) > 2:
        widening = _widening(apart.sum(1, keepdim=True), len(each))
    novelty = 1 - (1 - share[:, :1]) * beyond
    return reflectance, spread * widening * level, novelty, widening


def _widening(distance: Tensor, colours: int) -> Tensor:
    """Returns the factor on deviations of pixels whose colours are unlike those of the mixture.

    The mean of the squared distance over the number of colours is 1 if a Gaussian holds. The ratio
    estimates by what its covariance is too small, as in the posterior of a Student distribution of
    few degrees of freedom. Values below 1 are left to chance. Three channels have two colours, too
    few for such an estimate.

    Args:
        distance: Expected squared Mahalanobis distance of the colours from the Gaussians.
        colours: Number of colours.
    """
    return (distance / colours).clamp(min=1).sqrt()


def kept(channels: int) -> list[int]:
    """Returns the indices of the channels whose colours describe a pixel."""
    return [i for i in range(channels) if i != _DROPPED]


def colours(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Computes brightness, and the kept channels over brightness less 1.

    Args:
        rgb: (batch, n, rows, columns) linear channels.

    Returns:
        (batch, 1, rows, columns) and (batch, n - 1, rows, columns).
    """
    channels = rgb.shape[1]
    level = rgb.mean(1, keepdim=True).clamp(min=DIM)
    # a channel that is not negative is at most n times as bright as the mean
    return level, (rgb[:, kept(channels)] / level - 1).clamp(-1.5, channels - 0.5)


def colour_terms(level: Tensor, colour: Tensor) -> Tensor:
    """Returns the terms of a quadratic function of colour and log brightness.

    Args:
        level, colour: As from `colours`.

    Returns:
        (batch, terms, rows, columns): 1, the colours, their products, log brightness and its
        square.
    """
    log = level.log()
    each = colour.split(1, dim=1)
    square = [each[i] * each[j] for i, j in _pairs(len(each))]
    return torch.cat([torch.ones_like(log), colour, *square, log, log * log], dim=1)
