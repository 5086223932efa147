"""Estimates how an image was photofinished: camera, colour matrix and brightness.

Photofinishing shows only in a comparison of the colours of the whole scene with known spectra, so
it is estimated once per scene and never per tile, by Bayes' rule over a few ways to process images.
"""

import math

import torch
from torch import Tensor, nn

from hsi_xr.networks.chromaticity import shares
from hsi_xr.networks.gaussian_mixture import SpectralMixture
from hsi_xr.networks.projected_mixture import ProjectedMixture, colours
from hsi_xr.reconstructors._base import SceneStatistics
from hsi_xr.reconstructors._level import Level

MATRIX_STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Strengths of the colour matrix that are compared; see `SpectralMixture.colour_corrected`."""

TINT_STD = 0.02
"""Standard deviation of a channel's log gain from white balance. White balance is not estimated:
estimating it made most images of held-out plots worse."""

EFFECTIVE_SAMPLE_SIZE = 10.0
"""Number of independent colours that a scene counts for. Its pixels are correlated, and materials
need not have the shares in a scene that they have in the mixture."""

P_UNCHANGED, P_FIXED, P_ADAPTED = 0.45, 0.35, 0.2
"""Prior probabilities that the brightness of an image was left unchanged, raised by a gain that is
usual for a flight, or exposed for the image itself."""

LOG_GAIN, LOG_GAIN_STD = 2.0, 0.3
"""Mean and standard deviation of the log gain that is usual for a flight; 1.95 and 2.12 at the two
sites of the training plots."""

LOG_EXPOSURE, LOG_EXPOSURE_STD = math.log(0.25), 0.6
"""Mean and standard deviation of the log brightness of images that were exposed one by one."""

LOG_GROUND, LOG_GROUND_STD = -0.35, 0.7
"""Mean and standard deviation of the log brightness of a scene relative to spectra of its colours.

Scenes have gaps and shadows. The mean is that of the images of the training plots, -0.39 and -0.28
at their two sites.
"""

NORMAL_90 = 1.645
"""Standard deviations on either side of the mean that contain 90 % of a normal distribution."""

LINEAR_NOISE, DISPLAY_NOISE = 0.004, 0.02
"""Standard deviation of the noise of a channel, relative to brightness."""

CAMERA_LEVEL_STD = 0.02
"""Standard deviation of log brightness between cameras."""


class Photofinishing(nn.Module):
    """Estimates from the colours of a scene the statistics that a spectral mixture needs.

    Attributes:
        cameras: (cameras, 3, bands) responses that an unknown camera may have; rows sum to 1.
        observer: (3, bands) of the primaries of a display (sRGB), where white is (1, 1, 1).
    """

    def __init__(self, bands: int, cameras: int) -> None:
        super().__init__()
        flat = torch.full((3, bands), 1 / bands)
        self.cameras = nn.Parameter(flat.repeat(cameras, 1, 1), requires_grad=False)
        self.observer = nn.Parameter(flat.clone(), requires_grad=False)

    def forward(
        self,
        mixture: SpectralMixture,
        chromaticity: Tensor | None,
        camera: Tensor | None,
        level: Level | None = None,
    ) -> dict[str, Tensor]:
        """Returns the statistics of a scene.

        Args:
            mixture: The spectra that the ground may have.
            chromaticity: (4 SIDE^2,) chromaticity histogram; None if a white reflector is 1.
            camera: (3, bands) response with rows that sum to 1; None if unknown.
            level: The gain of an image, if it is stated; None estimates it. Camera and colour
                matrix are estimated from the colours in either case.

        Returns:
            `response` (3, bands); `gain` (1, 3) of the image over reflectance; `colour` (count, 2)
            of the Gaussians and their `colour_covariance` (count, 2, 2); `noise` (1,); and
            `level_std` (1,), the standard deviation of the logarithm of the gain.
        """
        cameras = self.cameras if camera is None else camera[None]
        if chromaticity is None:
            return _linear(mixture, cameras, unknown=camera is None)
        share, rgb = (each[0] for each in shares(chromaticity[None]))
        share, rgb = share[share > 0], rgb[:, share > 0].T
        statistics = self._display(mixture, cameras, share, rgb)
        return statistics if level is None else statistics | _stated(level, rgb)

    def _display(
        self, mixture: SpectralMixture, cameras: Tensor, share: Tensor, rgb: Tensor
    ) -> dict[str, Tensor]:
        """Returns the statistics of an image for display, from (n,) shares of (n, 3) colours."""
        one = self.cameras.new_ones(1)
        noise = DISPLAY_NOISE * one
        full = mixture.colour_corrected(cameras, self.observer, one)
        evidence = []
        for strength in MATRIX_STRENGTHS:
            camera = _mean_camera(mixture, cameras, full, strength * one, 0 * one)
            likelihood = _log_likelihood(_project(mixture, camera, noise), rgb).logsumexp(1)
            evidence.append(EFFECTIVE_SAMPLE_SIZE * likelihood @ share)
        posterior, strengths = torch.stack(evidence).softmax(0), one.new_tensor(MATRIX_STRENGTHS)
        mean = posterior @ strengths
        std = (posterior @ (strengths - mean).square()).sqrt()
        camera = _mean_camera(mixture, cameras, full, mean.reshape(1), std.reshape(1))
        tint = torch.diag_embed(TINT_STD**2 * camera["colour"].square())
        camera["colour_covariance"] = camera["colour_covariance"] + tint
        log_gain, level_std = _log_gain(_project(mixture, camera, noise), share, rgb)
        return {
            **camera,
            "noise": noise,
            "gain": log_gain.exp().expand(1, 3).clone(),
            "level_std": level_std.reshape(1),
        }


def _stated(level: Level, like: Tensor) -> dict[str, Tensor]:
    """Returns the statistics that a stated level determines."""
    gain, std = like.new_tensor([[level.gain]]), like.new_tensor([level.log_std])
    return {"gain": gain.expand(1, 3).clone(), "level_std": std}


def project_mixture(mixture: SpectralMixture, statistics: SceneStatistics) -> ProjectedMixture:
    """Returns a mixture in the colours of the camera of a scene."""
    return _project(mixture, statistics, statistics["noise"])


def _project(
    mixture: SpectralMixture, statistics: SceneStatistics, noise: Tensor
) -> ProjectedMixture:
    covariance = statistics["colour_covariance"]
    return mixture.project(statistics["response"], noise=noise, covariance=covariance)


def _linear(mixture: SpectralMixture, cameras: Tensor, *, unknown: bool) -> dict[str, Tensor]:
    """Returns the statistics of a scene in which a white reflector is 1."""
    one = cameras.new_ones(1)
    return {
        **_mean_camera(mixture, cameras, cameras, 0 * one, 0 * one),
        "noise": LINEAR_NOISE * one,
        "gain": one.expand(1, 3).clone(),
        "level_std": CAMERA_LEVEL_STD * unknown * one,
    }


def _mean_camera(
    mixture: SpectralMixture, raw: Tensor, corrected: Tensor, strength: Tensor, std: Tensor
) -> dict[str, Tensor]:
    """Returns the mean of cameras with their colour matrices, and how their colours vary.

    Args:
        mixture: The Gaussians whose colours are compared.
        raw: (cameras, 3, bands) responses without colour matrices.
        corrected: (cameras, 3, bands) responses with colour matrices of full strength.
        strength: Strength of the matrices.
        std: Standard deviation of the strength.
    """
    cameras = torch.lerp(raw, corrected, strength)
    response = cameras.mean(0)
    mean, *ends = _colours(mixture, torch.stack([response, raw.mean(0), corrected.mean(0)]))
    difference = _colours(mixture, cameras) - mean
    covariance = torch.einsum("nki,nkj->kij", difference, difference) / len(cameras)
    slope = (ends[1] - ends[0]) * std
    covariance = covariance + torch.einsum("ki,kj->kij", slope, slope)
    return {"response": response, "colour_covariance": covariance, "colour": mean}


def _colours(mixture: SpectralMixture, cameras: Tensor) -> Tensor:
    """Returns red and blue over brightness of each Gaussian's mean; (n, count, 2)."""
    rgb = torch.einsum("ncb,kb->nkc", cameras, mixture.mean)
    return rgb[..., [0, 2]] / rgb.mean(-1, keepdim=True).clamp(min=1e-4)


def _log_likelihood(mixture: ProjectedMixture, rgb: Tensor) -> Tensor:
    """Returns log-likelihoods of (n, 3) colours without their brightness; (n, count)."""
    _, red, blue = (each[0, 0, 0] for each in colours(rgb.T[None, :, None]))
    one = torch.ones_like(red)
    terms = torch.stack([one, red, blue, red * red, red * blue, blue * blue], dim=-1)
    infinite = red.new_tensor(torch.inf)
    return terms @ mixture.log_likelihood(infinite)[:, :6].T.to(terms)


def _log_gain(mixture: ProjectedMixture, share: Tensor, rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the log gain of an image over reflectance, and its standard deviation.

    Three hypotheses are weighted: the brightness was left unchanged; it was raised by a gain that
    is usual for a flight; or the image was exposed by itself, so its brightness carries no
    information. In all of them, ground of these colours has about its usual brightness. The gain
    returned minimises the expected relative error; the deviation is such that 1.645 of it cover 90
    %.
    """
    bright = rgb.mean(1).clamp(min=1e-4).log() @ share
    membership = _log_likelihood(mixture, rgb).softmax(1)
    ground = (membership @ mixture.log_level.to(rgb)) @ share + LOG_GROUND
    gains = torch.linspace(-2, 5, 1401).to(rgb)  # half a per cent apart
    prior = P_FIXED * _normal(gains, LOG_GAIN, LOG_GAIN_STD) + P_ADAPTED * _normal(
        bright, LOG_EXPOSURE, LOG_EXPOSURE_STD
    )
    posterior = (gains[1] - gains[0]) * prior * _normal(bright - gains, ground, LOG_GROUND_STD)
    posterior[gains.abs().argmin()] += P_UNCHANGED * _normal(bright, ground, LOG_GROUND_STD)
    posterior = posterior / posterior.sum()
    weight = (posterior * gains.exp()).cumsum(0)
    best = gains[(weight < weight[-1] / 2).sum()]
    error, order = ((best - gains).exp() - 1).abs().sort()
    covered = error[(posterior[order].cumsum(0) < 0.9).sum().clamp(max=len(gains) - 1)]
    return best, (covered / NORMAL_90).clamp(max=2)


def _normal(x: Tensor, mean: Tensor | float, std: float) -> Tensor:
    return (-(((x - mean) / std) ** 2) / 2).exp() / (std * math.tau**0.5)
