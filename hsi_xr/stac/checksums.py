"""Checksums of the file extension: multihashes, which begin with the code of their algorithm."""

import hashlib
from pathlib import Path
from typing import Any

_ALGORITHMS = {"1114": "sha1", "1220": "sha256", "1340": "sha512", "d50110": "md5"}
"""Code and length in bytes, as in https://github.com/multiformats/multicodec, -> name here."""


def algorithm(multihash: Any) -> str | None:
    """The one that a multihash is of; None of those that Python does not know, and of no hash."""
    if not isinstance(multihash, str):
        return None
    known = (code for code in _ALGORITHMS if multihash.startswith(code))
    return next((_ALGORITHMS[code] for code in known if _fits(multihash, code)), None)


def _fits(multihash: str, code: str) -> bool:
    return len(multihash) == len(code) + 2 * int(code[-2:], 16)


def multihash(path: Path, name: str = "sha256") -> str:
    """Returns the multihash of a file's bytes."""
    with path.open("rb") as file:
        return with_code(hashlib.file_digest(file, name).hexdigest(), name)


def with_code(digest: str, name: str = "sha256") -> str:
    """Returns the multihash of a digest in hexadecimal."""
    (code,) = (code for code, known in _ALGORITHMS.items() if known == name)
    return code + digest
