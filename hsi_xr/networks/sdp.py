"""SDP: a spectral prior from a latent diffusion model, injected into a host network.

Source: Yu, Wu, Huang 2025, "Spectral Diffusion Prior" for hyperspectral reconstruction
(arXiv:2507.13769). The paper describes the idea and its parts: a feature extractor (HFE), diffusion
of a low-dimensional feature, and an injector (SPIM) that multiplies and adds. Their insides, sizes
and schedule, and where the host is modulated, are original to this package, after the recipe of
DiffIR (Xia et al. 2023, arXiv:2303.09472).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsi_xr.networks._prior import Prior

LEAK = 0.1

SHUFFLE = 4
"""Side of the squares of pixels that the extractor rearranges into channels."""


class FeatureExtractor(nn.Module):
    """HFE: summarises an image as one vector. Original to this package, after DiffIR's CPEN.

    With 28 channels and the default sizes it has 1.276 M parameters and takes 4.68 G
    multiply-accumulates at 256 x 256. In training, a second extractor reads the measurement
    together with the true cube; its output is the target of `LatentDenoiser`.

    Args:
        channels: Channels of the image: 3 for RGB, the number of bands for a snapshot.
        size: Length of the vector.
        width: Channels of the residual blocks.
        blocks: Number of residual blocks.
    """

    def __init__(self, channels: int, size: int = 256, *, width: int = 64, blocks: int = 5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.PixelUnshuffle(SHUFFLE),
            nn.Conv2d(channels * SHUFFLE**2, width, 3, padding=1),
            nn.LeakyReLU(LEAK),
            *(Residual(width) for _ in range(blocks)),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.LeakyReLU(LEAK),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.LeakyReLU(LEAK),
            nn.Conv2d(2 * width, size, 3, padding=1),
            nn.LeakyReLU(LEAK),
        )
        self.summary = nn.Sequential(
            nn.Linear(size, size), nn.LeakyReLU(LEAK), nn.Linear(size, size), nn.LeakyReLU(LEAK)
        )

    def forward(self, image: Tensor) -> Tensor:
        """Returns (batch, size) vectors of (batch, channels, rows, columns) images."""
        return self.summary(self._features(image).mean((2, 3)))

    def of_scene(self, windows: Tensor, weights: Tensor) -> Tensor:
        """Summarises all windows of a scene as one vector: their features are pooled first.

        Args:
            windows: (batch, channels, rows, columns) windows of one scene.
            weights: (batch, 1, rows, columns), 0 where a pixel does not count.

        Returns:
            (1, size).
        """
        features = self._features(windows)
        share = F.avg_pool2d(_pad_to_squares(weights, "constant"), SHUFFLE)
        total = share.sum().clamp(min=1e-6)
        return self.summary(((features * share).sum((0, 2, 3)) / total)[None])

    def _features(self, image: Tensor) -> Tensor:
        return self.features(_pad_to_squares(image, "reflect"))


def _pad_to_squares(image: Tensor, mode: str) -> Tensor:
    rows, columns = image.shape[-2:]
    return F.pad(image, (0, -columns % SHUFFLE, 0, -rows % SHUFFLE), mode=mode)


class Residual(nn.Module):
    """Two convolutions with a shortcut; (batch, width, rows, columns)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.LeakyReLU(LEAK),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


class LatentDenoiser(nn.Module):
    """Predicts the clean prior from a noisy one, given features of the measurement.

    It has 0.197 M parameters. Original to this package, after DiffIR.
    """

    def __init__(self, size: int = 256, steps: int = 4) -> None:
        super().__init__()
        self.steps = steps
        self.layers = nn.Sequential(
            nn.Linear(2 * size + 1, size),
            nn.LeakyReLU(LEAK),
            nn.Linear(size, size),
            nn.LeakyReLU(LEAK),
        )

    def forward(self, noisy: Tensor, t: int, condition: Tensor) -> Tensor:
        """Predicts the clean prior.

        Args:
            noisy: (batch, size) noisy prior.
            t: Step, from 1 to `steps`.
            condition: (batch, size) output of the extractor.

        Returns:
            (batch, size).
        """
        step = noisy.new_full((len(noisy), 1), t / (10 * self.steps))
        return self.layers(torch.cat([condition, step, noisy], dim=1))


def sqrt_linear(steps: int, first: float, last: float) -> Tensor:
    """Returns the share of signal variance left after each step; (steps + 1,), float64.

    The square root of the noise variance added per step (beta) rises linearly. Four steps from 0.1
    to 0.99 leave 1, 0.9, 0.635, 0.260, 0.0026. DiffIR calls this schedule linear
    (arXiv:2303.09472).

    Args:
        steps: Number of steps.
        first: Noise variance added in the first step.
        last: Noise variance added in the last step.
    """
    added = torch.linspace(first**0.5, last**0.5, steps, dtype=torch.float64).square()
    return torch.cat([torch.ones(1, dtype=torch.float64), (1 - added).cumprod(0)])


class SpectralPrior(nn.Module):
    """Estimates the prior that modulates a host's blocks: extractor, diffusion, injector.

    The chain has few enough steps to run completely in training. It is deterministic: it starts at
    zero, the mean of its noise, and takes the mean of each posterior, so a scene has one prior.

    Args:
        channels: Channels of the measurement.
        widths: Channels of the host's blocks, in the order in which they run.
        size: Length of the prior.
        width: Channels of the extractor.
        blocks: Residual blocks of the extractor.
        steps: Steps of the chain.
    """

    def __init__(
        self,
        channels: int,
        widths: Sequence[int],
        size: int = 256,
        *,
        width: int = 64,
        blocks: int = 5,
        steps: int = 4,
    ) -> None:
        super().__init__()
        self.extract = FeatureExtractor(channels, size, width=width, blocks=blocks)
        self.denoise = LatentDenoiser(size, steps)
        self.inject = Injector(widths, size)
        self.keep = sqrt_linear(steps, 0.1, 0.99).tolist()

    def forward(self, image: Tensor) -> Tensor:
        """Returns (batch, size) priors, one for each (batch, channels, rows, columns) image."""
        return self.sample(self.extract(image))

    def of_scene(self, windows: Tensor, weights: Tensor) -> Tensor:
        """Returns the prior of a scene, (1, size); see `FeatureExtractor.of_scene`."""
        return self.sample(self.extract.of_scene(windows, weights))

    def sample(self, condition: Tensor, start: Tensor | None = None) -> Tensor:
        """Runs the chain of posterior means.

        Networks do not import samplers, and gradients pass through this chain. Its formulas are
        those of `diffusion.samplers.ancestral` (arXiv:2006.11239, eq. 7).

        Args:
            condition: (batch, size) output of the extractor.
            start: (batch, size) start of the chain, a noised prior in training; None is zero.

        Returns:
            (batch, size).
        """
        z = torch.zeros_like(condition) if start is None else start
        for t in range(len(self.keep) - 1, 0, -1):
            now, before = self.keep[t], self.keep[t - 1]
            stays = now / before
            clean = self.denoise(z, t, condition)
            of_clean = before**0.5 * (1 - stays) / (1 - now)
            z = of_clean * clean + stays**0.5 * (1 - before) / (1 - now) * z
        return z


class Injector(nn.Module):
    """SPIM: modulates each block by a gain and a shift of each channel, linear in the prior.

    F -> F * (1 + gain) + shift. Both start at zero, which leaves the host unchanged bit for bit.
    The position, after the LayerNorm and before the feed-forward, is original to this package.

    Args:
        widths: Channels of the host's blocks, in the order in which they run.
        size: Length of the prior.
    """

    def __init__(self, widths: Sequence[int], size: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(size, 2 * width, bias=False) for width in widths])
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, z: Tensor) -> Prior:
        """Returns the `prior` argument of a host for (batch or 1, size) priors."""

        def modulate(features: Tensor, index: int) -> Tensor:
            gain, shift = self.blocks[index](z)[..., None, None].chunk(2, dim=1)
            return features * (1 + gain) + shift

        return modulate
