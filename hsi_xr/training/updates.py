"""What an objective is to the loop.

An objective has turns. A turn moves parameters of its own with an optimiser of its own through
steps of its own: networks that alternate have a turn each, stages follow one another.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Generator, Tensor, nn

from hsi_xr.errors import UsageError
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.reconstructors._feedforward import InputAdapter
from hsi_xr.training.patches import Batch

Losses = dict[str, Tensor]
"""Scalars by name; the first is minimised."""


class Turn(NamedTuple):
    name: str
    parameters: list[nn.Parameter]
    loss: Callable[[Batch, Generator], Losses]
    """Draws only from the generator."""
    steps: range
    rate: float | None = None
    """In place of the optimiser's, and scheduled in proportion to it."""


class Objective(NamedTuple):
    turns: tuple[Turn, ...]
    """In the order they are taken within a step."""
    beside: nn.ModuleDict
    """What is trained and not published: a critic, an extractor that sees the truth."""


def trainable(*modules: nn.Module) -> list[nn.Parameter]:
    return [each for module in modules for each in module.parameters() if each.requires_grad]


def of_one_pass(model: Reconstructor, kind: str) -> tuple[InputAdapter, Any]:
    """What comes before the network of a system, and the network.

    Raises:
        UsageError: The system has no such parts.
    """
    front, network = (getattr(model, name, None) for name in ("adapter", "network"))
    if not isinstance(front, InputAdapter) or not isinstance(network, nn.Module):
        raise UsageError(
            f"objective.kind = {kind!r} trains systems that show their `network` what their "
            f"`adapter` makes of a picture; {type(model).__name__} has no such parts"
        )
    return front, network
