"""Checkpoints of a run. A file always is one complete state, the new one or the one before."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hsi_xr.errors import (
    DestinationExists,
    DestinationUnwritable,
    Incomplete,
    InvalidCheckpoint,
    UsageError,
)
from hsi_xr.io import atomic
from hsi_xr.io.journal import differences
from hsi_xr.training.settings import MAY_CHANGE, Settings, as_plain

LAST, BEST = "last.pt", "best.pt"
"""Names of the checkpoint to resume from, and of the one with the best validation score."""

FORMAT = 2
"""Version of the keys in a checkpoint; the first one was not stated in the file."""

State = Mapping[str, Any]
"""Tensors, numbers and strings, in mappings and lists."""


def create_folder(folder: Path) -> None:
    """Create the folder of a run, unless it exists.

    Raises:
        DestinationUnwritable: It cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DestinationUnwritable(
            f"the folder {str(folder)!r} cannot be created ({error.strerror or error}); choose "
            "another out"
        ) from error


def write(state: State, path: Path) -> None:
    """Write a checkpoint, complete or not at all.

    Raises:
        Incomplete: The disk is full or the folder is not writable.
    """
    try:
        with atomic.replacing(path) as staging, staging.open("wb") as file:
            torch.save({**state, "format": FORMAT}, file)
    # torch reports a failed write as a RuntimeError of its own
    except (OSError, RuntimeError) as error:
        kept = "the previous one is kept" if path.is_file() else "there is no previous one"
        resumable = any(path.parent.glob("*.pt"))
        repair = "continue with --resume" if resumable else "start again"
        raise Incomplete(
            f"the checkpoint {str(path)!r} could not be written ({error}); {kept}. Make room on "
            f"the disk and {repair}"
        ) from error


def read(path: Path) -> State:
    """Read a checkpoint, to the CPU.

    Raises:
        InvalidCheckpoint: The file does not exist, is not a checkpoint of a training, or was
            written by another version.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InvalidCheckpoint(f"no checkpoint {str(path)!r} to resume from") from error
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise InvalidCheckpoint(f"{str(path)!r} is not a checkpoint of a training") from error
    if not isinstance(state, Mapping) or "done" not in state:
        raise InvalidCheckpoint(f"{str(path)!r} is not a checkpoint of a training")
    if (version := state.get("format", 1)) != FORMAT:
        raise InvalidCheckpoint(
            f"{str(path)!r} has format {version} and this version of hsi_xr reads format {FORMAT}; "
            "finish that training with the version that started it, or start a new one in another "
            "folder"
        )
    return state


def state_to_resume(settings: Settings, *, resume: bool) -> State | None:
    """Returns the last state of a training with the same settings, or None for a new training.

    Raises:
        DestinationExists: The folder contains a training, and it is not to be resumed.
        InvalidCheckpoint: As in `read`.
        UsageError: The settings differ from those of the training to resume.
    """
    path = settings.out / LAST
    if not resume:
        if path.exists():
            raise DestinationExists(
                f"{str(settings.out)!r} contains a training; continue it with --resume, or choose "
                "another out"
            )
        return None
    state = read(path)
    if changed := differences(state["run"], as_plain(settings), ignore=MAY_CHANGE):
        raise UsageError(
            f"the training in {str(settings.out)!r} was started with other settings: "
            f"{'; '.join(changed)}. Resume it with the same settings, or choose another out"
        )
    return state
