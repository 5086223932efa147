"""What the training loop takes: a task, whose objective is a list of parameter updates.

An update moves parameters of its own with an optimiser of its own, in a range of steps. Networks
that alternate have an update each; stages are updates whose steps follow one another.
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
    """A loss, and the parameters that are moved along its gradient.

    Attributes:
        name: Prefix of the losses in the log.
        parameters: What is moved.
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
    """What the loop trains. The loop knows no more of a system or of its data than this.

    Attributes:
        model: Moved to the device, and trained in place.
        objective: What is minimised.
        draw: Returns the batch of a number, counted from 0. A function of the number alone, so
            that a resumed run sees the batches that an uninterrupted one would.
        workers: Threads that draw batches ahead.
        fit: Fits what is not learned by gradients; called once, before the first step of a new run.
        validation: Scores the averaged model; None skips validation.
    """

    model: Reconstructor
    objective: Objective[B]
    draw: Callable[[int], B]
    workers: int = 0
    fit: Callable[[], None] = lambda: None
    validation: Validation | None = None


def trainable(*modules: nn.Module) -> list[nn.Parameter]:
    """Returns the parameters of modules that are learned by gradients."""
    return [p for module in modules for p in module.parameters() if p.requires_grad]
