"""Tensors of checkpoint files, and how they differ from those of a network.

Checkpoints are read by torch's loader for plain tensors. A pickle that contains anything else is
rejected before any of its code runs.
"""

import codecs
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

_STARTS = 4096
"""Bytes from which the kind of a file is recognised."""
_QUOTED = 100
"""Characters of a text that a message quotes."""

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
        check_download(path)
        if path.suffix == ".safetensors":
            contents: object = load_file(path)
        else:
            contents = torch.load(path, map_location="cpu", weights_only=True)
    except InvalidCheckpoint:  # a ValueError
        raise
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


def check_download(path: Path) -> None:
    """Checks that a file of weights is not an error page or pointer that a server sent instead.

    Raises:
        InvalidCheckpoint: The file is empty, a web page, an error message, another text, a pointer
            of Git LFS, or in a format that is not read.
    """
    with path.open("rb") as file:
        start = file.read(_STARTS)
    if not start:
        raise InvalidCheckpoint(f"{path.name!r} is empty; download it again")
    if (text := _as_text(start)) is not None:
        raise InvalidCheckpoint(f"{path.name!r} is {_kind_of_text(text)}")
    if path.suffix != ".safetensors" and not start.startswith(_TORCH_SIGNATURES):
        raise InvalidCheckpoint(
            f"{path.name!r} is not a torch checkpoint (it starts with {start[:4]!r}); download it "
            "again"
        )


def _as_text(start: bytes) -> str | None:
    """Returns the start of a file if it is printable text, without white space around it."""
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(start)
    except UnicodeDecodeError:
        if not start.lstrip().startswith(b"<"):
            return None
        text = start.decode("latin-1")  # an old page
    printable = all(character.isprintable() or character.isspace() for character in text)
    return text.strip() if printable else None


def _kind_of_text(text: str) -> str:
    """Returns what a text is that was saved as weights, and the repair."""
    lower = text.lower()
    if lower.startswith("version https://git-lfs"):
        return "a pointer of Git LFS, not the weights; fetch them with `git lfs pull`"
    if lower.startswith("<!doctype html") or "<html" in lower:
        return (
            "a web page (HTML), not weights; open its address in a browser, and download the file "
            "that the page offers"
        )
    kind = {"<": "an XML document", "{": "JSON", "[": "JSON"}.get(text[:1], "plain text")
    said = " ".join(text.split())
    said = f"{said[:_QUOTED]}..." if len(said) > _QUOTED else said
    return f"{kind}, not weights: {said!r}; check its address, and download it again"


def differences(expected: Mapping[str, Tensor], actual: Mapping[str, Tensor]) -> str:
    """Describes how tensors differ from expected ones.

    Returns:
        The first keys that are missing, unknown or of another shape; "" if there are none.
    """
    return listed(mismatches(expected, actual))


def mismatches(expected: Mapping[str, Tensor], actual: Mapping[str, Tensor]) -> list[str]:
    """Returns a text for each key that is missing, unknown or of another shape."""
    return [
        *(f"lacks {key}" for key in expected.keys() - actual.keys()),
        *(f"has unknown {key}" for key in actual.keys() - expected.keys()),
        *(
            f"{key} is {tuple(actual[key].shape)}, not {tuple(expected[key].shape)}"
            for key in expected.keys() & actual.keys()
            if actual[key].shape != expected[key].shape
        ),
    ]


def listed(texts: list[str]) -> str:
    """Joins the first texts."""
    return "; ".join(sorted(texts)[:LISTED]) + (" ..." if len(texts) > LISTED else "")
