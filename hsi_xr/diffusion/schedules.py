"""Noise schedules: the share of signal that is left after each noising step."""

import torch
from torch import Tensor


def linear(steps: int, first: float, last: float) -> Tensor:
    """Returns the share of signal variance left after 0, 1, ..., `steps` steps (alpha-bar).

    The noise variance added per step (beta) increases linearly from `first` to `last`. For five
    steps from 0.1 to 0.99: 1, 0.9, 0.610, 0.277, 0.0645, 0.000645.

    Returns:
        (steps + 1,), float64.

    Source:
        Ho et al. 2020 (arXiv:2006.11239), section 2.
    """
    added = torch.linspace(first, last, steps, dtype=torch.float64)
    return torch.cat([torch.ones(1, dtype=torch.float64), (1 - added).cumprod(0)])


def spaced(steps: int, trained: int) -> list[int]:
    """Returns evenly spaced steps from the last trained one down: 1000, 980, ..., 20.

    The first is always the noisiest one, where a chain that starts from pure noise begins.

    Args:
        steps: Number of steps to return.
        trained: Number of steps that the denoiser was trained on.

    Source:
        Lin et al. 2024 (arXiv:2305.08891), section 3.3, called "trailing".
    """
    if not 1 <= steps <= trained:
        raise ValueError(f"cannot visit {steps} of {trained} steps; give 1 to {trained}")
    return [round(trained * k / steps) for k in range(steps, 0, -1)]
