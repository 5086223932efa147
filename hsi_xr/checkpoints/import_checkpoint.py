"""Published checkpoints as models of ours: weights, card and MLM item in a folder.

A checkpoint is read by torch's loader of plain tensors; whatever else a pickle holds is refused
before any of it runs.
"""

import os
import pickle
import struct
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from hsi_xr.checkpoints import measure, published, registry
from hsi_xr.checkpoints.card import CARD, ITEM, WEIGHTS, Card, as_json, read
from hsi_xr.checkpoints.item import mlm_item
from hsi_xr.checkpoints.weights import parameters, save_model
from hsi_xr.errors import DestinationExists, DestinationUnwritable, InvalidCheckpoint, UsageError
from hsi_xr.io import atomic


def import_published(
    name: str,
    checkpoint: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    title: str | None = None,
    licence: str | None = None,
    overwrite: bool = False,
) -> Card:
    """Makes a model's folder of a checkpoint as its authors saved it.

    Args:
        name: Of a system with published weights, e.g. `mst-plus-plus`; see `hsi_xr.models`. Or
            that of the weights in `hsi_xr.checkpoints.published`, e.g. `mst_l_rgb`.
        checkpoint: What `torch.save` wrote (.pth), or a safetensors file.
        folder: For `model.safetensors` (float32), `card.json` and `mlm-item.json`; appears when
            all three are complete.
        title: Name of the model; the system's by default.
        licence: Of the weights, as SPDX text; not in a checkpoint, so unknown unless told.
        overwrite: Replace a folder of such a model.

    Raises:
        UnknownName: No system of that name.
        UsageError: The system has no published weights, or the weights read no RGB.
        DestinationExists: The folder is there, or is to be replaced and holds anything else.
        DestinationUnwritable: It cannot be made.
        InvalidCheckpoint: No plain tensors, or those of another network.
    """
    checkpoint, folder = Path(checkpoint), Path(folder).resolve()
    system = _system(name)
    _check_folder(folder, overwrite=overwrite)
    built, config = _built(system, read_checkpoint(checkpoint))
    card = {
        **system.data,
        "name": title or f"{system.name}-{checkpoint.stem}",
        "version": "published",
        "licence": licence or "unknown: ask the authors of the weights",
        "config": config,
        "training": {"imported_from": checkpoint.name},
        "parameters": parameters(built),
    }
    return _saved(built, {**card, **measure.measured(built, card)}, folder)


def _built(system: Card, state: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The system around a published network, and its configuration."""
    layout, module = system.data["published"], registry.load(system.reconstructor)
    network = published.load(layout, state)
    config = asdict(module.Config.from_published(**published.sizes(layout, state)))
    if config["bands"] != len(system.bands):
        raise InvalidCheckpoint(
            f"the weights answer {config['bands']} bands, and which is not in them; "
            f"{system.name} is described for {len(system.bands)}"
        )
    built = module.build(config)
    built.network.load_state_dict(network.state_dict())
    return built, config


def _check_folder(folder: Path, *, overwrite: bool) -> None:
    """All that can be said against the destination, before any work."""
    if folder.exists():
        if not overwrite:
            raise DestinationExists(f"{str(folder)!r} exists; give another folder, or --overwrite")
        others = [folder] if not folder.is_dir() else _others(folder)
        if others:
            raise DestinationExists(
                f"{str(others[0])!r} is not of a model; give another folder, which is made anew"
            )
    above = next(each for each in folder.parents if each.exists())
    if not os.access(above, os.W_OK):
        raise DestinationUnwritable(f"{str(above)!r} cannot be written; give another folder")


def _others(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.name not in (WEIGHTS, CARD, ITEM)]


def _system(name: str) -> Card:
    """The card of a system that some published weights are of."""
    layouts = {card.data.get("published"): card for card in registry.systems_as_built()}
    key = name.replace("-", "_")
    if system := layouts.get(key):
        return system
    if key in published.NETWORKS and name not in registry.systems():
        raise UsageError(
            f"{name!r} reads coded-aperture snapshots, and a model here reads RGB; "
            f"`hsi-xr evaluate-snapshots` scores it, and its network is what "
            f"`hsi_xr.checkpoints.published.load({key!r}, state)` makes"
        )
    system = registry.find(name.replace("_", "-"), untrained=True)
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
    with path.open("rb") as file:
        begins = file.read(4)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if begins[:2] not in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
            raise InvalidCheckpoint(
                f"{path.name!r} is no checkpoint of torch (it begins with {begins!r}); get it again"
            )
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InvalidCheckpoint(
            f"{path.name!r} is a pickle of more than tensors, and unpickling can run any code: "
            "refused. Where you trust its origin, save its `state_dict()` by itself with "
            "`torch.save`, and give that"
        ) from error
    except _DAMAGED as error:
        raise InvalidCheckpoint(f"{path.name!r} is damaged ({error}); fetch it again") from error
    if not isinstance(found, Mapping):
        raise InvalidCheckpoint(f"{path.name!r} holds a {type(found).__name__}, and no tensors")
    return found


_DAMAGED = (
    *(OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError),
    *(struct.error, SafetensorError),
)
"""What torch and safetensors are known to raise over files that are cut or altered."""


def _saved(model: Any, card: Mapping[str, Any], folder: Path) -> Card:
    """Write the folder of a model, complete or not at all."""
    with atomic.replacing_folder(folder) as new:
        save_model(model, new / WEIGHTS, card).rename(new / CARD)
        (new / ITEM).write_text(as_json(mlm_item(read(new))), encoding="utf-8")
    return read(folder)
