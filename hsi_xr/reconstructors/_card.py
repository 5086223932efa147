"""The card of a model: all that can be said about it without loading it. Knows no torch."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hsi_xr.errors import InvalidCheckpoint
from hsi_xr.spectra import Bands

SCHEMA = 1


@dataclass(frozen=True)
class Card:
    """A model: where its weights are, and what it was made from, needs and is worth.

    Attributes:
        weights: The safetensors file; the card lies beside it as json.
        data: Everything in the card, as written.
    """

    weights: Path
    data: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.data["name"])

    @property
    def reconstructor(self) -> str:
        """Name of the system that runs these weights."""
        return str(self.data["reconstructor"])

    @property
    def sha256(self) -> str:
        """Of the weights file; checked when it is loaded."""
        return str(self.data["sha256"])

    @cached_property
    def bands(self) -> Bands:
        """Wavelengths of the answer, nm."""
        found = self.data["bands"]
        widths = found.get("widths_nm")
        return Bands(
            tuple(map(float, found["centres_nm"])), tuple(map(float, widths)) if widths else None
        )

    @property
    def config(self) -> Mapping[str, Any]:
        return dict(self.data["config"])

    @property
    def stride(self) -> int:
        """Rows and columns of a tile are multiples of this."""
        return int(self.data["stride"])

    @property
    def halo(self) -> int:
        """Pixels around a tile that its answer needs, measured; see `reach` in `data`."""
        return int(self.data["reach"]["halo"])

    @property
    def context(self) -> str | None:
        """What an answer depends on: "tile" where no halo makes tiles agree; they are blended."""
        return self.data["reach"].get("context")

    def __str__(self) -> str:
        return f"{self.name} {self.data['version']} (sha256 {self.sha256[:12]})"


_REQUIRED = {
    **{"schema": int, "name": str, "version": str, "reconstructor": str, "sha256": str},
    **{"bands": dict, "config": dict, "stride": int, "steps": int, "reach": dict},
    **{"parameters": int, "memory_bytes_per_pixel": int, "licence": str},
}


def read(weights: Path) -> Card:
    """The card beside a weights file.

    Raises:
        InvalidCheckpoint: No card, no json, or a required entry is absent or of another type.
    """
    beside = weights.with_suffix(".json")
    if not weights.is_file():
        raise InvalidCheckpoint(f"no weights file {str(weights)!r}; check the path")
    if not beside.is_file():
        raise InvalidCheckpoint(
            f"{weights.name!r} has no card; put its {beside.name!r} into the same folder"
        )
    try:
        data = json.loads(beside.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidCheckpoint(f"the card {beside.name!r} is not json ({error})") from error
    _check(data, beside.name)
    return Card(weights, data)


def checksum(path: Path) -> str:
    """sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(data: Any, name: str) -> None:
    if not isinstance(data, dict):
        raise InvalidCheckpoint(f"the card {name!r} must be a json object")
    wrong = [key for key, kind in _REQUIRED.items() if not isinstance(data.get(key), kind)]
    if wrong:
        raise InvalidCheckpoint(f"the card {name!r} lacks or mistypes: {', '.join(wrong)}")
    if data["schema"] != SCHEMA:
        raise InvalidCheckpoint(
            f"the card {name!r} has schema {data['schema']}; this version reads {SCHEMA}"
        )
    halo = data["reach"].get("halo")
    if data["stride"] < 1 or not isinstance(halo, int) or halo < 0:
        raise InvalidCheckpoint(
            f"the card {name!r} needs a stride of at least 1 and a reach with a halo in pixels; "
            f"it has {data['stride']} and {halo!r}"
        )
    if data["reach"].get("context") not in (None, "tile"):
        raise InvalidCheckpoint(
            f"the card {name!r} has a reach with context {data['reach']['context']!r}; this "
            'version knows "tile" and null'
        )
    bands = data["bands"]
    if len(bands.get("centres_nm", ())) != data["config"].get("bands"):
        raise InvalidCheckpoint(
            f"the card {name!r} contradicts itself: {len(bands.get('centres_nm', ()))} wavelengths "
            f"for {data['config'].get('bands')} bands"
        )
