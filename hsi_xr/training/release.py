"""Saves a trained model as one that reconstructs: weights, card and STAC item."""

import copy
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hsi_xr.checkpoints.measure import measure_model
from hsi_xr.checkpoints.weights import parameters, save_folder
from hsi_xr.training import checkpoints
from hsi_xr.training.checkpoints import BEST, LAST
from hsi_xr.training.data import scenes_of
from hsi_xr.training.loop import Training
from hsi_xr.training.patches import PatchBatch
from hsi_xr.training.settings import as_plain
from hsi_xr.training.setup import SystemTask


def release(task: SystemTask, training: Training[PatchBatch], *, measure: bool = True) -> Path:
    """Write the best weights of a run, or the last ones if none were validated, into its folder.

    Args:
        task: What was trained.
        training: The finished training.
        measure: Measure halo, cost and memory; otherwise those of the system with random weights
            are stated.

    Returns:
        The path of the weights.
    """
    out = task.run.out
    path = out / (BEST if (out / BEST).is_file() else LAST)
    state = checkpoints.read(path)
    model: Any = copy.deepcopy(training.averaged).cpu()
    model.load_state_dict(state["average"])
    card = _card(task, training, state, config=asdict(model.config), parameters=parameters(model))
    measured = measure_model(model, card) if measure else {}
    return save_folder(model, out, {**card, **measured})


def _card(
    task: SystemTask,
    training: Training[PatchBatch],
    state: Mapping[str, Any],
    *,
    config: Mapping[str, Any],
    parameters: int,
) -> dict[str, Any]:
    system, bands = task.card.data, task.dataset.bands
    return {
        **{key: value for key, value in system.items() if key != "weights_from"},
        "name": f"{task.run.system}-{task.run.data.name}",
        "version": f"step-{state['done']}",
        "licence": "unknown: ask those who trained the weights",
        "bands": {
            "centres_nm": list(bands.centres),
            **({"widths_nm": list(bands.widths)} if bands.widths else {}),
        },
        "config": config,
        "stride": task.stride,
        "steps": config.get("steps", system["steps"]),
        "parameters": parameters,
        "training": _protocol(task, training, state),
    }


def _protocol(
    task: SystemTask, training: Training[PatchBatch], state: Mapping[str, Any]
) -> dict[str, Any]:
    run = as_plain(task.run)
    data = {key: value for key, value in run["data"].items() if key != "folder"}
    for table in (run["objective"], data["options"]):
        if isinstance(table.get("camera"), str):
            table["camera"] = Path(table["camera"]).name
    private = ("out", "device", "start", "data", "config", "system")
    return {
        "command": "hsi-xr train",
        "data": data,
        "scenes": len(scenes_of(task.dataset, task.run.data.train)),
        "start": task.run.start.name if task.run.start else None,
        **{key: value for key, value in run.items() if key not in private},
        "processes": training.ranks.count,
        "steps_taken": training.done,
        "published_step": state["done"],
        "scores": _scores(task, state),
    }


def _scores(task: SystemTask, state: Mapping[str, Any]) -> dict[str, Any] | None:
    if "scores" not in state:
        return None
    return {
        "split": task.run.data.validation,
        "definition": "means over scenes; SAM in degrees, PSNR in dB; the weights were selected "
        "by the MRAE among these",
        **state["scores"],
    }
