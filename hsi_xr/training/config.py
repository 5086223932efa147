"""What a training run is: frozen values; see `reading` for how they are written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hsi_xr.errors import UsageError

NEVER_TRAINED_ON = "test"
"""The split that neither trains nor chooses a checkpoint."""


def _positive(table: Any, *names: str) -> None:
    """Those that are given; what may be left out is None."""
    for name in names:
        if (value := getattr(table, name)) is not None and value <= 0:
            raise UsageError(f"{name} must be above 0; got {value}")


def _not_negative(table: Any, *names: str) -> None:
    for name in names:
        if getattr(table, name) < 0:
            raise UsageError(f"{name} must not be negative; got {getattr(table, name)}")


@dataclass(frozen=True, kw_only=True)
class Data:
    """What is drawn, and what is scored."""

    name: str
    """Of the data set; see `hsi_xr.datasets`."""
    folder: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the data set's own."""
    train: str = "train"
    validation: str = "validation"
    """The split whose scores choose the best checkpoint; `test` is refused."""
    patch: int = 128
    """Side of a training patch, in pixels. Pictures of smaller scenes are mirrored beyond their
    edges, and nothing is known there."""
    grid: int = 1
    """Patches begin at multiples of this: 8 in the NTIRE 2022 baselines."""
    batch: int = 20
    augment: bool = True
    """Turns by k * 90 degrees and flips."""
    crop: int = 0
    """Margin of a validation scene that is not scored: 128 in NTIRE 2022."""
    scenes: int | None = None
    """Validate on the first so many scenes of the split; None is all."""
    kept: int = 64
    """Scenes kept in memory."""
    workers: int = 0
    """Threads that read ahead; what is drawn does not depend on them."""

    def __post_init__(self) -> None:
        _positive(self, "patch", "grid", "batch", "kept", "scenes")
        _not_negative(self, "crop", "workers")
        for split in (self.train, self.validation):
            if split == NEVER_TRAINED_ON:
                raise UsageError(
                    f"the {split!r} split neither trains nor chooses a checkpoint; "
                    "name another for data.train and data.validation"
                )


@dataclass(frozen=True, kw_only=True)
class Regression:
    """One pass against the truth."""

    loss: Literal["mrae", "l1", "rmse"] = "mrae"
    dark: float = 0.0
    """Truths at or below it have no relative error that counts."""
    camera: Path | None = None
    """A JSON file of sensitivities in the layout of rawtoaces-data: see `camera_weight`."""
    camera_weight: float | None = None
    """Of the L1 between the colours that this camera sees of estimate and truth: 10 in AWAN."""

    def __post_init__(self) -> None:
        _not_negative(self, "dark")
        if (self.camera is None) != (self.camera_weight is None):
            lacking = "camera" if self.camera is None else "camera_weight"
            raise UsageError(
                f"objective.camera and objective.camera_weight go together; {lacking} is missing"
            )
        _positive(self, "camera_weight")


@dataclass(frozen=True, kw_only=True)
class Denoising:
    """What a diffusion's network sees in a noisy chain, against what was put there."""

    target: Literal["epsilon", "x0"] | None = None
    """What errors are measured of; None is what the network answers."""
    norm: Literal["l1", "l2"] = "l1"
    gradient: float = 0.0
    """Weight of the L1 between spatial gradients of the clean chain: 1.0 in R2H-Diff."""
    mrae: float = 0.0
    """Weight of the relative error of the reflectance that the chain stands for."""
    dark: float = 0.0
    """As in regression."""

    def __post_init__(self) -> None:
        _not_negative(self, "gradient", "mrae", "dark")


@dataclass(frozen=True, kw_only=True)
class Adversarial:
    """A generator against a PatchGAN critic: cross-entropy, and L1 to the truth; alternating."""

    l1: float = 100.0
    """Lambda; pix2pix's."""
    width: int = 64
    """Channels of the critic's first layer."""
    critic_rate: float | None = None
    """The critic's, scheduled as the optimiser's; None is the optimiser's."""

    def __post_init__(self) -> None:
        _positive(self, "width", "critic_rate")
        _not_negative(self, "l1")


@dataclass(frozen=True, kw_only=True)
class TwoStage:
    """A spectral diffusion prior, learned before what uses it.

    `host` (after DiffIR): an extractor that sees the truth learns priors together with the host;
    the chain learns to find them; then both together. `literal`: extractors and chain learn
    together, kept from collapse by a head that tells each band's mean and deviation from a prior;
    then everything.
    """

    stages: Literal["host", "literal"] = "host"
    first: int
    """Steps of the first stage."""
    latent: int = 0
    """Steps for the chain alone, of `host`."""
    loss: Literal["mrae", "l1", "rmse"] = "mrae"
    dark: float = 0.0
    weight: float = 1.0
    """Of the L1 between priors beside the loss of cubes."""

    def __post_init__(self) -> None:
        _positive(self, "first")
        _not_negative(self, "dark", "weight")
        if (self.stages == "host") != (self.latent > 0):
            raise UsageError(
                "objective.latent is the second stage of stages = 'host', and of it alone; "
                f"got stages = {self.stages!r} with latent = {self.latent}"
            )


@dataclass(frozen=True, kw_only=True)
class ClosedForm:
    """Nothing is learned by steps: all is fitted, on the patches of the first batches."""


Objective = Regression | Denoising | Adversarial | TwoStage | ClosedForm

KINDS: Mapping[str, type[Objective]] = {
    "regression": Regression,
    "denoising": Denoising,
    "adversarial": Adversarial,
    "two-stage": TwoStage,
    "closed-form": ClosedForm,
}


SHAPES: Mapping[str, tuple[str, ...]] = {
    "cosine": (),
    "poly": ("power",),
    "step": ("every", "factor"),
    "constant": (),
}
"""Schedules of a rate, and the keys that each needs and no other has."""


@dataclass(frozen=True, kw_only=True)
class Optimiser:
    """Adam, whose rate rises over the warm-up and falls as scheduled, in every stage anew."""

    rate: float = 4e-4
    schedule: Literal["cosine", "poly", "step", "constant"] = "cosine"
    """See `rates.rate_at`."""
    floor: float = 1e-6
    """Where the rate ends, or what its steps stop at; `constant` does not fall."""
    power: float | None = None
    """Of `poly`: 1.5 in AWAN and HSCNN+."""
    every: int | None = None
    """Of `step`: steps after the warm-up from one fall to the next."""
    factor: float | None = None
    """Of `step`: what the rate is multiplied by then, between 0 and 1."""
    betas: tuple[float, float] = (0.9, 0.999)
    warm_up: int = 0
    """Steps."""
    clip: float | None = None
    """Largest norm of a gradient."""
    accumulate: int = 1
    """Batches whose gradients are averaged into one step."""

    def __post_init__(self) -> None:
        needed = SHAPES[self.schedule]
        shaped = [key for keys in SHAPES.values() for key in keys]
        given = [key for key in shaped if getattr(self, key) is not None]
        if given != [*needed]:
            raise UsageError(
                f"of {', '.join(shaped)}, optimiser.schedule = {self.schedule!r} takes "
                f"{', '.join(needed) or 'none'}; got {', '.join(given) or 'none'}"
            )
        _positive(self, "accumulate", "rate", "clip", *needed)
        _not_negative(self, "floor", "warm_up")
        for beta in self.betas:
            if not 0 <= beta < 1:
                raise UsageError(f"betas must be in [0, 1); got {beta}")
        if self.factor is not None and self.factor >= 1:
            raise UsageError(f"factor must be below 1, for rates fall; got {self.factor}")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    steps: int
    validate: int = 1000
    """Steps between two validations; 0 is never, and the last weights are published."""
    save: int = 1000
    """Steps between two checkpoints."""
    log: int = 50
    """Steps between two rows of the log."""

    def __post_init__(self) -> None:
        _positive(self, "steps", "save", "log")
        _not_negative(self, "validate")


@dataclass(frozen=True, kw_only=True)
class Run:
    """A training run: same run, same weights."""

    system: str
    """Of `hsi_xr.models`."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Of the system, where it differs from its card."""
    start: Path | None = None
    """A model whose weights to begin with; those of a host begin a system around it."""
    data: Data
    objective: Objective
    optimiser: Optimiser = field(default_factory=Optimiser)
    schedule: Schedule
    ema: float = 0.999
    """Share of the running average that a step keeps; 0 publishes the weights themselves."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    compile: bool = False
    device: str = "auto"
    seed: int = 0
    out: Path

    def __post_init__(self) -> None:
        if not 0 <= self.ema < 1:
            raise UsageError(f"ema must be in [0, 1); got {self.ema}")
        if self.seed < 0:
            raise UsageError(f"seed must not be negative; got {self.seed}")
