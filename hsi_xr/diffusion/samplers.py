"""Samplers of diffusion models, as functions on tensors of any rank."""

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor

from hsi_xr.diffusion.schedules import spaced

Denoise = Callable[[Tensor, int], Tensor]
"""Returns the estimate of the clean x_0 from x_t and the step t, counted from 1."""

Noise = Callable[[int], Tensor]
"""Returns standard normal noise of the shape of the sample for a step; called once per step."""


def ancestral(
    denoise: Denoise, noise: Noise, keep: Tensor, *, stochastic: bool, limit: float
) -> Tensor:
    """Runs the DDPM chain from pure noise to data.

    Args:
        denoise: The denoiser.
        noise: The noise of each step.
        keep: (steps + 1,) share of signal variance left after each step, starting with 1; the
            paper's alpha-bar.
        stochastic: True to draw each step from its posterior, False to take the mean, which makes
            the chain deterministic given its start.
        limit: Clean estimates are clamped to [-limit, limit].

    Source:
        Ho et al. 2020 (arXiv:2006.11239), eq. 6 and 7.
    """
    steps = len(keep) - 1
    x = noise(steps)
    for t in range(steps, 0, -1):
        now, before = keep[t].item(), keep[t - 1].item()
        stays = now / before
        clean = denoise(x, t).clamp(-limit, limit)
        of_clean = before**0.5 * (1 - stays) / (1 - now)
        of_noisy = stays**0.5 * (1 - before) / (1 - now)
        x = of_clean * clean + of_noisy * x
        if stochastic and t > 1:
            x = x + ((1 - stays) * (1 - before) / (1 - now)) ** 0.5 * noise(t - 1)
    return x


def ddim(
    denoise: Denoise, noise: Noise, keep: Tensor, *, steps: int, limit: float, eta: float = 0.0
) -> Tensor:
    """Runs a chain that visits some of the steps that a denoiser was trained on.

    Args:
        denoise: The denoiser.
        noise: The noise of each step.
        keep: (trained steps + 1,) share of signal variance left after each step, starting with 1.
        steps: Number of steps to visit; see `schedules.spaced`.
        limit: Clean estimates are clamped to [-limit, limit].
        eta: Standard deviation of the fresh noise, relative to that of the posterior. With 0, a
            sample is a function of its start; with 1 and all steps, the chain is
            `ancestral(stochastic=True)`.

    Source:
        Song, Meng, Ermon 2021 (arXiv:2010.02502), eq. 12 and 16.
    """
    visited = spaced(steps, len(keep) - 1)
    x = noise(visited[0])
    for t, after in pairwise([*visited, 0]):
        now, then = keep[t].item(), keep[after].item()
        clean = denoise(x, t).clamp(-limit, limit)
        noisy = (x - now**0.5 * clean) / (1 - now) ** 0.5
        fresh = eta**2 * (1 - then) / (1 - now) * (1 - now / then)
        # for a large eta, the remainder may be negative: then no old noise is kept
        x = then**0.5 * clean + max(0.0, 1 - then - fresh) ** 0.5 * noisy
        if fresh > 0:
            x = x + fresh**0.5 * noise(after)
    return x


def from_noise_prediction(predict: Denoise, keep: Tensor) -> Denoise:
    """Returns the denoiser that corresponds to a network that predicts the noise in x_t.

    Where little signal is left, errors of the network are amplified: 157 times at step 1000 of the
    linear schedule from 1e-4 to 0.02. The `limit` of the samplers bounds the result.

    Args:
        predict: Returns the noise in x_t at step t.
        keep: (steps + 1,) share of signal variance left after each step, starting with 1.

    Source:
        Ho et al. 2020 (arXiv:2006.11239), eq. 4 and 15.
    """

    def denoise(x: Tensor, t: int) -> Tensor:
        share = keep[t].item()
        return (x - (1 - share) ** 0.5 * predict(x, t)) / share**0.5

    return denoise
