"""Tensors of checkpoint files, and how they differ from those of a network.

Checkpoints are read by torch's loader for plain tensors. A pickle that contains anything else is
rejected before any of its code runs.
"""

import pickle
import struct
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from hsi_xr.errors import InvalidCheckpoint

LISTED = 5
"""Number of differences that a message lists."""

_TORCH_SIGNATURES = (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")

_DAMAGED = (
    *(OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError),
    *(struct.error, SafetensorError),
)
"""Exceptions that torch and safetensors raise for files that are truncated or altered."""


def read_checkpoint(path: Path) -> Mapping[str, object]:
    """Reads a checkpoint that was written by `torch.save`, or a safetensors file.

    Returns:
        The contents by key, as they are in the file: tensors, or containers of tensors.

    Raises:
        InvalidCheckpoint: The file is missing, damaged, or a pickle with more than tensors.
    """
    if not path.is_file():
        raise InvalidCheckpoint(f"no checkpoint {str(path)!r}; check the path")
    try:
        contents = load_file(path) if path.suffix == ".safetensors" else _read_torch(path)
    except pickle.UnpicklingError as error:
        raise InvalidCheckpoint(
            f"{path.name!r} is a pickle that contains more than tensors; it is not read, because "
            "unpickling can run any code. If you trust its origin, save only its `state_dict()` "
            "with `torch.save`, and give that file"
        ) from error
    except _DAMAGED as error:
        raise InvalidCheckpoint(f"{path.name!r} is damaged ({error}); download it again") from error
    if not isinstance(contents, Mapping):
        raise InvalidCheckpoint(f"{path.name!r} contains a {type(contents).__name__}, not tensors")
    return contents


def _read_torch(path: Path) -> object:
    with path.open("rb") as file:
        start = file.read(4)
    if not start.startswith(_TORCH_SIGNATURES):
        raise InvalidCheckpoint(
            f"{path.name!r} is not a torch checkpoint (it starts with {start!r}); download it again"
        )
    return torch.load(path, map_location="cpu", weights_only=True)


def differences(expected: Mapping[str, Tensor], actual: Mapping[str, Tensor]) -> str:
    """Describes how tensors differ from expected ones.

    Returns:
        The first keys that are missing, unknown or of another shape; "" if there are none.
    """
    found = [
        *(f"lacks {key}" for key in expected.keys() - actual.keys()),
        *(f"has unknown {key}" for key in actual.keys() - expected.keys()),
        *(
            f"{key} is {tuple(actual[key].shape)}, not {tuple(expected[key].shape)}"
            for key in expected.keys() & actual.keys()
            if actual[key].shape != expected[key].shape
        ),
    ]
    return "; ".join(sorted(found)[:LISTED]) + (" ..." if len(found) > LISTED else "")
