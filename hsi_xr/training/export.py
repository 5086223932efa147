"""A trained model as one that reconstructs: weights, card and item."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hsi_xr.checkpoints import measure as _measure
from hsi_xr.checkpoints.card import CARD, ITEM, WEIGHTS, as_json, read
from hsi_xr.checkpoints.item import mlm_item
from hsi_xr.checkpoints.weights import parameters, save_model
from hsi_xr.training import checkpoints, setup
from hsi_xr.training.loop import BEST, LAST, Training


def release(training: Training, *, measure: bool = True) -> Path:
    """Writes the best weights of a run, or its last where none were chosen, into its folder.

    Halo, cost and memory are measured now, or are those of the system on random weights. Returns
    the weights' path.
    """
    out = training.run.out
    path = out / (BEST if (out / BEST).is_file() else LAST)
    state = checkpoints.read(path)
    model: Any = training.averaged().cpu()
    model.load_state_dict(state["average"])
    card = _card(training, model, state)
    weights = out / WEIGHTS
    about = {**card, **(_measure.measured(model, card) if measure else {})}
    save_model(model, weights, about).rename(out / CARD)
    (out / ITEM).write_text(as_json(mlm_item(read(weights))), encoding="utf-8")
    return weights


def _card(training: Training, model: Any, state: Mapping[str, Any]) -> dict[str, Any]:
    system, bands = training.card.data, training.data.bands
    config = asdict(model.config)
    return {
        **{key: value for key, value in system.items() if key != "weights_from"},
        "name": f"{training.run.system}-{training.run.data.name}",
        "version": f"step-{state['done']}",
        "licence": "unknown: ask who trained the weights",
        "bands": {
            "centres_nm": list(bands.centres),
            **({"widths_nm": list(bands.widths)} if bands.widths else {}),
        },
        "config": config,
        "stride": training.stride,
        "steps": config.get("steps", system["steps"]),
        "parameters": parameters(model),
        "training": _protocol(training, state),
    }


def _protocol(training: Training, state: Mapping[str, Any]) -> dict[str, Any]:
    run = setup.facts_of(training.run)
    data = {key: value for key, value in run["data"].items() if key != "folder"}
    for told in (run["objective"], data["options"]):
        if isinstance(told.get("camera"), str):
            told["camera"] = Path(told["camera"]).name
    local = ("out", "device", "start", "data", "config", "system")
    return {
        "command": "hsi-xr train",
        "data": data,
        "scenes": len(setup.split(training.data, training.run.data.train)),
        "start": training.run.start.name if training.run.start else None,
        **{key: value for key, value in run.items() if key not in local},
        "processes": training.ranks.count,
        "steps_taken": training.done,
        "published_step": state["done"],
        "scores": {
            "split": training.run.data.validation,
            "definition": "means over scenes; SAM in degrees, PSNR in dB; the weights were chosen "
            "by the MRAE among these",
            **state["scores"],
        }
        if "scores" in state
        else None,
    }
