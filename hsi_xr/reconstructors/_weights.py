"""Weights files: safetensors, never pickles; checked against their card before use."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from hsi_xr.errors import InvalidCheckpoint
from hsi_xr.reconstructors import _registry
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.reconstructors._card import Card, checksum


def load_model(card: Card) -> Reconstructor:
    """The reconstructor of a card, in float32 on the CPU, ready to run.

    Raises:
        InvalidCheckpoint: The file is not what the card says, or not weights of its system.
    """
    if (found := checksum(card.weights)) != card.sha256:
        raise InvalidCheckpoint(
            f"{card.weights.name!r} has sha256 {found[:12]}..., its card says "
            f"{card.sha256[:12]}...; fetch the pair again"
        )
    try:
        state = load(card.weights.read_bytes())
    except (SafetensorError, ValueError) as error:
        raise InvalidCheckpoint(f"{card.weights.name!r} is no safetensors file") from error
    model = _build(card)
    _fit(model, state, card.weights.name)
    return model.eval()


def _build(card: Card) -> Reconstructor:
    system = _registry.load(card.reconstructor)
    try:
        built = system.build(card.config)
    except (TypeError, ValueError) as error:
        raise InvalidCheckpoint(f"the config of {card.name!r} does not fit: {error}") from error
    if not isinstance(built, Reconstructor):
        raise InvalidCheckpoint(f"{card.reconstructor!r} builds no Reconstructor")
    return built


def _fit(model: Reconstructor, state: dict[str, Tensor], name: str) -> None:
    wanted = model.state_dict()
    wrong = [
        *(f"lacks {key}" for key in wanted.keys() - state.keys()),
        *(f"has unknown {key}" for key in state.keys() - wanted.keys()),
        *(
            f"{key} is {tuple(state[key].shape)}, not {tuple(wanted[key].shape)}"
            for key in wanted.keys() & state.keys()
            if state[key].shape != wanted[key].shape
        ),
    ]
    if wrong:
        shown = "; ".join(sorted(wrong)[:5]) + (" ..." if len(wrong) > 5 else "")
        raise InvalidCheckpoint(f"{name!r} holds weights of another network: it {shown}")
    model.load_state_dict({key: tensor.float() for key, tensor in state.items()})


def save_model(model: Reconstructor, weights: Path, card: dict[str, Any]) -> None:
    """Writes half-precision weights and their card, each whole or not at all."""
    beside = weights.with_suffix(".part")
    half = {key: t.to(torch.float16).contiguous() for key, t in model.state_dict().items()}
    save_file(half, beside, metadata={"name": card["name"], "version": card["version"]})
    beside.chmod(0o644)
    os.replace(beside, weights)
    card = {**card, "sha256": checksum(weights)}
    beside.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    os.replace(beside, weights.with_suffix(".json"))
