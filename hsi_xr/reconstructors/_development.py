"""How a picture was made: by which camera, and what was done to it for display.

It shows only in the colours of the whole scene against what is known of spectra, so it is
estimated once per scene and never per tile: by Bayes' rule over a few ways to make pictures.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hsi_xr.mixture import Seen, SpectralMixture, colours
from hsi_xr.reconstructors._base import SceneFacts

SIDE, REACH = 48, 1.8
"""Cells of the palette along each axis, and the largest logarithm of a ratio of channels."""

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the colour matrix that pictures may have gone through; see `SpectralMixture.developed`."""

TINTS = (-0.12, -0.06, 0.0, 0.06, 0.12)
"""Logarithms of red and of blue over green that a white balance may be off by."""

TINT = 0.06
"""Their standard deviation."""

LOOKS = 5.0
"""Independent colours that a scene counts for: its pixels are alike, and its ground need not have
the shares of the mixture."""

EXPOSED, EXPOSED_SPREAD = 0.25, 0.6
"""Mean brightness of pictures that were exposed for display, and spread of its logarithm."""

UNTOUCHED = 0.75
"""How likely the brightness of a picture is as it was, before it is looked at."""

GROUND_SPREAD = 0.55
"""Spread of the logarithm of a scene's brightness about that which its colours suggest."""

LINEAR_NOISE, DISPLAY_NOISE = 0.004, 0.03
"""Of a channel over the brightness."""

UNKNOWN_CAMERA = 0.02
"""Spread of the logarithm of brightness between cameras."""


def palette(rgb: Tensor, weights: Tensor | None = None) -> Tensor:
    """The colours of images; (batch, 3, h, w) -> (batch, 4 SIDE^2).

    For each cell of a grid of ratios of channels its share of the pixels, and that times its mean
    linear red, green and blue. Palettes of several windows average to that of the scene.
    """
    rgb = rgb.clamp(min=0)
    log = (rgb + 1e-3).log()
    places = (torch.stack([log[:, 0] - log[:, 1], log[:, 2] - log[:, 1]]) / REACH + 1) / 2
    row, column = (places * SIDE).long().clamp(0, SIDE - 1)
    cell = (row * SIDE + column).flatten(1)
    weight = torch.ones_like(rgb[:, :1]) if weights is None else weights
    each = (torch.cat([torch.ones_like(weight), rgb], dim=1) * weight).flatten(2)
    sums = rgb.new_zeros(len(rgb), 4, SIDE**2)
    sums.scatter_add_(2, cell[:, None].expand_as(each), each)
    return (sums / weight.flatten(1).sum(1).clamp(min=1e-6)[:, None, None]).flatten(1)


@dataclass(frozen=True)
class _Found:
    """What most likely was done, in the mean over all ways and their spread."""

    strength: Tensor
    strength_spread: Tensor
    tint: Tensor
    """(3,) logarithms."""
    tint_spread: Tensor


class Development(nn.Module):
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
            seen: (4 SIDE^2,) palette; None where a white reflector is 1.
            camera: (3, bands) where it is known.

        Returns:
            `response` (3, bands), `gain` (1, 3) of the picture over reflectance, `doubt`
            (count, 2, 2), `noise` and `level_doubt` (1,).
        """
        unsure = camera is None
        cameras = self.cameras if camera is None else camera[None]
        one = self.cameras.new_ones(1)
        if seen is None:
            still = 0 * one
            facts = _Found(still, still, still.expand(3), still)
            return {
                **self._as_seen(mixture, cameras, facts),
                "noise": LINEAR_NOISE * one,
                "gain": one.expand(1, 3).clone(),
                "level_doubt": UNKNOWN_CAMERA * unsure * one,
            }
        share, rgb = _cells(seen)
        found = self._found(mixture, cameras, share, rgb)
        facts = self._as_seen(mixture, cameras, found)
        rgb = rgb / found.tint.exp()
        looked = mixture.seen_by(facts["response"], noise=DISPLAY_NOISE * one, doubt=facts["doubt"])
        gain, doubt = _level(looked, share, rgb)
        return {
            **facts,
            "noise": DISPLAY_NOISE * one,
            "gain": (gain + found.tint).exp()[None],
            "level_doubt": doubt.reshape(1),
        }

    def _found(
        self, mixture: SpectralMixture, cameras: Tensor, share: Tensor, rgb: Tensor
    ) -> _Found:
        """Weighs each strength and tint by how likely it makes the scene's colours."""
        off = rgb.new_tensor(TINTS)
        red, blue = (each.flatten() for each in torch.meshgrid(off, off, indexing="ij"))
        tints = torch.stack([red, 0 * red, blue], dim=1)
        tints = tints - tints.mean(1, keepdim=True)
        prior = -(red**2 + blue**2) / (2 * TINT**2)
        turned = rgb / tints.exp()[:, None]  # (tints, cells, 3)
        scores = []
        for strength in STRENGTHS:
            still = rgb.new_zeros(1)
            way = _Found(still + strength, still, still.expand(3), still)
            facts = self._as_seen(mixture, cameras, way)
            looked = mixture.seen_by(
                facts["response"], noise=DISPLAY_NOISE * rgb.new_ones(1), doubt=facts["doubt"]
            )
            scores.append(LOOKS * (_log_density(looked, turned) @ share) + prior)
        weight = torch.stack(scores).flatten().softmax(0).view(len(STRENGTHS), -1)
        strengths, by = rgb.new_tensor(STRENGTHS), weight.sum(1)
        mean = by @ strengths
        tint = weight.sum(0) @ tints
        return _Found(
            mean.reshape(1),
            (by @ (strengths - mean) ** 2).sqrt().reshape(1),
            tint,
            (weight.sum(0) @ (tints - tint).square().mean(1)).sqrt().reshape(1),
        )

    def _as_seen(
        self, mixture: SpectralMixture, cameras: Tensor, found: _Found
    ) -> dict[str, Tensor]:
        """The mean camera behind the matrix, and how colours vary about it."""
        raw = cameras.mean(0)
        full = mixture.developed(raw, self.observer, found.strength.new_ones(1))
        response = torch.lerp(raw, full, found.strength)
        colour = _colour(mixture, response[None])
        apart = _colour(mixture, cameras) - _colour(mixture, raw[None])
        doubt = torch.einsum("nki,nkj->kij", apart, apart) / len(cameras)
        slope = (_colour(mixture, full[None]) - _colour(mixture, raw[None]))[0]
        doubt = doubt + torch.einsum("ki,kj->kij", slope, slope) * found.strength_spread**2
        own = torch.diag_embed((colour[0] * found.tint_spread).square())
        return {"response": response, "doubt": doubt + own}


def seen(mixture: SpectralMixture, facts: SceneFacts) -> Seen:
    """The mixture as the camera of a scene sees it."""
    return mixture.seen_by(facts["response"], noise=facts["noise"], doubt=facts["doubt"])


def _colour(mixture: SpectralMixture, cameras: Tensor) -> Tensor:
    """Red and blue over brightness of each Gaussian's mean; (n, 3, bands) -> (n, count, 2)."""
    rgb = torch.einsum("ncb,kb->nkc", cameras, mixture.shape)
    return rgb[..., [0, 2]] / rgb.mean(-1, keepdim=True).clamp(min=1e-4)


def _cells(seen: Tensor) -> tuple[Tensor, Tensor]:
    """Shares (cells,) and mean colours (cells, 3) of the cells that have any pixel."""
    share, *sums = seen.view(4, -1)
    taken = share > 0
    return share[taken], torch.stack(sums, dim=1)[taken] / share[taken, None]


def _log_density(looked: Seen, rgb: Tensor) -> Tensor:
    """Of colours without their brightness; (n, cells, 3) -> (n, cells)."""
    return _by_gaussian(looked, rgb).logsumexp(-1)


def _by_gaussian(looked: Seen, rgb: Tensor) -> Tensor:
    image = rgb.permute(2, 0, 1)[None]
    _, red, blue = (each[0, 0] for each in colours(image))
    one = torch.ones_like(red)
    terms = torch.stack([one, red, blue, red * red, red * blue, blue * blue], dim=-1)
    infinite = red.new_tensor(torch.inf)
    return terms @ looked.likelihood(infinite)[:, :6].T.to(terms)


def _level(looked: Seen, share: Tensor, rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithm of the gain of a picture over reflectance, and relative error to be expected.

    Either nothing was done to the brightness, or the picture was exposed for display and tells
    nothing of it: then ground of these colours is as bright as it usually is. Of the gains that
    are likely that is taken which makes the least relative error in the mean.
    """
    bright = rgb.mean(1).clamp(min=1e-4).log() @ share
    belongs = _by_gaussian(looked, rgb[None])[0].softmax(-1)
    usual = (belongs @ looked.level.to(rgb)) @ share
    as_it_was = _bell(bright, usual, GROUND_SPREAD).log() + _log(UNTOUCHED)
    exposed = _bell(bright, usual.new_tensor(_log(EXPOSED)), EXPOSED_SPREAD).log()
    chance = torch.sigmoid(exposed + _log(1 - UNTOUCHED) - as_it_was)
    gains = torch.linspace(-2, 5, 281).to(rgb)
    likely = _bell(gains, bright - usual, GROUND_SPREAD)
    likely = chance * likely / likely.sum()
    likely[(gains.abs()).argmin()] += 1 - chance
    weight = likely * gains.exp()
    best = gains[(weight.cumsum(0) < weight.sum() / 2).sum()]
    wrong = (best - gains).exp() - 1
    return best, (likely @ wrong.square()).sqrt().clamp(max=2)


def _bell(x: Tensor, mean: Tensor, spread: float) -> Tensor:
    return (-(((x - mean) / spread) ** 2) / 2).exp() / spread


def _log(number: float) -> float:
    return float(torch.tensor(number).log())
