"""States on disk: each is whole under its name, or the one before it is."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hsi_xr.errors import Incomplete, InvalidCheckpoint
from hsi_xr.io import atomic

State = Mapping[str, Any]
"""Tensors, numbers and words, in mappings and lists."""


def write(state: State, path: Path) -> None:
    """Write a checkpoint, complete or not at all.

    Raises:
        Incomplete: The disk is full or the folder is not to be written to.
    """
    try:
        with atomic.replacing(path) as part, part.open("wb") as file:
            torch.save(state, file)
    # torch raises a RuntimeError where a write fails
    except (OSError, RuntimeError) as error:
        kept = "the one before it is kept" if path.is_file() else "there is none before it"
        then = "go on with --resume" if any(path.parent.glob("*.pt")) else "begin anew"
        raise Incomplete(
            f"the checkpoint {str(path)!r} could not be written ({error}); {kept}. Make room, and "
            f"{then}"
        ) from error


def read(path: Path) -> State:
    """What was written, on the CPU.

    Raises:
        InvalidCheckpoint: There is none, or it is not of a training.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InvalidCheckpoint(f"there is no checkpoint {str(path)!r} to resume") from error
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise InvalidCheckpoint(f"{str(path)!r} is no checkpoint of a training") from error
    if not isinstance(state, Mapping) or "done" not in state:
        raise InvalidCheckpoint(f"{str(path)!r} is no checkpoint of a training")
    return state
