"""How a picture was made: by which camera, and what was done to it for display.

It shows only in the colours of the whole scene against what is known of spectra, so it is
estimated once per scene and never per tile: by Bayes' rule over a few ways to make pictures.
"""

import math

import torch
from torch import Tensor, nn

from hsi_xr.networks.chromaticity import shares
from hsi_xr.networks.gaussian_mixture import Seen, SpectralMixture, colours
from hsi_xr.reconstructors._base import SceneStatistics

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the colour matrix that pictures may have gone through; see `SpectralMixture.developed`."""

TINT = 0.02
"""Spread of the logarithm of a channel by white balance. It is not estimated: that had made most
pictures of held-out plots worse."""

LOOKS = 10.0
"""Independent colours that a scene counts for: its pixels are alike, and its ground need not have
the shares of the mixture."""

UNTOUCHED, FIXED, ADAPTED = 0.45, 0.35, 0.2
"""How likely the brightness of a picture is as it was; raised by much the same as of others; or by
what this one asked for."""

GAIN, GAIN_SPREAD = 2.0, 0.3
"""Mean and spread of the logarithm by which flights raise brightness: 1.95 and 2.12 at the sites of
the training plots."""

EXPOSED = math.log(0.25)
"""Logarithm of how bright pictures are that were exposed one by one."""

GROUND, GROUND_SPREAD = -0.35, 0.7
"""Mean and spread of the logarithm of a scene's brightness over that of spectra of its colours.

Scenes have gaps and shadows; the mean is that of the training plots' own pictures, -.39 and -.28 at
their two sites."""

NINETY = 1.645
"""Deviations on either side that hold 90 % of a normal distribution."""

LINEAR_NOISE, DISPLAY_NOISE = 0.004, 0.02
"""Of a channel over the brightness."""

UNKNOWN_CAMERA = 0.02
"""Spread of the logarithm of brightness between cameras."""


class Photofinishing(nn.Module):
    """Palette of a scene -> the facts that a mixture needs to believe anything of its pixels."""

    def __init__(self, bands: int, cameras: int) -> None:
        super().__init__()
        flat = torch.full((3, bands), 1 / bands)
        self.cameras = nn.Parameter(flat.repeat(cameras, 1, 1), requires_grad=False)
        """Those that an unknown camera may be; (cameras, 3, bands), rows that sum to 1."""
        self.observer = nn.Parameter(flat.clone(), requires_grad=False)
        """(3, bands) of a display's primaries (sRGB), white being (1, 1, 1)."""

    def forward(
        self, mixture: SpectralMixture, seen: Tensor | None, camera: Tensor | None
    ) -> dict[str, Tensor]:
        """The facts of a scene.

        Args:
            mixture: Of the spectra that ground may have.
            seen: (4 SIDE^2,) its palette; None where a white reflector is 1.
            camera: (3, bands) where it is known.

        Returns:
            `response` (3, bands), `gain` (1, 3) of the picture over reflectance, `colour`
            (count, 2) of the Gaussians and `doubt` (count, 2, 2) about it, `noise` and
            `level_doubt` (1,).
        """
        unsure = camera is None
        cameras = self.cameras if camera is None else camera[None]
        one = self.cameras.new_ones(1)
        if seen is None:
            return {
                **_as_seen(mixture, cameras, cameras, 0 * one, 0 * one),
                "noise": LINEAR_NOISE * one,
                "gain": one.expand(1, 3).clone(),
                "level_doubt": UNKNOWN_CAMERA * unsure * one,
            }
        share, rgb = (each[0] for each in shares(seen[None]))
        share, rgb = share[share > 0], rgb[:, share > 0].T
        noise = DISPLAY_NOISE * one
        full = mixture.developed(cameras, self.observer, one)
        chances = []
        for strength in STRENGTHS:
            way = _as_seen(mixture, cameras, full, strength * one, 0 * one)
            looked = mixture.seen_by(way["response"], noise=noise, doubt=way["doubt"])
            chances.append(LOOKS * _by_gaussian(looked, rgb).logsumexp(1) @ share)
        chance, strengths = torch.stack(chances).softmax(0), one.new_tensor(STRENGTHS)
        mean = chance @ strengths
        spread = (chance @ (strengths - mean).square()).sqrt()
        statistics = _as_seen(mixture, cameras, full, mean.reshape(1), spread.reshape(1))
        statistics["doubt"] = statistics["doubt"] + torch.diag_embed(
            TINT**2 * statistics["colour"].square()
        )
        looked = mixture.seen_by(statistics["response"], noise=noise, doubt=statistics["doubt"])
        gain, doubt = _level(looked, share, rgb)
        return {
            **statistics,
            "noise": noise,
            "gain": gain.exp().expand(1, 3).clone(),
            "level_doubt": doubt.reshape(1),
        }


def seen(mixture: SpectralMixture, statistics: SceneStatistics) -> Seen:
    """The mixture as the camera of a scene sees it."""
    return mixture.seen_by(
        statistics["response"], noise=statistics["noise"], doubt=statistics["doubt"]
    )


def _as_seen(
    mixture: SpectralMixture, raw: Tensor, full: Tensor, strength: Tensor, spread: Tensor
) -> dict[str, Tensor]:
    """The mean of cameras behind their colour matrices, and how colours vary about its own.

    Args:
        mixture: Whose Gaussians they see.
        raw, full: (cameras, 3, bands) without their matrices, and behind them.
        strength, spread: Of the matrices, and how sure that is.
    """
    cameras = torch.lerp(raw, full, strength)
    response = cameras.mean(0)
    mean, *ends = _colour(mixture, torch.stack([response, raw.mean(0), full.mean(0)]))
    apart = _colour(mixture, cameras) - mean
    doubt = torch.einsum("nki,nkj->kij", apart, apart) / len(cameras)
    slope = (ends[1] - ends[0]) * spread
    doubt = doubt + torch.einsum("ki,kj->kij", slope, slope)
    return {"response": response, "doubt": doubt, "colour": mean}


def _colour(mixture: SpectralMixture, cameras: Tensor) -> Tensor:
    """Red and blue over brightness of each Gaussian's mean; (n, 3, bands) -> (n, count, 2)."""
    rgb = torch.einsum("ncb,kb->nkc", cameras, mixture.shape)
    return rgb[..., [0, 2]] / rgb.mean(-1, keepdim=True).clamp(min=1e-4)


def _by_gaussian(looked: Seen, rgb: Tensor) -> Tensor:
    """Logarithms of how likely colours are without their brightness; (n, 3) -> (n, count)."""
    _, red, blue = (each[0, 0, 0] for each in colours(rgb.T[None, :, None]))
    one = torch.ones_like(red)
    terms = torch.stack([one, red, blue, red * red, red * blue, blue * blue], dim=-1)
    infinite = red.new_tensor(torch.inf)
    return terms @ looked.likelihood(infinite)[:, :6].T.to(terms)


def _level(looked: Seen, share: Tensor, rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithm of the gain of a picture over reflectance, and the deviation that holds 90 % of it.

    Either nothing was done to the brightness; or it was raised by what is usual for flights; or
    each picture was exposed for display and tells nothing of it. Ground of these colours is about
    as bright as it usually is. Of the gains that are likely that is taken which makes the least
    relative error in the mean.
    """
    bright = rgb.mean(1).clamp(min=1e-4).log() @ share
    usual = (_by_gaussian(looked, rgb).softmax(1) @ looked.level.to(rgb)) @ share + GROUND
    gains = torch.linspace(-2, 5, 1401).to(rgb)  # half a per cent apart
    ways = FIXED * _bell(gains, GAIN, GAIN_SPREAD) + ADAPTED * _bell(bright, EXPOSED, 0.6)
    likely = (gains[1] - gains[0]) * ways * _bell(bright - gains, usual, GROUND_SPREAD)
    likely[gains.abs().argmin()] += UNTOUCHED * _bell(bright, usual, GROUND_SPREAD)
    likely = likely / likely.sum()
    weight = (likely * gains.exp()).cumsum(0)
    best = gains[(weight < weight[-1] / 2).sum()]
    wrong, order = ((best - gains).exp() - 1).abs().sort()
    ninety = wrong[(likely[order].cumsum(0) < 0.9).sum().clamp(max=len(gains) - 1)]
    return best, (ninety / NINETY).clamp(max=2)


def _bell(x: Tensor, mean: Tensor | float, spread: float) -> Tensor:
    return (-(((x - mean) / spread) ** 2) / 2).exp() / (spread * math.tau**0.5)
