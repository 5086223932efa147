"""Reverse chains as functions; they work on tensors of any rank."""

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor

from hsi_xr.diffusion.schedules import spaced

Denoise = Callable[[Tensor, int], Tensor]
"""(x_t, t) -> the clean x_0 it believes in; t counts from 1."""

Noise = Callable[[int], Tensor]
"""t -> standard normal noise of the shape to sample; called once per t."""


def ancestral(
    denoise: Denoise, noise: Noise, keep: Tensor, *, stochastic: bool, limit: float
) -> Tensor:
    """The DDPM chain from pure noise to data.

    Args:
        keep: (steps + 1,) share of signal variance left after each step, starting with 1.
        stochastic: Whether each step draws from the posterior or takes its mean. The mean chain
            is deterministic given its start.
        limit: Clean estimates are clamped to [-limit, limit].

    Source: Ho et al. 2020 (arXiv:2006.11239), eq. 6 and 7.
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
    """A chain that visits a few of the steps that a denoiser was trained on.

    Args:
        keep: (trained steps + 1,) share of signal variance left after each, starting with 1.
        steps: How many of them to visit; see `schedules.spaced`.
        eta: Spread of the fresh noise over that of the posterior. With 0 a sample is a function
            of its start; with 1 and every step visited the chain is `ancestral(stochastic=True)`.
        limit: Clean estimates are clamped to [-limit, limit].

    Source: Song, Meng, Ermon 2021 (arXiv:2010.02502), eq. 12 and 16.
    """
    visited = spaced(steps, len(keep) - 1)
    x = noise(visited[0])
    for t, after in pairwise([*visited, 0]):
        now, then = keep[t].item(), keep[after].item()
        clean = denoise(x, t).clamp(-limit, limit)
        noisy = (x - now**0.5 * clean) / (1 - now) ** 0.5
        fresh = eta**2 * (1 - then) / (1 - now) * (1 - now / then)
        # of a large eta the rest may be below zero by more than rounding: nothing old is kept then
        x = then**0.5 * clean + max(0.0, 1 - then - fresh) ** 0.5 * noisy
        if fresh > 0:
            x = x + fresh**0.5 * noise(after)
    return x


def of_noise(predict: Denoise, keep: Tensor) -> Denoise:
    """The denoiser that a network implies which answers the noise in x_t instead of x_0.

    Where little signal is left, errors of the network grow: by 157 at step 1000 of the linear
    schedule from 1e-4 to 0.02. The samplers' limit bounds what comes of it.

    Source: Ho et al. 2020 (arXiv:2006.11239), eq. 4 and 15.
    """

    def denoise(x: Tensor, t: int) -> Tensor:
        share = keep[t].item()
        return (x - (1 - share) ** 0.5 * predict(x, t)) / share**0.5

    return denoise
