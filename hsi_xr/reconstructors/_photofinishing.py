"""Estimates how an image was photofinished: camera, colour matrix, haze and exposure.

Photofinishing can be inferred only by comparing the colours of the whole scene with known spectra,
so it is estimated once per scene and never per tile, by Bayes' rule over a few hypotheses.
"""

import math

import torch
from torch import Tensor, nn

from hsi_xr.networks.chromaticity import DARKEST, SceneColours, scene_colours
from hsi_xr.networks.gaussian_mixture import SpectralMixture
from hsi_xr.networks.projected_mixture import ProjectedMixture, colours, kept
from hsi_xr.reconstructors._base import SceneStatistics
from hsi_xr.reconstructors._exposure import Exposure, SunlitGround, exposure_of, sunlit_ground
from hsi_xr.reconstructors._level import Level

MATRIX_STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)
"""Strengths of the colour matrix that are compared; see `SpectralMixture.colour_corrected`. Images
are often more saturated than the matrix that fits these spectra best would make them."""

BETWEEN = 0.125
"""Standard deviation of the strength about each of these."""

HAZE = {0.0: 0.97, 0.5: 0.015, 1.0: 0.015}
"""Prior probabilities of haze, as a share of the largest offset that the darkest pixels allow."""

HAZE_COLOUR = (0.3, 0.55, 1.0)
"""Haze in red, green and blue: Rayleigh scattering, wavelength to the power of -4, at 620, 535 and
460 nm."""

HAZE_PIXELS = 0.005
"""Share of the pixels that may be darker than the haze. Source: the darkest pixels of a scene
measure haze after Chavez 1988 (Remote Sensing of Environment 24(3), 459-479)."""

TINT_STD = 0.02
"""Standard deviation of a channel's log gain from white balance. White balance is not estimated:
estimating it made most images of held-out plots worse."""

EFFECTIVE_SAMPLE_SIZE = 10.0
"""Number of independent colours to which a scene is equivalent. Its pixels are correlated, and the
proportions of materials in a scene may differ from those in the mixture."""

NORMAL_90 = 1.645
"""Standard deviations on either side of the mean that contain 90 % of a normal distribution."""

LINEAR_NOISE, DISPLAY_NOISE = 0.004, 0.02
"""Standard deviation of the noise of a channel, relative to brightness."""

SENSOR_NOISE = 0.01
"""The same for sensors of more than three channels, whose bands are calibrated one by one."""

CAMERA_LEVEL_STD = 0.02
"""Standard deviation of log brightness between cameras."""


class Photofinishing(nn.Module):
    """Estimates from the colours of a scene the statistics that a spectral mixture needs.

    Attributes:
        cameras: (cameras, 3, bands) responses that an unknown camera may have; rows sum to 1.
        observer: (3, bands) of the primaries of a display (sRGB), where white is (1, 1, 1).
        sunlit: Slope and intercept of the regression of `SunlitGround.log_ratio` on its `usual`,
            and the standard deviation about it.
    """

    def __init__(self, bands: int, cameras: int) -> None:
        super().__init__()
        flat = torch.full((3, bands), 1 / bands)
        self.cameras = nn.Parameter(flat.repeat(cameras, 1, 1), requires_grad=False)
        self.observer = nn.Parameter(flat.clone(), requires_grad=False)
        self.sunlit = nn.Parameter(torch.tensor([0.0, 0.0, 0.4]), requires_grad=False)

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
            camera: (n, bands) response with rows that sum to 1; None if unknown. An image for
                display has three channels.
            level: The gain of an image, if it is stated; None estimates it. Camera and colour
                matrix are estimated from the colours in either case.

        Returns:
            `response` (n, bands); `haze` (1, n), an offset of the image; `gain` (1, n) of the image
            over reflectance, and its 90 % interval `level_interval` (1, 2); `level_std` (1,), half
            of that in standard deviations of the logarithm; `colour` (count, n - 1) of the
            Gaussians and their `colour_covariance` (count, n - 1, n - 1); `noise` (1,); and for
            draws, `cameras` (cameras, n, bands) that may have taken the image, without their colour
            matrix, and the mean and standard deviation of its strength, `matrix` (2,).
        """
        cameras = self.cameras if camera is None else camera[None]
        if chromaticity is None:
            return _linear(mixture, cameras, unknown=camera is None)
        statistics = self._display(mixture, cameras, scene_colours(chromaticity))
        return statistics if level is None else statistics | _stated(level, chromaticity)

    def _display(
        self, mixture: SpectralMixture, cameras: Tensor, colours: SceneColours
    ) -> dict[str, Tensor]:
        """Returns the statistics of an image for display from its colours."""
        one = self.cameras.new_ones(1)
        noise = DISPLAY_NOISE * one
        full = mixture.colour_corrected(cameras, self.observer, one)
        most = _largest_haze(colours)
        strengths, hazes, evidence = [], [], []
        for matrix in MATRIX_STRENGTHS:
            camera = _tinted(_mean_camera(mixture, cameras, full, matrix * one, BETWEEN * one))
            projected = _project(mixture, camera, noise)
            for share, prior in HAZE.items():
                likelihood = _scene_likelihood(projected, colours, share * most)
                strengths.append(matrix)
                hazes.append(share)
                evidence.append(EFFECTIVE_SAMPLE_SIZE * likelihood + math.log(prior))
        posterior = torch.stack(evidence).softmax(0)
        strength = posterior @ one.new_tensor(strengths)
        variance = posterior @ (one.new_tensor(strengths) - strength).square()
        haze = posterior @ one.new_tensor(hazes) * most
        std = (variance + BETWEEN**2).sqrt()
        camera = _mean_camera(mixture, cameras, full, strength.reshape(1), std.reshape(1))
        camera = _tinted(camera)
        found = self._exposure(_project(mixture, camera, noise), colours.without(haze))
        low, high = found.interval
        return {
            **camera,
            "noise": noise,
            "haze": haze[None],
            "gain": found.log_gain.exp().expand(1, 3).clone(),
            "level_interval": found.interval.exp()[None],
            "level_std": ((high - low) / 2 / NORMAL_90).reshape(1),
            "cameras": cameras,
            "matrix": torch.stack([strength, std]),
        }

    def _exposure(self, mixture: ProjectedMixture, colours: SceneColours) -> Exposure:
        ground = sunlit_ground_of(mixture, colours)
        slope, intercept, std = self.sunlit
        log_gain = ground.log_ratio - slope * ground.usual - intercept
        bright = (colours.share @ colours.rgb.mean(1)).clamp(min=DARKEST).log()
        return exposure_of(bright, log_gain, std)


def _stated(level: Level, like: Tensor) -> dict[str, Tensor]:
    """Returns the statistics that a stated level determines.

    Reflectance is then linear RGB over the level: no haze is subtracted, of which a level that
    comes from a reflector or a reference already contains its share.
    """
    gain, std = like.new_tensor([[level.gain]]), like.new_tensor([level.log_std])
    spread = (NORMAL_90 * std).exp()
    return {
        "haze": like.new_zeros(1, 3),
        "gain": gain.expand(1, 3).clone(),
        "level_interval": torch.stack([gain[0] / spread, gain[0] * spread], dim=1),
        "level_std": std,
    }


def project_mixture(mixture: SpectralMixture, statistics: SceneStatistics) -> ProjectedMixture:
    """Returns a mixture in the colours of the camera of a scene."""
    return _project(mixture, statistics, statistics["noise"])


def sunlit_ground_of(mixture: ProjectedMixture, colours: SceneColours) -> SunlitGround:
    """Compares the brightness of sunlit ground with what a mixture expects of its colours."""
    membership = _log_likelihood(mixture, colours.rgb).softmax(1)
    usual = membership @ mixture.log_level.to(colours.rgb)
    return sunlit_ground(colours, usual)


def _project(
    mixture: SpectralMixture, statistics: SceneStatistics, noise: Tensor
) -> ProjectedMixture:
    covariance = statistics["colour_covariance"]
    return mixture.project(statistics["response"], noise=noise, covariance=covariance)


def _linear(mixture: SpectralMixture, cameras: Tensor, *, unknown: bool) -> dict[str, Tensor]:
    """Returns the statistics of a scene in which a white reflector is 1."""
    one, channels = cameras.new_ones(1), cameras.shape[1]
    return {
        **_mean_camera(mixture, cameras, cameras, 0 * one, 0 * one),
        "noise": (LINEAR_NOISE if channels == 3 else SENSOR_NOISE) * one,
        "haze": torch.zeros_like(one).expand(1, channels).clone(),
        "gain": one.expand(1, channels).clone(),
        "level_interval": one.expand(1, 2).clone(),
        "level_std": CAMERA_LEVEL_STD * unknown * one,
        "cameras": cameras,
        "matrix": torch.zeros_like(one).expand(2).clone(),
    }


def _mean_camera(
    mixture: SpectralMixture, raw: Tensor, corrected: Tensor, strength: Tensor, std: Tensor
) -> dict[str, Tensor]:
    """Returns the mean of cameras with their colour matrices, and how their colours vary.

    Args:
        mixture: The Gaussians whose colours are compared.
        raw: (cameras, n, bands) responses without colour matrices.
        corrected: (cameras, n, bands) responses with colour matrices of full strength.
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


def _tinted(camera: dict[str, Tensor]) -> dict[str, Tensor]:
    """Returns a camera whose colours also vary with an unknown white balance."""
    tint = torch.diag_embed(TINT_STD**2 * camera["colour"].square())
    return {**camera, "colour_covariance": camera["colour_covariance"] + tint}


def _colours(mixture: SpectralMixture, cameras: Tensor) -> Tensor:
    """Returns the colours of each Gaussian's mean, over brightness; (n, count, channels - 1)."""
    rgb = torch.einsum("ncb,kb->nkc", cameras, mixture.mean)
    return rgb[..., kept(rgb.shape[-1])] / rgb.mean(-1, keepdim=True).clamp(min=1e-4)


def _log_likelihood(mixture: ProjectedMixture, rgb: Tensor) -> Tensor:
    """Returns log-likelihoods of (n, 3) colours without their brightness; (n, count)."""
    _, colour = colours(rgb.T[None, :, None])
    red, blue = colour[0, :, 0]
    one = torch.ones_like(red)
    terms = torch.stack([one, red, blue, red * red, red * blue, blue * blue], dim=-1)
    infinite = red.new_tensor(torch.inf)
    return terms @ mixture.log_likelihood(infinite)[:, :6].T.to(terms)


def _scene_likelihood(mixture: ProjectedMixture, colours: SceneColours, haze: Tensor) -> Tensor:
    """Returns the mean log-likelihood of a scene's colours if they contain haze, a scalar."""
    clear = colours.without(haze)
    likelihood = _log_likelihood(mixture, clear.rgb).logsumexp(1)
    # haze compresses both chromaticities, so densities before and after it differ
    compression = 2 * (colours.rgb.mean(1) / clear.rgb.mean(1)).clamp(min=1).log()
    return (likelihood + compression) @ colours.share


def _largest_haze(colours: SceneColours) -> Tensor:
    """Returns the largest offset, (3,), that the darkest pixels allow."""
    colour = colours.rgb.new_tensor(HAZE_COLOUR)
    return (colours.darkest(HAZE_PIXELS) / colour).min() * colour
