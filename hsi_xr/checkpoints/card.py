"""The card of a model: all that can be said about it without loading it. Knows no torch."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hsi_xr.band_grid import Bands
from hsi_xr.errors import InvalidCheckpoint

SCHEMA = 1

WHOLE_TILE = "tile"
"""Value of reach.context of a model whose output depends on the whole tile."""


@dataclass(frozen=True)
class Card:
    """A model: where its weights are, and what it was made from, needs and is worth.

    Attributes:
        path: The json file.
        weights: The safetensors file beside it; None is a system as it is built, untrained.
        data: Everything in the card, as written.
    """

    path: Path
    weights: Path | None
    data: Mapping[str, Any]

    @property
    def trained(self) -> bool:
        return self.weights is not None

    @property
    def call(self) -> str:
        """What `reconstruct` takes as `model`, for models that it finds by name."""
        return self.reconstructor if self.weights is None else self.weights.stem

    @property
    def name(self) -> str:
        return str(self.data["name"])

    @property
    def reconstructor(self) -> str:
        """Name of the system that runs these weights."""
        return str(self.data["reconstructor"])

    @cached_property
    def sha256(self) -> str:
        """Of the weights file, checked when it is loaded; of the card where there are none."""
        return str(self.data["sha256"]) if self.trained else checksum(self.path)

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
    def steps(self) -> int:
        """Of its chain, unless others are asked for."""
        return int(self.data["steps"])

    @property
    def step_choices(self) -> tuple[int, ...]:
        """Steps that these weights can run in."""
        return tuple(self.data.get("step_choices", [self.steps]))

    @property
    def has_uncertainty(self) -> bool:
        """Whether the model tells its own deviation, and what colours are strange to it."""
        return bool(self.data.get("has_uncertainty", False))

    @property
    def camera_aware(self) -> bool:
        """Whether it matters to the estimate which camera took the scene."""
        return bool(self.data.get("camera_aware", False))

    def halo_in(self, steps: int | None) -> int:
        """The halo of a run in other steps than the card's; None is those."""
        by_steps = self.data["reach"].get("halo_by_steps", {})
        return self.halo if steps is None else int(by_steps.get(str(steps), self.halo))

    @property
    def needs_blending(self) -> bool:
        """True if the output depends on the whole tile, so that no halo makes tiles agree."""
        return self.data["reach"].get("context") == WHOLE_TILE

    def __str__(self) -> str:
        if not self.trained:
            return f"{self.name} on random weights"
        return f"{self.name} {self.data['version']} (sha256 {self.sha256[:12]})"


_REQUIRED = {
    **{"schema": int, "name": str, "version": str, "reconstructor": str},
    **{"bands": dict, "config": dict, "stride": int, "steps": int, "reach": dict},
    **{"parameters": int, "memory_bytes_per_pixel": int, "licence": str},
}

WEIGHTS, CARD, ITEM = "model.safetensors", "card.json", "mlm-item.json"
"""Names in the folder of a model; elsewhere a card has the name of its weights."""


def read(model: Path) -> Card:
    """The card of a weights file, or of a model's folder.

    Raises:
        InvalidCheckpoint: No weights, no card, no json, or a required entry is absent or of
            another type.
    """
    weights = model / WEIGHTS if model.is_dir() else model
    if not weights.is_file():
        raise InvalidCheckpoint(f"no weights file {str(weights)!r}; check the path")
    beside = weights.with_suffix(".json")
    if weights.name == WEIGHTS and not beside.is_file():
        beside = weights.with_name(CARD)
    if not beside.is_file():
        raise InvalidCheckpoint(
            f"{weights.name!r} has no card; put its {beside.name!r} into the same folder"
        )
    return Card(beside, weights, _checked(beside, {**_REQUIRED, "sha256": str}))


def read_untrained(path: Path) -> Card:
    """The card of a system: what holds of it with any weights.

    Raises:
        InvalidCheckpoint: As `read`.
    """
    return Card(path, None, _checked(path, _REQUIRED))


def as_json(data: Mapping[str, Any]) -> str:
    """A card's text: lists of numbers on a line each, for those who read it."""
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
    return _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"


_NUMBERS = re.compile(r"\[([-+.\deE,\s]+)\]")


def checksum(path: Path) -> str:
    """sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checked(path: Path, required: Mapping[str, type]) -> Mapping[str, Any]:
    name = path.name
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidCheckpoint(f"the card {name!r} is not json ({error})") from error
    if not isinstance(data, dict):
        raise InvalidCheckpoint(f"the card {name!r} must be a json object")
    wrong = [key for key, kind in required.items() if not isinstance(data.get(key), kind)]
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
    if data["reach"].get("context") not in (None, WHOLE_TILE):
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
    return data
