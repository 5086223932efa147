"""What a training run is: frozen values, read from TOML; a key that is not known is refused."""

import difflib
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from hsi_xr.errors import UsageError

NEVER_TRAINED_ON = "test"
"""The split that neither trains nor chooses a checkpoint."""


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


def read(path: Path, changes: Sequence[str] = ()) -> Run:
    """A run as a file says, with changes such as `optimiser.rate=1e-4`.

    Raises:
        UsageError: No such file, no TOML, or a key that is unknown, missing or of another type.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{str(path)!r} cannot be read as TOML ({error})") from error
    for change in changes:
        _set(table, change)
    return cast(Run, _made(Run, table, ""))


def _set(table: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals:
        raise UsageError(f"{change!r} is not key=value, e.g. optimiser.rate=1e-4")
    *above, last = key.strip().split(".")
    for place, name in enumerate(above, 1):
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise UsageError(f"{'.'.join(above[:place])} is no table, and has no key {last!r}")
    try:
        table[last] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        table[last] = text  # words need no quotes


def _made(kind: Any, table: Any, where: str) -> Any:
    """A frozen value of a TOML table."""
    if not isinstance(table, Mapping):
        raise UsageError(f"{where or 'a run'} must be a table; got {table!r}")
    known = {each.name: each for each in fields(kind)}
    for key in table:
        if key not in known:
            raise UsageError(f"no key {_at(where, key)!r}; {_hint(key, [*known])}")
    for name, each in known.items():
        if each.default is each.default_factory is MISSING and name not in table:
            raise UsageError(f"the key {_at(where, name)!r} is missing")
    hints = get_type_hints(kind)
    return kind(
        **{key: _fitted(hints[key], value, _at(where, key)) for key, value in table.items()}
    )


def _fitted(kind: Any, value: Any, where: str) -> Any:
    """A TOML value as a field's type."""
    if kind == Objective:
        return _tagged(value, where)
    if is_dataclass(kind):
        return _made(kind, value, where)
    origin, options = get_origin(kind), get_args(kind)
    if origin is Literal:
        return _one_of(options, value, where)
    if origin in (Union, UnionType):  # the only ones are with None, which TOML has no word for
        return _fitted(options[0], value, where)
    if origin is tuple:
        return _pair(options, value, where)
    return _plain(origin or kind, value, where)


def _tagged(table: Any, where: str) -> Any:
    if not isinstance(table, Mapping):
        raise UsageError(f"{where} must be a table; got {table!r}")
    kind = KINDS[_one_of(tuple(KINDS), table.get("kind"), f"{where}.kind")]
    return _made(kind, {key: value for key, value in table.items() if key != "kind"}, where)


def _one_of(options: tuple[Any, ...], value: Any, where: str) -> Any:
    known = [each for each in options if each is not None]
    if value not in known:
        raise UsageError(f"{where} must be one of {', '.join(map(repr, known))}; got {value!r}")
    return value


def _pair(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple) or len(value) != len(kinds):
        raise UsageError(f"{where} must be {len(kinds)} values; got {value!r}")
    return tuple(_fitted(kind, each, where) for kind, each in zip(kinds, value))


def _plain(kind: Any, value: Any, where: str) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is float and isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{where} must be finite; got {value}")
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise UsageError(f"{where} must be of type {kind.__name__}; got {value!r}")
    return value


def _positive(table: Any, *names: str) -> None:
    """Those that are given; what may be left out is None."""
    for name in names:
        if (value := getattr(table, name)) is not None and value <= 0:
            raise UsageError(f"{name} must be above 0; got {value}")


def _not_negative(table: Any, *names: str) -> None:
    for name in names:
        if getattr(table, name) < 0:
            raise UsageError(f"{name} must not be negative; got {getattr(table, name)}")


def _at(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _hint(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    asked = f"did you mean {close[0]!r}? " if close else ""
    return f"{asked}known: {', '.join(sorted(known))}"
