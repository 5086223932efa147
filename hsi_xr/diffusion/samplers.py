"""Reverse chains as functions; they work on tensors of any rank."""

from collections.abc import Callable

from torch import Tensor

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
