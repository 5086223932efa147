"""Checkpoints of a run. A file always contains a complete state, the new or the previous one."""

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
"""Version of the format of checkpoints; files of version 1 do not state it."""

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
            "another output folder (out)"
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
            f"the checkpoint {str(path)!r} could not be written ({error}); {kept}. Free "
            f"some disk space and {repair}"
        ) from error


def read(path: Path) -> State:
    """Read a checkpoint, to the CPU.

    Raises:
        InvalidCheckpoint: The file does not exist, is not a checkpoint of a training run, or was
            written by another version.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InvalidCheckpoint(f"there is no checkpoint {str(path)!r} to resume from") from error
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise InvalidCheckpoint(f"{str(path)!r} is not a checkpoint of a training run") from error
    if not isinstance(state, Mapping) or "done" not in state:
        raise InvalidCheckpoint(f"{str(path)!r} is not a checkpoint of a training run")
    if (version := state.get("format", 1)) != FORMAT:
        raise InvalidCheckpoint(
            f"{str(path)!r} has format {version} and this version of hsi_xr reads format {FORMAT}; "
            "finish that run with the version that started it, or start a new one in another "
            "folder"
        )
    return state


def state_to_resume(settings: Settings, *, resume: bool) -> State | None:
    """Returns the last state of a run with the same settings, or None for a new run.

    Raises:
        DestinationExists: The folder contains a training run, and `resume` is not set.
        InvalidCheckpoint: As in `read`.
        UsageError: The settings differ from those of the run to resume.
    """
    path = settings.out / LAST
    if not resume:
        if path.exists():
            raise DestinationExists(
                f"{str(settings.out)!r} contains a training run; continue it with --resume, or "
                "choose another output folder (out)"
            )
        return None
    state = read(path)
    if changed := differences(state["run"], as_plain(settings), ignore=MAY_CHANGE):
        raise UsageError(
            f"the training run in {str(settings.out)!r} was started with other settings: "
            f"{'; '.join(changed)}. Resume it with the same settings, or choose "
            "another output folder (out)"
        )
    return state
