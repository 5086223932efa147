"""The optimiser of a training run: Adam, and how its learning rate changes."""

import math
from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from msgspec import Meta

from hsi_xr.errors import UsageError
from hsi_xr.training.tables import (
    Fraction,
    NonNegative,
    NonNegativeInt,
    Positive,
    PositiveInt,
    Table,
)
from hsi_xr.training.updates import B, Objective

SCHEDULES: Mapping[str, tuple[str, ...]] = {
    "cosine": (),
    "poly": ("power",),
    "step": ("every", "factor"),
    "constant": (),
}
"""Schedules of the learning rate, and the settings that each of them requires."""


class Optimiser(Table, frozen=True, kw_only=True):
    """Adam. In every stage of a run, its learning rate warms up, then follows the schedule."""

    rate: Positive = 4e-4
    """Learning rate at the end of the warm-up."""
    schedule: Literal["cosine", "poly", "step", "constant"] = "cosine"
    """Shape of the decay; see `learning_rate`."""
    floor: NonNegative = 1e-6
    """Lowest learning rate after the warm-up; `constant` does not decay."""
    power: Positive | None = None
    """Exponent of `poly`: 1.5 in AWAN and HSCNN+."""
    every: PositiveInt | None = None
    """Steps between two reductions by `step`."""
    factor: Annotated[float, Meta(gt=0, lt=1)] | None = None
    """Factor of each reduction by `step`."""
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    weight_decay: NonNegative = 0.0
    """Decoupled weight decay, as in AdamW."""
    warm_up: NonNegativeInt = 0
    """Steps over which the learning rate rises linearly."""
    clip: Positive | None = None
    """Largest norm of the gradient; larger gradients are scaled down."""
    accumulate: PositiveInt = 1
    """Batches whose gradients are averaged in one step."""

    def __post_init__(self) -> None:
        required = SCHEDULES[self.schedule]
        optional = [key for keys in SCHEDULES.values() for key in keys]
        given = [key for key in optional if getattr(self, key) is not None]
        if given != [*required]:
            raise UsageError(
                f"of {', '.join(optional)}, schedule = {self.schedule!r} takes "
                f"{', '.join(required) or 'none'}; got {', '.join(given) or 'none'}"
            )

    def learning_rate(self, step: int, steps: int) -> float:
        """Returns the learning rate of a step, counted from 0, in a stage of `steps` steps.

        Where s is the fraction of the steps after the warm-up that have been taken, the rate decays
        from `rate` to `floor` in proportion to (1 + cos(pi s)) / 2 for `cosine` and to
        (1 - s) ** power for `poly`. It depends on the step alone. torch's schedulers are not
        used: they reach their rates by repeated multiplication, have no floor for `poly` and
        `step`, and would have to be resumed as well.
        """
        if step < self.warm_up:
            return self.rate * (step + 1) / self.warm_up
        after = step - self.warm_up
        share = after / max(1, steps - self.warm_up)
        if self.power is not None:
            return self.floor + (self.rate - self.floor) * (1 - share) ** self.power
        if self.every is not None and self.factor is not None:
            return max(self.floor, self.rate * self.factor ** (after // self.every))
        if self.schedule == "constant":
            return self.rate
        return self.floor + (self.rate - self.floor) * (1 + math.cos(math.pi * share)) / 2


def optimisers(objective: Objective[B], settings: Optimiser) -> dict[str, torch.optim.AdamW]:
    """Returns an optimiser for each update of an objective, by its name."""
    return {
        update.name: torch.optim.AdamW(
            update.parameters, settings.rate, settings.betas, weight_decay=settings.weight_decay
        )
        for update in objective.updates
    }
