"""The input of the training loop: a task, whose objective is a list of parameter updates.

Each update changes its own parameters with its own optimiser, in a range of steps. Networks that
are trained in alternation have one update each; stages are updates with consecutive steps.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, Self, TypeVar

from torch import Generator, Tensor, nn

from hsi_xr.reconstructors._base import Reconstructor

Losses = dict[str, Tensor]
"""Scalars by name; the first is minimised."""


class Batch(Protocol):
    """What a loss is computed on. The loop moves it to the device and passes it on."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the scenes that it was drawn from, for messages."""

    def to(self, device: str) -> Self:
        """Returns the batch on a device."""

    def is_finite(self) -> bool:
        """True if it contains neither infinities nor NaN."""


B = TypeVar("B", bound=Batch)


@dataclass(frozen=True)
class ParameterUpdate(Generic[B]):
    """A loss, and the parameters that are updated to reduce it.

    Attributes:
        name: Prefix of the losses in the log.
        parameters: What is updated.
        loss: Returns the losses of a batch. Draws random numbers from the given generator only.
        steps: Steps of the run in which the update takes place.
        rate: Learning rate in place of the optimiser's, with the same schedule.
    """

    name: str
    parameters: list[nn.Parameter]
    loss: Callable[[B, Generator], Losses]
    steps: range
    rate: float | None = None


@dataclass(frozen=True)
class Objective(Generic[B]):
    """What is minimised.

    Attributes:
        updates: In the order in which they take place within a step.
        auxiliary: Modules that are trained but not published, such as a critic.
    """

    updates: tuple[ParameterUpdate[B], ...]
    auxiliary: nn.ModuleDict = field(default_factory=nn.ModuleDict)


class Validation(Protocol):
    def __call__(self, model: Reconstructor, device: str) -> tuple[dict[str, float], Tensor]:
        """Returns scores by name, and an image, (3, rows, columns) in [0, 1], for the log."""


@dataclass(frozen=True, kw_only=True)
class Task(Generic[B]):
    """What the loop trains: all that it needs to know about a system and its data.

    Attributes:
        model: Moved to the device, and trained in place.
        objective: What is minimised.
        draw: Returns the batch with a given number, counted from 0. It depends on the number alone,
            so that a resumed run sees the same batches as an uninterrupted one.
        workers: Threads that draw batches ahead.
        fit: Fits what is not learned by gradient descent; called once, before a new run starts.
        validation: Scores the averaged model; None skips validation.
    """

    model: Reconstructor
    objective: Objective[B]
    draw: Callable[[int], B]
    workers: int = 0
    fit: Callable[[], None] = lambda: None
    validation: Validation | None = None


def trainable(*modules: nn.Module) -> list[nn.Parameter]:
    """Returns the parameters of modules that are learned by gradient descent."""
    return [p for module in modules for p in module.parameters() if p.requires_grad]
