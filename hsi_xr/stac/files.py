"""Writes STAC objects to files, and computes the checksums that they record (multihashes)."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hsi_xr.io.upload import stage_file

ITEM_TYPE = "application/geo+json"
"""Media type of a STAC item."""
_ALGORITHMS = {"1114": "sha1", "1220": "sha256", "1340": "sha512", "d50110": "md5"}
"""Prefix of a multihash (code and digest length in bytes) -> name of the algorithm in hashlib.

Source: https://github.com/multiformats/multicodec
"""


def save(stac: Mapping[str, Any], path: Path) -> Path:
    """Writes an item or a collection as JSON. The file appears only when it is complete.

    Raises:
        DestinationUnwritable: The disk is full, the folder is read-only, or the object storage
            refuses the file.
    """
    with stage_file(path) as part:
        part.write_text(json.dumps(stac, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return path


def multihash(path: Path, algorithm: str = "sha256") -> str:
    """Returns the checksum of a file as a multihash, as STAC's file extension requires."""
    with path.open("rb") as file:
        return as_multihash(hashlib.file_digest(file, algorithm).hexdigest(), algorithm)


def as_multihash(digest: str, algorithm: str = "sha256") -> str:
    """Returns the multihash of a hexadecimal digest."""
    (prefix,) = (prefix for prefix, name in _ALGORITHMS.items() if name == algorithm)
    return prefix + digest


def algorithm_of(checksum: object) -> str | None:
    """Returns the algorithm of a multihash; None for unknown ones and for other values."""
    if not isinstance(checksum, str):
        return None
    for prefix, name in _ALGORITHMS.items():
        digest_length = 2 * int(prefix[-2:], 16)
        if checksum.startswith(prefix) and len(checksum) == len(prefix) + digest_length:
            return name
    return None
