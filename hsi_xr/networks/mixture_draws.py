"""Draws spectra for all pixels of a scene jointly, from a mixture of Gaussians.

Pixels of a scene show few materials, and what a material really is, all of its pixels share. So
errors of neighbouring pixels are alike, and do not average out. In a draw, the Gaussian of a pixel
is chosen by noise that the whole scene shares, and so is a part of the residual of each Gaussian.
The rest of the residual is the pixel's own. Each pixel by itself has the distribution of the
posterior, whatever is shared.

Everything that is shared is a small table, a function of seed and draw: tiles agree.

Source: the Gumbel-max trick, after Maddison, Tarlow, Minka 2014, "A* sampling" (NeurIPS 27). That
the pixels of a scene share its noise is original to this package.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from hsi_xr.networks.projected_mixture import ProjectedMixture, colour_terms, colours

OWN = 128
"""Residuals that a pixel's own part is one of; two pixels of a Gaussian rarely have the same."""

STRIP = 2**13
"""Pixels that are processed at a time; each needs a value in double precision per Gaussian."""

_ROUNDING = 1e-9
"""Added to the variances of shapes, which are exactly 0 in the direction of brightness."""


@dataclass(frozen=True)
class DrawNoise:
    """The noise that all pixels of a draw share.

    Attributes:
        choice: (count,) uniform within (0, 1): chooses Gaussians.
        shared: (count, bands) standard normal: the part of the residual that a Gaussian's pixels
            share.
        own: (`OWN` / 2, bands) standard normal: the parts that a pixel may have of its own; their
            negatives are as likely.
    """

    choice: Tensor
    shared: Tensor
    own: Tensor


@dataclass(frozen=True)
class MixtureDraw:
    """A draw from the mixture, as tables in which pixels look up their spectra.

    Attributes:
        evidence: (count, terms) log-likelihoods with the noise of the choice, as coefficients of
            `colour_terms`, in double precision: the choice must not depend on rounding.
        offset: (count * `OWN`, bands) shapes for grey, with both residuals.
        gain: (n - 1, count, bands) regression of the shape on the colour.
    """

    evidence: Tensor
    offset: Tensor
    gain: Tensor

    @classmethod
    def of(
        cls, mixture: ProjectedMixture, level_std: Tensor, noise: DrawNoise, *, shared: float
    ) -> Self:
        """Returns the tables of a draw.

        Args:
            mixture: In the colours of the camera of the draw.
            level_std: See `ProjectedMixture.log_likelihood`.
            noise: The noise of the draw.
            shared: Share of the variance given the colour that the pixels of a Gaussian share.
        """
        evidence = mixture.log_likelihood(level_std)
        evidence[:, 0] -= (-noise.choice.double().log()).log()
        bands = mixture.mean.shape[1]
        jitter = _ROUNDING * torch.eye(bands, dtype=torch.float64, device=mixture.mean.device)
        factor = torch.linalg.cholesky(mixture.covariance + jitter).float()
        common = (factor @ noise.shared[..., None])[..., 0]
        own = torch.cat([noise.own, -noise.own]) @ factor.mT
        at_grey = mixture.mean - (mixture.gain * mixture.colour[:, None]).sum(-1)
        offset = at_grey.float() + shared**0.5 * common
        offset = offset[:, None] + (1 - shared) ** 0.5 * own
        gain = torch.stack(mixture.gain.float().unbind(-1))
        return cls(evidence, offset.flatten(0, 1), gain)

    def reflectance(self, rgb: Tensor, words: Tensor) -> Tensor:
        """Returns the reflectance of pixels in this draw.

        Args:
            rgb: (batch, n, rows, columns) linear channels on the scale of reflectance.
            words: (batch, rows, columns) random integers, at least 0: the noise of the pixels.

        Returns:
            (batch, bands, rows, columns).
        """
        batch, _, rows, columns = rgb.shape
        pixels = rgb.movedim(1, -1).reshape(-1, rgb.shape[1])
        own = words.flatten() % OWN
        parts = [self._of_pixels(*part) for part in zip(pixels.split(STRIP), own.split(STRIP))]
        return torch.cat(parts).reshape(batch, rows, columns, -1).movedim(-1, 1)

    def _of_pixels(self, pixels: Tensor, own: Tensor) -> Tensor:
        """Returns the reflectance of (pixels, n) channels; (pixels, bands)."""
        level, colour = colours(pixels.double().T[None, ..., None])
        terms = colour_terms(level, colour)[0, ..., 0]
        chosen = (self.evidence @ terms).argmax(0)
        shape = self.offset.index_select(0, chosen * OWN + own)
        for slope, each in zip(self.gain, colour[0, ..., 0].to(shape)):
            shape.addcmul_(slope.index_select(0, chosen), each[:, None])
        # see `ProjectedMixture.posterior`
        return shape.clamp_(min=0.01).mul_(level[0, 0].to(shape))
