"""How fast a step learns: rates over the steps of a stage."""

import math

from hsi_xr.training.config import Optimiser


def rate_at(step: int, steps: int, wanted: Optimiser) -> float:
    """The rate of a step, counted from 0: a linear warm-up, then what `wanted.schedule` says.

    With s the share of the steps after the warm-up that are behind, what is left of the way from
    `rate` down to `floor` is (1 + cos(pi s)) / 2 for `cosine` and (1 - s) ** power for `poly`.
    """
    if step < wanted.warm_up:
        return wanted.rate * (step + 1) / wanted.warm_up
    after = step - wanted.warm_up
    share = after / max(1, steps - wanted.warm_up)
    if wanted.power is not None:
        return wanted.floor + (wanted.rate - wanted.floor) * (1 - share) ** wanted.power
    if wanted.every is not None and wanted.factor is not None:
        return max(wanted.floor, wanted.rate * wanted.factor ** (after // wanted.every))
    if wanted.schedule == "constant":
        return wanted.rate
    return wanted.floor + (wanted.rate - wanted.floor) * (1 + math.cos(math.pi * share)) / 2
