"""Published checkpoints as models of ours: weights, card and MLM item in a folder.

A checkpoint is read by torch's loader of plain tensors; whatever else a pickle holds is refused
before any of it runs.
"""

import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hsi_xr.errors import DestinationExists, InvalidCheckpoint, UsageError
from hsi_xr.networks import published
from hsi_xr.reconstructors import _measure, _registry
from hsi_xr.reconstructors._card import IN_FOLDER, Card, as_json, read
from hsi_xr.reconstructors._mlm import mlm_item
from hsi_xr.reconstructors._weights import parameters, save_model

ITEM = "mlm-item.json"


def import_published(
    name: str,
    checkpoint: Path,
    folder: Path,
    *,
    title: str | None = None,
    licence: str | None = None,
    overwrite: bool = False,
) -> Card:
    """Makes a model's folder of a checkpoint as its authors saved it.

    Args:
        name: Of a system with published weights, e.g. `mst-plus-plus`; see `hsi_xr.models`. Or
            that of the weights in `hsi_xr.networks.published`, e.g. `mst_l_rgb`.
        checkpoint: What `torch.save` wrote (.pth), or a safetensors file.
        folder: For `model.safetensors` (float32), `card.json` and `mlm-item.json`; appears when
            all three are complete.
        title: Name of the model; the system's by default.
        licence: Of the weights, as SPDX text; not in a checkpoint, so unknown unless told.
        overwrite: Replace the folder.

    Raises:
        UnknownName: No system of that name.
        UsageError: The system has no published weights, or the weights read no RGB.
        DestinationExists: The folder is there.
        InvalidCheckpoint: No plain tensors, or those of another network.
    """
    system = _system(name)
    layout = system.data["published"]
    if folder.exists() and not overwrite:
        raise DestinationExists(f"{str(folder)!r} exists; give another folder, or --overwrite")
    state = read_checkpoint(checkpoint)
    network = published.load(layout, state)
    config = {**system.config, **published.sizes(layout, state)}
    built = _registry.load(system.reconstructor).build(config)
    built.network.load_state_dict(network.state_dict())
    card = {
        **system.data,
        "name": title or f"{system.name}-{checkpoint.stem}",
        "version": "published",
        "licence": licence or "unknown: ask the authors of the weights",
        "config": config,
        "training": {"imported_from": checkpoint.name},
        "parameters": parameters(built),
    }
    return _saved(built, {**card, **_measure.measured(built, card)}, folder)


def _system(name: str) -> Card:
    """The card of a system that some published weights are of."""
    layouts = {card.data.get("published"): card for card in _registry.systems_as_built()}
    key = name.replace("-", "_")
    if system := layouts.get(key):
        return system
    if key in published.NETWORKS and name not in _registry.systems():
        raise UsageError(
            f"{name!r} reads coded-aperture snapshots, and a model here reads RGB; its network is "
            f"what `hsi_xr.networks.published.load({key!r}, state)` makes"
        )
    system = _registry.find(name.replace("_", "-"), untrained=True)
    if system.data.get("published") is None:
        raise UsageError(f"no weights of {name!r} were published in a layout that is known")
    return system


def read_checkpoint(path: Path) -> Mapping[str, Any]:
    """The tensors of a checkpoint, by name, as they lie in it.

    Raises:
        InvalidCheckpoint: Missing, corrupt, or a pickle of more than tensors.
    """
    if not path.is_file():
        raise InvalidCheckpoint(f"no checkpoint {str(path)!r}; check the path")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InvalidCheckpoint(
            f"{path.name!r} is a pickle of more than tensors, and unpickling can run any code: "
            "refused. Where you trust its origin, save its `state_dict()` by itself with "
            "`torch.save`, and import that"
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise InvalidCheckpoint(f"{path.name!r} is no checkpoint of torch ({error})") from error
    if not isinstance(found, Mapping):
        raise InvalidCheckpoint(f"{path.name!r} holds a {type(found).__name__}, and no tensors")
    return found


def _saved(model: Any, card: Mapping[str, Any], folder: Path) -> Card:
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        beside = save_model(model, part / IN_FOLDER[0], card, dtype=torch.float32)
        beside.rename(part / IN_FOLDER[1])
        (part / ITEM).write_text(as_json(mlm_item(read(part))), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return read(folder)
