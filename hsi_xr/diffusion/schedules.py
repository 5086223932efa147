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
