"""Weights files: safetensors, never pickles; checked against their card before use."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from hsi_xr.checkpoints import registry
from hsi_xr.checkpoints.card import Card, as_json, checksum
from hsi_xr.checkpoints.layout import differences
from hsi_xr.errors import InvalidCheckpoint
from hsi_xr.io import atomic
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.times import now, utc_text


def load_model(card: Card, *, steps: int | None = None) -> Reconstructor:
    """The reconstructor of a card, in float32 on the CPU, ready to run.

    Args:
        card: Of weights, or of a system without.
        steps: Of its chain, in place of those in the card's config.

    Raises:
        InvalidCheckpoint: The file is not what the card says, or not weights of its system.
    """
    if card.weights is None:
        return _untrained(card, steps)
    if (found := checksum(card.weights)) != card.sha256:
        raise InvalidCheckpoint(
            f"{card.weights.name!r} has sha256 {found[:12]}..., its card says "
            f"{card.sha256[:12]}...; fetch the pair again"
        )
    try:
        state = load(card.weights.read_bytes())
    except (SafetensorError, ValueError) as error:
        raise InvalidCheckpoint(f"{card.weights.name!r} is no safetensors file") from error
    model = _build(card, steps)
    _fit(model, state, card.weights.name)
    if (count := parameters(model)) != card.data["parameters"]:
        raise InvalidCheckpoint(
            f"the card of {card.weights.name!r} says {card.data['parameters']:,} parameters, its "
            f"config makes {count:,}; fetch the pair again"
        )
    return model.eval()


def parameters(model: Reconstructor) -> int:
    """How many numbers all parameters of a model are."""
    return sum(parameter.numel() for parameter in model.parameters())


def _untrained(card: Card, steps: int | None) -> Reconstructor:
    """As its system builds it, always with the same numbers."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return _build(card, steps).eval()


def _build(card: Card, steps: int | None) -> Reconstructor:
    system = registry.load(card.reconstructor)
    running = {} if steps is None else {"steps": steps}
    try:
        built = system.build({**card.config, **running})
    except (TypeError, ValueError) as error:
        raise InvalidCheckpoint(f"the config of {card.name!r} does not fit: {error}") from error
    if not isinstance(built, Reconstructor):
        raise InvalidCheckpoint(f"{card.reconstructor!r} builds no Reconstructor")
    return built


def _fit(model: Reconstructor, state: dict[str, Tensor], name: str) -> None:
    if wrong := differences(model.state_dict(), state):
        raise InvalidCheckpoint(f"{name!r} holds weights of another network: it {wrong}")
    model.load_state_dict({key: tensor.float() for key, tensor in state.items()})


def save_model(model: Reconstructor, weights: Path, card: Mapping[str, Any]) -> Path:
    """Writes weights and their card, each whole or not at all.

    Numbers stay as they are, in single precision: coefficients of a regression nearly cancel, and
    do not survive rounding to half of it.

    Args:
        model: Whose `state_dict` is written.
        weights: Where to; ends in .safetensors.
        card: What is said of the model; the checksum and the time (see `times.now`) are added.

    Returns:
        The card's path: beside the weights, of their name.
    """
    path = weights.with_suffix(".json")
    state = {key: tensor.float().contiguous() for key, tensor in model.state_dict().items()}
    with atomic.replacing(weights) as part:
        save_file(state, part, metadata={"model": f"{card['name']} {card['version']}"})
        part.chmod(0o644)
    saved = {"saved": utc_text(now())}
    atomic.write_text(path, as_json({**card, **saved, "sha256": checksum(weights)}))
    return path
