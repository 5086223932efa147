"""A mixture of Gaussians over spectra, and the posterior of a pixel given its colour.

A camera is a linear map, so a Gaussian stays a Gaussian in the colours of any camera. For any
response, the spectra that have a colour, and their spread, follow in closed form. Nothing is
learned about cameras.

Source: Wiener estimation of spectra by a mixture, after Murakami, Obi, Yamaguchi, Ohyama 2002
(Applied Optics 41(23), 4840-4847). Separate models of shape and brightness, and the covariance of
an unknown camera, are original to this package.
"""

import torch
from torch import Tensor, nn

from hsi_xr.networks.projected_mixture import DIM, ProjectedMixture, kept
from hsi_xr.networks.root_polynomial import least_squares


class SpectralMixture(nn.Module):
    """A mixture of Gaussians over spectra, as brightness times shape.

    A shape is a spectrum of mean 1. The first Gaussian is broad and accounts for colours that no
    other Gaussian explains.

    Attributes:
        log_weight: (count,) logarithms of the mixing weights.
        mean: (count, bands) mean shapes.
        cholesky: (count, bands, bands) lower Cholesky factors of the covariances of the shapes.
        log_level: (count,) means of the logarithm of brightness, the mean over the bands.
        log_level_std: (count,) its standard deviations.
    """

    def __init__(self, bands: int, count: int) -> None:
        super().__init__()

        def parameter(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(shape), requires_grad=False)

        self.log_weight = parameter(count)
        self.mean = parameter(count, bands)
        self.cholesky = parameter(count, bands, bands)
        self.log_level = parameter(count)
        self.log_level_std = parameter(count)
        torch.nn.init.ones_(self.mean)
        torch.nn.init.ones_(self.log_level_std)
        self.cholesky.data += 0.1 * torch.eye(bands)

    def project(
        self, response: Tensor, *, noise: Tensor, covariance: Tensor | None = None
    ) -> ProjectedMixture:
        """Projects the Gaussians onto the colours of a camera.

        Args:
            response: (n, bands) of n >= 3 channels, with rows that sum to 1; a colour matrix may
                make values negative.
            noise: Standard deviation of a channel, relative to brightness.
            covariance: (count, n - 1, n - 1) further covariance of the colours, of an uncertain
                camera.
        """
        shape, factor = self.mean.double(), self.cholesky.double()
        response = response.double()
        through = response.mean(0)
        bright = (shape @ through).clamp(min=DIM)
        mean = shape / bright[:, None]
        # relative to the brightness that the camera measures, to first order
        factor = (factor - mean[:, :, None] * (through @ factor)[:, None]) / bright[:, None, None]
        channels = response[kept(len(response))]
        projected = channels @ factor
        cross = factor @ projected.mT
        scatter = projected @ projected.mT + noise.double() ** 2 * _noise_of(len(response)).to(
            cross
        )
        scatter = scatter if covariance is None else scatter + covariance.double()
        gain = torch.linalg.solve(scatter, cross, left=False)
        return ProjectedMixture(
            colour=mean @ channels.T - 1,
            precision=torch.linalg.inv(scatter),
            log_weight=self.log_weight - scatter.logdet() / 2,
            log_level=self.log_level + bright.log(),
            log_level_std=self.log_level_std.double(),
            mean=mean,
            gain=gain,
            covariance=factor @ factor.mT - gain @ cross.mT,
        )

    def colour_corrected(self, response: Tensor, observer: Tensor, strength: Tensor) -> Tensor:
        """Returns the response of cameras followed by colour matrices towards an observer.

        Args:
            response: (..., 3, bands).
            observer: (3, bands) of the primaries of a display.
            strength: 0 keeps the camera, 1 applies the matrix that fits these spectra best.
        """
        weight = self.log_weight.exp().sqrt()[:, None]
        wanted = weight * (self.mean @ observer.T)
        flat = response.reshape(-1, *response.shape[-2:])
        matrices = torch.stack([least_squares(weight * (self.mean @ r.T), wanted).T for r in flat])
        matrices = matrices / matrices.sum(-1, keepdim=True)  # white stays white
        full = (matrices @ flat).reshape(response.shape)
        return torch.lerp(response, full, strength)


def _noise_of(channels: int) -> Tensor:
    """Returns the covariance of colours, (n - 1, n - 1), from independent noise of channels.

    Division by brightness removes the mean of the noise. With three channels this is neglected, as
    it was when the shipped weights were calibrated.
    """
    one = torch.eye(channels - 1)
    return one if channels == 3 else one - 1 / channels
