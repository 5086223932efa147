"""Weights of models: safetensors files, never pickles, which are verified against their card."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file

from hsi_xr.checkpoints import registry
from hsi_xr.checkpoints.card import CARD, ITEM, WEIGHTS, Card, as_json, checksum, read
from hsi_xr.checkpoints.item import mlm_item
from hsi_xr.checkpoints.tensors import check_download, differences
from hsi_xr.errors import InvalidCheckpoint
from hsi_xr.io import atomic
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.times import now, utc_text


def load_model(card: Card, *, steps: int | None = None) -> Reconstructor:
    """Loads the reconstructor of a card, in float32 on the CPU, in evaluation mode.

    Args:
        card: The card of a model; without weights, random ones that are always the same are used.
        steps: Number of steps of its chain, instead of that in the card's `config`.

    Raises:
        InvalidCheckpoint: The file does not match its card, or the weights are for another system.
    """
    if card.weights is None:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            return _build(card, steps).eval()
    model = _build_with_weights(card, card.weights, steps)
    if (count := parameters(model)) != card.parameters:
        raise InvalidCheckpoint(
            f"the card of {card.weights.name!r} states {card.parameters:,} parameters, but its "
            f"config gives {count:,}; download both files again"
        )
    return model.eval()


def parameters(model: Reconstructor) -> int:
    """Returns the number of parameters of a model."""
    return sum(parameter.numel() for parameter in model.parameters())


def save_model(model: Reconstructor, weights: Path, card: Mapping[str, Any]) -> Path:
    """Writes the weights of a model and their card; each file is complete or absent.

    Weights are written in single precision: the coefficients of a regression nearly cancel, and
    would be useless in half precision.

    Args:
        model: The model; its `state_dict` is written.
        weights: Path of the weights file, which ends in .safetensors.
        card: Contents of the card; the checksum and the time of saving (see `times.now`) are added.

    Returns:
        The path of the card, next to the weights and of the same name.
    """
    path = weights.with_suffix(".json")
    state = {key: tensor.float().contiguous() for key, tensor in model.state_dict().items()}
    with atomic.replacing(weights) as part:
        save_file(state, part, metadata={"model": f"{card['name']} {card['version']}"})
        part.chmod(0o644)
    added = {"saved": utc_text(now()), "sha256": checksum(weights)}
    atomic.write_text(path, as_json({**card, **added}))
    return path


def save_folder(model: Reconstructor, folder: Path, card: Mapping[str, Any]) -> Path:
    """Writes a model into an existing folder: weights, card and STAC item.

    Returns:
        The path of the weights.
    """
    weights = folder / WEIGHTS
    save_model(model, weights, card).rename(folder / CARD)
    atomic.write_text(folder / ITEM, as_json(mlm_item(read(folder))))
    return weights


def _build(card: Card, steps: int | None) -> Reconstructor:
    system = registry.load(card.reconstructor)
    changes = {} if steps is None else {"steps": steps}
    try:
        model = system.build({**card.config, **changes})
    except (TypeError, ValueError) as error:
        raise InvalidCheckpoint(f"the config of {card.name!r} is not valid: {error}") from error
    if not isinstance(model, Reconstructor):
        raise InvalidCheckpoint(f"{card.reconstructor!r} does not build a Reconstructor")
    return model


def _build_with_weights(card: Card, weights: Path, steps: int | None) -> Reconstructor:
    check_download(weights)
    if (found := checksum(weights)) != card.sha256:
        raise InvalidCheckpoint(
            f"{weights.name!r} has sha256 {found[:12]}..., but its card states "
            f"{card.sha256[:12]}...; download both files again"
        )
    try:
        state = load(weights.read_bytes())
    except (SafetensorError, ValueError) as error:
        raise InvalidCheckpoint(f"{weights.name!r} is not a safetensors file") from error
    model = _build(card, steps)
    if wrong := differences(model.state_dict(), state):
        raise InvalidCheckpoint(f"{weights.name!r} contains weights of another network: it {wrong}")
    model.load_state_dict({key: tensor.float() for key, tensor in state.items()})
    return model
