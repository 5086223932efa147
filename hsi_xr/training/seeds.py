"""Random numbers of a training run: functions of its seed, their use and a position in the run.

Nothing is drawn from a global generator, so there is no generator state to resume.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import numpy as np
import torch


class Use(IntEnum):
    """What random numbers are used for. Counted from 1: numpy ignores trailing zeros in a seed."""

    WEIGHTS = 1
    AUXILIARY = 2
    BATCHES = 3
    LOSSES = 4
    FIT = 5


def numpy_generator(seed: int, use: Use, *position: int) -> np.random.Generator:
    """Returns the generator for a position in a run, such as a step; positions are independent."""
    return np.random.default_rng([seed, use, *position])


def torch_generator(seed: int, use: Use, *position: int, device: str = "cpu") -> torch.Generator:
    """Returns the generator for a position in a run, on a device."""
    return torch.Generator(device).manual_seed(_derived_seed(seed, use, *position))


@contextmanager
def seeded(seed: int, use: Use, *position: int, device: str = "cpu") -> Iterator[torch.Generator]:
    """Yields the generator for a position in a run, and seeds torch's own within the block.

    Code that draws from torch's generators, such as weight initialisation, is thus reproducible.
    """
    cuda = [torch.device(device)] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=cuda):
        torch.random.manual_seed(_derived_seed(seed, use, *position))
        yield torch_generator(seed, use, *position, device=device)


def _derived_seed(seed: int, use: Use, *position: int) -> int:
    return int(numpy_generator(seed, use, *position).integers(2**63))
