"""What a run begins with: data that are whole, a model, scenes as the model sees them."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from hsi_xr.checkpoints import registry
from hsi_xr.checkpoints.card import Card, read_untrained
from hsi_xr.checkpoints.layout import differences
from hsi_xr.datasets import checked, load
from hsi_xr.datasets._base import DataSet
from hsi_xr.errors import InvalidCheckpoint, InvalidData, UsageError
from hsi_xr.networks.chromaticity import chromaticity_histogram
from hsi_xr.reconstructors._base import (
    FittedReconstructor,
    Reconstructor,
    SceneStatistics,
    SceneWindows,
)
from hsi_xr.reconstructors._scene_gain import SceneGain
from hsi_xr.training.config import KINDS, Data, Run
from hsi_xr.training.patches import Patches, Survey, Use, numbers

_log = logging.getLogger(__name__)

FITTED_ON = 16
"""Batches of patches that a closed-form part is fitted on."""


def open_data(wanted: Data) -> DataSet:
    """The data set of a run, whose files are all there; see `hsi_xr.datasets.checked`."""
    return checked(load(wanted.name, wanted.folder, **wanted.options))


def split(data: DataSet, name: str) -> Sequence[str]:
    """The scenes of a split that has some.

    Raises:
        UsageError: There is no such split.
    """
    if not data.splits.get(name):
        known = ", ".join(repr(key) for key, names in data.splits.items() if names)
        raise UsageError(f"the data set has no split {name!r}; it has {known}")
    return data.splits[name]


@contextmanager
def seeded(seed: int, use: Use, *place: int, device: str = "cpu") -> Iterator[torch.Generator]:
    """Random numbers of a place in a run; layers that draw by themselves draw them, too."""
    word = int(numbers(seed, use, *place).integers(2**63))
    cuda = [torch.device(device)] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=cuda):
        torch.random.manual_seed(word)
        yield torch.Generator(device).manual_seed(word)


def new_model(run: Run, data: DataSet) -> tuple[Reconstructor, Card]:
    """The system of a run on random weights, or on those it starts from; and its card.

    Raises:
        UnknownName: No such system.
        UsageError: The system has no such configuration.
        InvalidCheckpoint: Weights that are not of this system.
    """
    card = read_untrained(registry.card_of(run.system))
    if (bands := run.config.get("bands", len(data.bands))) != len(data.bands):
        raise UsageError(
            f"config.bands = {bands}, and the data set has {len(data.bands)} bands; leave it out"
        )
    config = {**card.config, **run.config, "bands": len(data.bands)}
    try:
        with seeded(run.seed, Use.WEIGHTS):
            model: Reconstructor = registry.load(run.system).build(config)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{run.system!r} has no such config: {error}") from error
    for part in model.modules():
        if isinstance(part, SceneGain):
            # what level means is for the data set to say, and pictures of it teach no gain
            part.fix_to_one()
            part.requires_grad_(False)
    if run.start is not None:
        _start(model, run.start)
    return model, card


def _start(model: Reconstructor, path: Path) -> None:
    """Weights of a model, or of a part of it: a host's begin a system around the host."""
    weights = path / "model.safetensors" if path.is_dir() else path
    if not weights.is_file():
        raise UsageError(f"no weights file {str(weights)!r} to start from")
    try:
        found = {key: tensor.float() for key, tensor in load_file(weights).items()}
    except (OSError, SafetensorError) as error:
        raise InvalidCheckpoint(f"{str(weights)!r} holds no weights ({error})") from error
    wanted = model.state_dict()
    if wrong := differences({key: wanted[key] for key in found.keys() & wanted.keys()}, found):
        raise InvalidCheckpoint(f"{str(weights)!r} does not begin this system: it {wrong}")
    model.load_state_dict(found, strict=False)
    _log.info("%d of %d tensors begin as %s has them", len(found), len(wanted), weights)


def survey_of(model: Reconstructor) -> Survey:
    """How a system tells what belongs to a scene, of a picture that is one."""
    survey = getattr(getattr(model, "adapter", model), "survey", None)
    if survey is None:
        raise UsageError(f"{type(model).__name__} has no `survey`, and cannot be trained here")

    def tell(rgb: Tensor, weights: Tensor) -> SceneStatistics:
        return dict(survey(SceneWindows(rgb, weights, chromaticity_histogram(rgb, weights))))

    return tell


def fit_first(model: Reconstructor, patches: Patches, *, pixels: int = 200) -> None:
    """Fits what is not learned by gradients, on pixels of the training patches."""
    if not isinstance(model, FittedReconstructor):
        return
    rgb, spectra = [], []
    for number in range(FITTED_ON):
        batch = patches.draw(number)
        known = batch.known.all(1).flatten().nonzero()[:, 0]
        if not len(known):
            continue
        keep = known[torch.linspace(0, len(known) - 1, pixels * len(batch.names)).long()]
        seen = model.calibrate(batch.rgb, batch.facts)
        rgb.append(seen.movedim(1, -1).flatten(0, 2)[keep])
        spectra.append(batch.cube.movedim(1, -1).flatten(0, 2)[keep])
    if not spectra:
        raise InvalidData(
            f"no pixel of the first {FITTED_ON} batches of patches is known in all bands; "
            "leave out bands or scenes"
        )
    model.fit(torch.cat(rgb), torch.cat(spectra))


def facts_of(run: Run) -> dict[str, Any]:
    """A run as plain values, for checkpoints and cards."""
    found: dict[str, Any] = json.loads(json.dumps(asdict(run), default=str))
    kind = next(name for name, kind in KINDS.items() if kind is type(run.objective))
    found["objective"] = {"kind": kind, **found["objective"]}
    return found


FREE = ("out", "device", "compile", "data.folder", "data.kept", "data.workers", "schedule.log")
"""What may differ when a run is resumed: nothing that is trained depends on it."""


_BEFORE = {"optimiser.schedule": "cosine"}
"""What runs did before there was a key to say it: their checkpoints are resumed, too."""


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Keys by which two runs train differently."""
    old, new = {**_BEFORE, **dict(_flat(before))}, dict(_flat(now))
    return sorted(
        key for key in old.keys() | new.keys() if old.get(key) != new.get(key) and key not in FREE
    )


def _flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield above + key, value
