"""Imports published checkpoints as models: weights, card and STAC item in a folder."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, cast

from hsi_xr.checkpoints import measure, published, registry
from hsi_xr.checkpoints.card import CARD, ITEM, WEIGHTS, Card, read
from hsi_xr.checkpoints.tensors import read_checkpoint
from hsi_xr.checkpoints.weights import parameters, save_folder
from hsi_xr.errors import DestinationExists, DestinationUnwritable, InvalidCheckpoint, UsageError
from hsi_xr.io import atomic
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.reconstructors._feedforward import Benchmark


class PublishedSystem(registry.System, Protocol):
    """The module of a system whose weights were published."""

    Config: type[Benchmark]


def import_published(
    name: str,
    checkpoint: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    title: str | None = None,
    licence: str | None = None,
    overwrite: bool = False,
) -> Card:
    """Imports a checkpoint, as its authors saved it, as a model.

    Args:
        name: Name of a system with published weights, e.g. `mst-plus-plus` (see `hsi_xr.models`),
            or of the weights in `hsi_xr.checkpoints.published`, e.g. `mst_l_rgb`.
        checkpoint: A file written by `torch.save` (.pth), or a safetensors file.
        folder: Receives `model.safetensors` (float32), `card.json` and `mlm-item.json`; it appears
            when all three are complete.
        title: Name of the model; by default that of the system and the file.
        licence: Licence of the weights as an SPDX expression; a checkpoint does not contain it.
        overwrite: Replace an existing model folder.

    Returns:
        The card of the model.

    Raises:
        UnknownName: No system has that name.
        UsageError: The system has no published weights, or the weights do not take RGB.
        DestinationExists: The folder exists, or `overwrite` is true and it contains other files.
        DestinationUnwritable: The folder cannot be created.
        InvalidCheckpoint: The file does not contain plain tensors, or tensors of another network.
    """
    checkpoint, folder = Path(checkpoint), Path(folder).resolve()
    system, weights = _system(name)
    _check_folder(folder, overwrite=overwrite)
    model, config = _build(system, weights, read_checkpoint(checkpoint))
    card = {
        **system.data,
        "name": title or f"{system.name}-{checkpoint.stem}",
        "version": "published",
        "licence": licence or "unknown: ask the authors of the weights",
        "config": config,
        "training": {"imported_from": checkpoint.name},
        "parameters": parameters(model),
    }
    measured = measure.measure_model(model, card)
    with atomic.replacing_folder(folder) as new:
        save_folder(model, new, {**card, **measured})
    return read(folder)


def _system(name: str) -> tuple[Card, str]:
    """Returns the card of the system that runs published weights, and the name of the weights.

    Raises:
        UnknownName: No system has that name.
        UsageError: There are no published weights for it, or they do not take RGB.
    """
    by_weights = {card.published: card for card in registry.untrained()}
    key = name.replace("-", "_")
    if system := by_weights.get(key):
        return system, key
    if key in published.NETWORKS and name not in registry.systems():
        raise UsageError(
            f"{name!r} takes coded-aperture snapshots, but models take RGB; evaluate it with "
            f"`hsi-xr evaluate-snapshots`, or load its network with "
            f"`hsi_xr.checkpoints.published.load({key!r}, state)`"
        )
    system = registry.find(name.replace("_", "-"), untrained=True)
    if system.published is None:
        raise UsageError(
            f"no weights of {name!r} were published in a known layout; train it with `hsi-xr train`"
        )
    return system, system.published


def _check_folder(folder: Path, *, overwrite: bool) -> None:
    """Raises if the folder cannot be created or replaced, before any work is done."""
    if folder.exists():
        if not overwrite:
            raise DestinationExists(
                f"{str(folder)!r} exists; give another folder, or replace it with --overwrite"
            )
        other = [folder] if not folder.is_dir() else _other_files(folder)
        if other:
            raise DestinationExists(
                f"{str(other[0])!r} is not part of a model, so --overwrite does not replace its "
                "folder; give another folder"
            )
    parent = next(each for each in folder.parents if each.exists())
    if not os.access(parent, os.W_OK):
        raise DestinationUnwritable(f"{str(parent)!r} cannot be written; give another folder")


def _other_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.name not in (WEIGHTS, CARD, ITEM)]


def _build(
    system: Card, weights: str, state: Mapping[str, object]
) -> tuple[Reconstructor, dict[str, Any]]:
    """Builds the system around a published network, and returns it with its configuration."""
    module = cast(PublishedSystem, registry.load(system.reconstructor))
    network = published.load(weights, state)
    config = asdict(module.Config.from_published(**published.sizes(weights, state)))
    if config["bands"] != len(system.bands):
        raise InvalidCheckpoint(
            f"the weights have {config['bands']} bands of unknown wavelengths; the card of "
            f"{system.name} gives wavelengths for {len(system.bands)}"
        )
    model = module.build(config)
    model.get_submodule("network").load_state_dict(network.state_dict())
    return model, config
