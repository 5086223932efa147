"""Prepares the training of a system on a data set: its model, objective, batches and validation."""

import copy
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from hsi_xr.checkpoints import registry
from hsi_xr.checkpoints.card import Card
from hsi_xr.checkpoints.tensors import differences
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
from hsi_xr.training.data import Scenes, Survey, scenes_of
from hsi_xr.training.patches import PatchBatch, Patches
from hsi_xr.training.seeds import Use, seeded
from hsi_xr.training.settings import Run
from hsi_xr.training.updates import Task
from hsi_xr.training.validation import SceneValidation

_log = logging.getLogger(__name__)

FITTED_BATCHES = 16
"""Batches of patches that a closed-form part is fitted on."""


@dataclass(frozen=True, kw_only=True)
class SystemTask(Task[PatchBatch]):
    """A system that is trained on a data set.

    Attributes:
        run: Settings of the run.
        dataset: Its data set.
        card: Card of the system.
        stride: Rows and columns of images are multiples of it.
    """

    run: Run
    dataset: DataSet
    card: Card
    stride: int


def prepare(run: Run, dataset: DataSet) -> SystemTask:
    """Returns the task of a run; reads no scene.

    Raises:
        UnknownName: No system has this name.
        UsageError: The run contradicts the data set or its system.
        InvalidCheckpoint: The weights to start from do not fit the system.
        UnreadableFile: The file of a camera is missing.
        InvalidData: The camera's response does not cover all bands.
    """
    model, card = new_model(run, dataset)
    stride = _stride(model, card.stride)
    if run.data.patch % stride:
        raise UsageError(f"data.patch must be a multiple of {stride}; got {run.data.patch}")
    with seeded(run.seed, Use.AUXILIARY):
        objective = run.objective.build(
            model, dataset.bands, steps=run.schedule.steps, patch=run.data.patch
        )
    draw = _patches(run, dataset, model).draw
    if run.compile:
        _compile(model)
    return SystemTask(
        model=model,
        objective=objective,
        draw=draw,
        workers=run.data.workers,
        fit=partial(fit_closed_form, model, draw),
        validation=_validation(run, dataset, stride) if run.schedule.validate else None,
        run=run,
        dataset=dataset,
        card=card,
        stride=stride,
    )


def new_model(run: Run, dataset: DataSet) -> tuple[Reconstructor, Card]:
    """Returns the system of a run, with random weights or those to start from, and its card.

    Raises:
        UnknownName: No system has this name.
        UsageError: The system has no such configuration.
        InvalidCheckpoint: The weights to start from do not fit the system.
    """
    card, bands = registry.find(run.system, untrained=True), len(dataset.bands)
    if (given := run.config.get("bands", bands)) != bands:
        raise UsageError(
            f"config.bands = {given}, but the data set has {bands} bands; omit config.bands"
        )
    config = {**card.config, **run.config, "bands": bands}
    try:
        with seeded(run.seed, Use.WEIGHTS):
            model: Reconstructor = registry.load(run.system).build(config)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{run.system!r} does not accept this config: {error}") from error
    for part in model.modules():
        if isinstance(part, SceneGain):
            # the level is defined by the data set, so there is no gain to learn
            part.fix_to_one()
            part.requires_grad_(False)
    if run.start is not None:
        _load_start(model, run.start)
    return model, card


def _load_start(model: Reconstructor, path: Path) -> None:
    """Load the weights of a model, or of a part of it: those of a host, for a system around it."""
    weights = path / "model.safetensors" if path.is_dir() else path
    if not weights.is_file():
        raise UsageError(f"no weights file {str(weights)!r} to start from")
    try:
        loaded = {key: tensor.float() for key, tensor in load_file(weights).items()}
    except (OSError, SafetensorError) as error:
        raise InvalidCheckpoint(f"{str(weights)!r} contains no weights ({error})") from error
    expected = model.state_dict()
    common = {key: expected[key] for key in loaded.keys() & expected.keys()}
    if wrong := differences(common, loaded):
        raise InvalidCheckpoint(f"{str(weights)!r} does not fit this system: it {wrong}")
    model.load_state_dict(loaded, strict=False)
    _log.info("loaded %d of %d tensors from %s", len(loaded), len(expected), weights)


def _stride(model: Reconstructor, default: int) -> int:
    """Returns the number that rows and columns must be multiples of, for this configuration."""
    for part in (model, getattr(model, "network", None)):
        if isinstance(stride := getattr(part, "stride", None), int):
            return stride
    return default


def _patches(run: Run, dataset: DataSet, model: Reconstructor) -> Patches:
    # a copy, since the model may move to another device; no survey depends on what is trained
    scenes = Scenes(dataset, survey_of(copy.deepcopy(model)), kept=run.data.kept)
    return Patches(scenes, scenes_of(dataset, run.data.train), run.data, seed=run.seed)


def survey_of(model: Reconstructor) -> Survey:
    """Returns the function by which a system computes the statistics of a whole scene.

    Raises:
        UsageError: The system has none.
    """
    survey = getattr(getattr(model, "adapter", model), "survey", None)
    if survey is None:
        raise UsageError(f"{type(model).__name__} has no `survey` and cannot be trained here")

    def statistics(rgb: Tensor, weights: Tensor) -> SceneStatistics:
        return dict(survey(SceneWindows(rgb, weights, chromaticity_histogram(rgb, weights))))

    return statistics


def _validation(run: Run, dataset: DataSet, stride: int) -> SceneValidation:
    names = scenes_of(dataset, run.data.validation)[: run.data.scenes]
    scenes = Scenes(dataset, lambda rgb, weights: {}, kept=1)
    return SceneValidation(scenes, names, dataset.bands, stride, run.data.crop, run.seed)


def _compile(model: Reconstructor) -> None:
    network = getattr(model, "network", None)
    if isinstance(network, nn.Module):
        network.compile()


def fit_closed_form(
    model: Reconstructor, draw: Callable[[int], PatchBatch], *, pixels: int = 200
) -> None:
    """Fit what is not learned by gradient descent, on pixels of the first batches.

    Args:
        model: Fitted in place, if it is a `FittedReconstructor`.
        draw: Returns the batch with a given number.
        pixels: Pixels of each patch.

    Raises:
        InvalidData: No pixel is known in all bands.
    """
    if not isinstance(model, FittedReconstructor):
        return
    rgb, spectra = [], []
    for number in range(FITTED_BATCHES):
        batch = draw(number)
        known = batch.known.all(1).flatten().nonzero()[:, 0]
        if not len(known):
            continue
        keep = known[torch.linspace(0, len(known) - 1, pixels * len(batch.names)).long()]
        colours = model.calibrate(batch.rgb, batch.statistics)
        rgb.append(colours.movedim(1, -1).flatten(0, 2)[keep])
        spectra.append(batch.cube.movedim(1, -1).flatten(0, 2)[keep])
    if not spectra:
        raise InvalidData(
            f"no pixel of the first {FITTED_BATCHES} batches of patches is known in all bands; "
            "leave out bands or scenes"
        )
    model.fit(torch.cat(rgb), torch.cat(spectra))
