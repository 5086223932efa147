"""The settings of a training run: what its TOML file states."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import field

from hsi_xr.training.data import Data
from hsi_xr.training.objectives import AnyObjective
from hsi_xr.training.optimiser import Optimiser
from hsi_xr.training.tables import Fraction, NonNegativeInt, PositiveInt, Table


class Schedule(Table, frozen=True, kw_only=True):
    """How long to train, and how often to validate, save and log. Intervals are in steps."""

    steps: PositiveInt
    """Length of the run."""
    validate: NonNegativeInt = 1000
    """Interval between validations; 0 skips them and publishes the last weights."""
    save: PositiveInt = 1000
    """Interval between checkpoints."""
    log: PositiveInt = 50
    """Interval between rows of the log."""


class Settings(Table, frozen=True, kw_only=True):
    """Settings of the training loop, whatever is trained."""

    optimiser: Optimiser = field(default_factory=Optimiser)
    schedule: Schedule
    ema: Fraction = 0.999
    """Decay of the exponential moving average of the weights, which is what is published; 0
    publishes the weights themselves."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Precision of the networks; losses are computed in float32."""
    device: str = "auto"
    seed: NonNegativeInt = 0
    """Determines all random numbers. The same settings give the same weights."""
    out: Path
    """Folder of checkpoints, log and trained model."""


class Run(Settings, frozen=True, kw_only=True):
    """Settings for training a system on a data set."""

    system: str
    """One of `hsi_xr.models`."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Configuration of the system, where it differs from its card."""
    start: Path | None = None
    """Model whose weights to start from; for a system around a host, this may be the host alone."""
    data: Data
    objective: AnyObjective
    compile: bool = False
    """Compile the network with `torch.compile`."""


MAY_CHANGE = (
    "compile",
    "data.folder",
    "data.kept",
    "data.workers",
    "device",
    "out",
    "schedule.log",
)
"""Settings that may differ when a run is resumed; what is trained does not depend on them."""


def as_plain(settings: Settings) -> dict[str, Any]:
    """Returns settings as JSON values, for checkpoints and cards."""
    plain: dict[str, Any] = json.loads(msgspec.json.encode(settings, enc_hook=str))
    return plain
