"""How much signal is left after each noising step."""

import torch
from torch import Tensor


def linear(steps: int, first: float, last: float) -> Tensor:
    """Share of signal variance left after 0, 1, ..., `steps` steps; (steps + 1,), float64.

    The noise variance added per step (beta) rises linearly from `first` to `last`. For five steps
    from 0.1 to 0.99: 1, 0.9, 0.610, 0.277, 0.0645, 0.000645.

    Source: Ho et al. 2020 (arXiv:2006.11239), section 2; the paper's alpha-bar.
    """
    added = torch.linspace(first, last, steps, dtype=torch.float64)
    return torch.cat([torch.ones(1, dtype=torch.float64), (1 - added).cumprod(0)])


def spaced(steps: int, of: int) -> list[int]:
    """`steps` of the steps 1, ..., `of`, evenly spaced from the last one down: 1000, 980, ..., 20.

    The first is always the noisiest, where a chain starts that was drawn from pure noise.

    Source: Lin et al. 2024 (arXiv:2305.08891), section 3.3; "trailing" there.
    """
    if not 1 <= steps <= of:
        raise ValueError(f"a chain of {of} steps has no {steps} of them; give 1 to {of}")
    return [round(of * k / steps) for k in range(steps, 0, -1)]
