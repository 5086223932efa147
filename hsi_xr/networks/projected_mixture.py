"""A mixture of Gaussians over spectra in the colours of a camera, and the posterior of pixels.

Source: see `hsi_xr.networks.gaussian_mixture`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

DIM = 1e-4
"""Linear RGB below which a pixel has no colour."""

NEAR = 3.0
"""Standard deviations from a Gaussian within which a colour is not novel."""

STRIP = 2**14
"""Pixels that are processed at a time; each needs several values for each Gaussian."""


@dataclass(frozen=True)
class Posterior:
    """The spectra that the pixels of images may have.

    Attributes:
        mean: (batch, bands, rows, columns) reflectance.
        std: Standard deviation of the reflectance, of the same shape.
        novelty: (batch, 1, rows, columns) out-of-distribution score: 0 if a Gaussian has the colour
            within `NEAR` standard deviations, near 1 if only the broad one has it or all are
            farther.
    """

    mean: Tensor
    std: Tensor
    novelty: Tensor


@dataclass(frozen=True)
class ProjectedMixture:
    """A mixture in the colours of a camera: red and blue over brightness.

    Brightness is the mean of the camera's three channels; shapes here have brightness 1.

    Attributes:
        colour: (count, 2) mean colours less 1: rounding matters, so grey is 0.
        precision: (count, 2, 2) inverse covariances of the colours.
        log_weight: (count,) logarithms of the mixing weights over the square root of the
            determinants of the covariances.
        log_level: (count,) means of the logarithm of the camera's brightness.
        log_level_std: (count,) its standard deviations.
        mean: (count, bands) mean shapes.
        gain: (count, bands, 2) regression of the shape on the colour.
        variance: (count, bands) variance of the shape given the colour.
    """

    colour: Tensor
    precision: Tensor
    log_weight: Tensor
    log_level: Tensor
    log_level_std: Tensor
    mean: Tensor
    gain: Tensor
    variance: Tensor

    def log_likelihood(self, level_std: Tensor) -> Tensor:
        """Returns each Gaussian's log-likelihood, as coefficients of `colour_terms`; (count, 8).

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
                pull[:, 0],
                pull[:, 1],
                -p[:, 0, 0] / 2,
                -p[:, 0, 1],
                -p[:, 1, 1] / 2,
                tight * self.log_level,
                -tight / 2 * torch.ones_like(self.log_level),
            ],
            dim=1,
        )

    def posterior(self, rgb: Tensor, level_std: Tensor) -> Posterior:
        """Computes the spectra that the pixels of images may have, each pixel by itself.

        Args:
            rgb: (batch, 3, rows, columns) linear RGB on the scale of reflectance.
            level_std: See `log_likelihood`.
        """
        parts = self._parts()
        pairs = [parts[i] * parts[j] * (2 - (i == j)) for i, j in _PAIRS]
        square = torch.cat([pairs[0] + self.variance, *pairs[1:]])
        return Posterior(*self._by_strips(rgb, level_std, [square, self._distances().T]))

    def posterior_mean(self, rgb: Tensor, level_std: Tensor) -> Tensor:
        """Computes the mean of `posterior` alone, at a third of the cost."""
        return self._by_strips(rgb, level_std, [])[0]

    def _distances(self) -> Tensor:
        """Returns squared deviations from colours, as coefficients of `colour_terms`."""
        p, c = self.precision, self.colour
        pull = (p @ c[:, :, None])[..., 0]
        cross = [2 * p[:, 0, 1], p[:, 1, 1], 0 * c[:, 0], 0 * c[:, 0]]
        return torch.stack(
            [(pull * c).sum(1), -2 * pull[:, 0], -2 * pull[:, 1], p[:, 0, 0], *cross], dim=1
        )

    def _parts(self) -> Tensor:
        """Returns coefficients of 1, red and blue, for spectra less centre; (3, count, bands)."""
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
        batch, _, rows, columns = rgb.shape
        strip = max(1, STRIP // columns)
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


_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


def _evaluate(
    rgb: Tensor,
    centre: Tensor,
    weights: Tensor,
    first: Tensor,
    second: Tensor | None = None,
    distances: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """Returns the mean, and if the last two arguments are given, deviation and novelty."""
    level, red, blue = colours(rgb)
    terms = colour_terms(level, red, blue)
    share = F.conv2d(terms, weights).softmax(1)
    moments = [share, share * red, share * blue]
    mean = F.conv2d(torch.cat(moments, dim=1), first)
    # colours beyond those of all spectra have lower means, and reflectance is not negative
    reflectance = (centre + mean).clamp(min=0.01) * level
    if second is None or distances is None:
        return (reflectance,)
    moments += [moments[1] * red, moments[1] * blue, moments[2] * blue]
    square = F.conv2d(torch.cat(moments, dim=1), second)
    spread = (square - mean.square()).clamp(min=0).sqrt()
    far = (F.conv2d(terms, distances) * share)[:, 1:].sum(1, keepdim=True)
    beyond = (-(far - NEAR**2).clamp(min=0) / 2).exp()
    return reflectance, spread * level, 1 - (1 - share[:, :1]) * beyond


def colours(rgb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Computes brightness, and red and blue over brightness less 1.

    Args:
        rgb: (batch, 3, rows, columns) linear RGB.

    Returns:
        Three tensors (batch, 1, rows, columns).
    """
    level = rgb.mean(1, keepdim=True).clamp(min=DIM)
    red, blue = ((rgb[:, c : c + 1] / level - 1).clamp(-1.5, 2.5) for c in (0, 2))
    return level, red, blue


def colour_terms(level: Tensor, red: Tensor, blue: Tensor) -> Tensor:
    """Returns the terms of a quadratic function of colour and log brightness.

    Args:
        level, red, blue: As from `colours`.

    Returns:
        (batch, 8, rows, columns): 1, red, blue, their products, log brightness and its square.
    """
    log = level.log()
    one = torch.ones_like(log)
    return torch.cat([one, red, blue, red * red, red * blue, blue * blue, log, log * log], dim=1)
