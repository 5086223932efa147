"""A mixture of Gaussians over spectra, and what it believes of a pixel that some camera saw.

A camera is a linear map, so a Gaussian stays one under it: for any response the spectra behind a
colour, and how unsure they are, follow in closed form. Nothing is learned about cameras.

Source: Wiener estimation of spectra by a mixture, after Murakami, Obi, Yamaguchi, Ohyama 2002
(Applied Optics 41(23), 4840-4847); shapes apart from brightness, and doubt about the camera, are a
design of ours.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsi_xr.networks.root_polynomial import least_squares

DIM = 1e-4
"""Linear RGB under which a pixel has no colour."""

NEAR = 3.0
"""Deviations within which a colour is a Gaussian's own."""

SLAB = 2**14
"""Pixels at once: each has several numbers for each Gaussian meanwhile."""


class SpectralMixture(nn.Module):
    """Spectra as brightness times shape: shapes of mean 1 in Gaussians, each with its brightness.

    The first Gaussian is broad: colours that no other explains are its own.
    """

    def __init__(self, bands: int, count: int) -> None:
        super().__init__()

        def numbers(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(shape), requires_grad=False)

        self.share = numbers(count)
        """Logarithms of shares of all spectra."""
        self.shape = numbers(count, bands)
        self.factor = numbers(count, bands, bands)
        """Lower Cholesky factors of the covariances."""
        self.level = numbers(count)
        """Mean logarithms of brightness, the mean over the bands."""
        self.level_spread = numbers(count)
        torch.nn.init.ones_(self.shape)
        torch.nn.init.ones_(self.level_spread)
        self.factor.data += 0.1 * torch.eye(bands)

    def seen_by(self, response: Tensor, *, noise: Tensor, doubt: Tensor | None = None) -> "Seen":
        """What the Gaussians look like to a camera.

        Args:
            response: (3, bands), rows that sum to 1; a colour matrix may have made parts negative.
            noise: Standard deviation of a channel over the brightness.
            doubt: (count, 2, 2) further covariance of the colours, of a camera that is not known.
        """
        shape, factor = self.shape.double(), self.factor.double()
        response = response.double()
        through = response.mean(0)
        bright = (shape @ through).clamp(min=DIM)
        mean = shape / bright[:, None]
        # of spectra over what the camera calls their brightness, to first order
        factor = (factor - mean[:, :, None] * (through @ factor)[:, None]) / bright[:, None, None]
        channels = response[[0, 2]]
        projected = channels @ factor
        cross = factor @ projected.mT
        scatter = projected @ projected.mT + noise.double() ** 2 * torch.eye(2).to(cross)
        scatter = scatter if doubt is None else scatter + doubt.double()
        gain = torch.linalg.solve(scatter, cross, left=False)
        rest = factor.square().sum(-1) - (gain * cross).sum(-1)
        return Seen(
            colour=mean @ channels.T - 1,
            precision=torch.linalg.inv(scatter),
            share=self.share - scatter.logdet() / 2,
            level=self.level + bright.log(),
            level_spread=self.level_spread.double(),
            mean=mean,
            gain=gain,
            rest=rest.clamp(min=0),
        )

    def developed(self, response: Tensor, observer: Tensor, strength: Tensor) -> Tensor:
        """A camera behind the colour matrix that brings its colours towards an observer's.

        Args:
            response: (..., 3, bands).
            observer: (3, bands) of a display's primaries.
            strength: 0 leaves the camera as it is, 1 is the matrix that fits these spectra best.
        """
        weight = self.share.exp().sqrt()[:, None]
        wanted = weight * (self.shape @ observer.T)
        flat = response.reshape(-1, *response.shape[-2:])
        matrices = torch.stack([least_squares(weight * (self.shape @ r.T), wanted).T for r in flat])
        matrices = matrices / matrices.sum(-1, keepdim=True)  # white stays white
        full = (matrices @ flat).reshape(response.shape)
        return torch.lerp(response, full, strength)


@dataclass(frozen=True)
class Belief:
    """Of the pixels of images."""

    mean: Tensor
    """(batch, bands, rows, columns) reflectance."""
    deviation: Tensor
    """The same shape: standard deviation of the spectra that look like this."""
    novelty: Tensor
    """(batch, 1, rows, columns): 0 where a Gaussian has this colour within `NEAR` deviations;
    towards 1 where only the broad one has it, or the nearest is farther."""


@dataclass(frozen=True)
class Seen:
    """The Gaussians of a mixture as a camera sees them: colours are red and blue over brightness.

    Shapes here have brightness 1 to the camera, the mean of its three channels.
    """

    colour: Tensor
    """(count, 2), less 1: rounding counts where grey is not 0."""
    precision: Tensor
    """(count, 2, 2)"""
    share: Tensor
    """(count,) logarithms, less that of the root of the covariance's determinant."""
    level: Tensor
    """(count,) mean logarithms of the camera's brightness."""
    level_spread: Tensor
    mean: Tensor
    """(count, bands)"""
    gain: Tensor
    """(count, bands, 2): what a colour says of the shape."""
    rest: Tensor
    """(count, bands): variance that is left."""

    def likelihood(self, level_doubt: Tensor) -> Tensor:
        """(count, 8): each Gaussian's logarithm in the terms of `_terms`.

        Args:
            level_doubt: Standard deviation of the logarithm of the images' brightness; infinite
                where brightness tells nothing.
        """
        p, c = self.precision, self.colour
        pull = (p @ c[:, :, None])[..., 0]
        tight = 1 / (self.level_spread**2 + level_doubt.double() ** 2)
        # tight is 0 under infinite doubt: its logarithm drops out of a comparison then
        normal = tight.clamp(min=1e-30).log() / 2
        return torch.stack(
            [
                self.share - (pull * c).sum(1) / 2 + normal - tight * self.level**2 / 2,
                pull[:, 0],
                pull[:, 1],
                -p[:, 0, 0] / 2,
                -p[:, 0, 1],
                -p[:, 1, 1] / 2,
                tight * self.level,
                -tight / 2 * torch.ones_like(self.level),
            ],
            dim=1,
        )

    def believe(self, rgb: Tensor, level_doubt: Tensor) -> Belief:
        """What spectra have the colours of images; a pixel depends on itself alone.

        Args:
            rgb: (batch, 3, rows, columns) linear, on the scale of reflectance.
            level_doubt: See `likelihood`.
        """
        parts = self._parts()
        pairs = [parts[i] * parts[j] * (2 - (i == j)) for i, j in _PAIRS]
        square = torch.cat([pairs[0] + self.rest, *pairs[1:]])
        return Belief(*self._by_strips(rgb, level_doubt, [square, self._distances().T]))

    def expect(self, rgb: Tensor, level_doubt: Tensor) -> Tensor:
        """The mean of `believe` alone, at a third of the cost."""
        return self._by_strips(rgb, level_doubt, [])[0]

    def _distances(self) -> Tensor:
        """(count, 8): squared deviations from each Gaussian's colour, in the terms of `_terms`."""
        p, c = self.precision, self.colour
        pull = (p @ c[:, :, None])[..., 0]
        cross = [2 * p[:, 0, 1], p[:, 1, 1], 0 * c[:, 0], 0 * c[:, 0]]
        return torch.stack(
            [(pull * c).sum(1), -2 * pull[:, 0], -2 * pull[:, 1], p[:, 0, 0], *cross], dim=1
        )

    def _parts(self) -> Tensor:
        """(3, count, bands): what 1, red and blue add to a spectrum beyond the centre."""
        offset = self.mean - self._centre() - (self.gain * self.colour[:, None]).sum(-1)
        return torch.stack([offset, *self.gain.unbind(-1)])

    def _centre(self) -> Tensor:
        """(bands,): a spectrum about which variances are small numbers, as rounding wants it."""
        return self.mean.mean(0)

    def _by_strips(self, rgb: Tensor, level_doubt: Tensor, doubt: list[Tensor]) -> list[Tensor]:
        first = self._parts().flatten(0, 1)
        weights, *asked = (
            each.to(rgb)[..., None, None]
            for each in (self.likelihood(level_doubt), *(each.T for each in (first, *doubt)))
        )
        centre = self._centre().to(rgb)[:, None, None]
        batch, _, rows, columns = rgb.shape
        strip = max(1, SLAB // columns)
        per = -(-rows // strip)
        found = [
            _believe(part, centre, weights, *asked)
            for image in rgb.split(1)
            for part in image.split(strip, dim=2)
        ]
        return [
            torch.cat([torch.cat(each[i * per : (i + 1) * per], dim=2) for i in range(batch)])
            for each in zip(*found)
        ]


_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


def _believe(
    rgb: Tensor,
    centre: Tensor,
    weights: Tensor,
    first: Tensor,
    second: Tensor | None = None,
    distances: Tensor | None = None,
) -> tuple[Tensor, ...]:
    level, red, blue = colours(rgb)
    terms = _terms(level, red, blue)
    share = F.conv2d(terms, weights).softmax(1)
    moments = [share, share * red, share * blue]
    mean = F.conv2d(torch.cat(moments, dim=1), first)
    # a mean below this is a colour beyond all spectra, and what is below zero no reflectance
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
    """Brightness, and red and blue over it, less 1; (batch, 3, h, w) -> three (batch, 1, h, w)."""
    level = rgb.mean(1, keepdim=True).clamp(min=DIM)
    red, blue = ((rgb[:, c : c + 1] / level - 1).clamp(-1.5, 2.5) for c in (0, 2))
    return level, red, blue


def _terms(level: Tensor, red: Tensor, blue: Tensor) -> Tensor:
    log = level.log()
    one = torch.ones_like(log)
    return torch.cat([one, red, blue, red * red, red * blue, blue * blue, log, log * log], dim=1)
