"""The card of a model: what is known about it without loading it. Does not import torch."""

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
"""Value of `reach.context` for a model whose output depends on the whole tile."""

WEIGHTS, CARD, ITEM = "model.safetensors", "card.json", "mlm-item.json"
"""File names in the folder of a model. Elsewhere a card has the name of its weights file."""


@dataclass(frozen=True)
class Card:
    """A model: where its weights are, how it was made, what it needs and how accurate it is.

    Attributes:
        path: The JSON file.
        weights: The safetensors file next to it; None for a system without weights.
        data: Everything in the card, as written.
    """

    path: Path
    weights: Path | None
    data: Mapping[str, Any]

    @property
    def trained(self) -> bool:
        """True if the model has weights."""
        return self.weights is not None

    @property
    def call(self) -> str:
        """The `model` argument of `reconstruct` that selects this model by name."""
        return self.reconstructor if self.weights is None else self.weights.stem

    @property
    def name(self) -> str:
        """Name of the model, which its products record."""
        return str(self.data["name"])

    @property
    def version(self) -> str:
        """Version of the model, which its products record."""
        return str(self.data["version"])

    @property
    def licence(self) -> str:
        """Licence of the weights, as an SPDX expression; "unknown: ..." if it is not known."""
        return str(self.data["licence"])

    @property
    def reconstructor(self) -> str:
        """Name of the system that runs the weights."""
        return str(self.data["reconstructor"])

    @property
    def published(self) -> str | None:
        """Name of the system's published weights in `hsi_xr.checkpoints.published`, if any."""
        return self.data.get("published")

    @property
    def saved(self) -> str | None:
        """Time at which the weights were saved, ISO 8601 in UTC; None if it was not recorded."""
        return self.data.get("saved")

    @cached_property
    def sha256(self) -> str:
        """Checksum of the weights, verified when they are loaded; of the card without weights."""
        return str(self.data["sha256"]) if self.trained else checksum(self.path)

    @cached_property
    def bands(self) -> Bands:
        """Wavelengths of the output, nm."""
        bands = self.data["bands"]
        widths = bands.get("widths_nm")
        return Bands(
            tuple(map(float, bands["centres_nm"])), tuple(map(float, widths)) if widths else None
        )

    @property
    def config(self) -> dict[str, Any]:
        """Arguments of the system's `Config`."""
        return dict(self.data["config"])

    @property
    def stride(self) -> int:
        """Rows and columns of a tile are multiples of this."""
        return int(self.data["stride"])

    @property
    def halo(self) -> int:
        """Margin in pixels that a tile needs for an exact result; see `reach` in `data`."""
        return int(self.data["reach"]["halo"])

    @property
    def steps(self) -> int:
        """Number of steps of the model's chain by default."""
        return int(self.data["steps"])

    @property
    def step_choices(self) -> tuple[int, ...]:
        """Numbers of steps that the weights can run."""
        return tuple(self.data.get("step_choices", [self.steps]))

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return int(self.data["parameters"])

    @property
    def has_uncertainty(self) -> bool:
        """True if the model computes its own standard deviation and out-of-distribution score."""
        return bool(self.data.get("has_uncertainty", False))

    @property
    def camera_aware(self) -> bool:
        """True if the estimate depends on the spectral response of the camera."""
        return bool(self.data.get("camera_aware", False))

    @property
    def level_aware(self) -> bool:
        """True if the estimate depends on the level of an image: its gain over reflectance."""
        return bool(self.data.get("level_aware", self.config.get("level") == "gain"))

    @property
    def needs_blending(self) -> bool:
        """True if the output depends on the whole tile, so that no halo makes tiles agree."""
        return self.data["reach"].get("context") == WHOLE_TILE

    def halo_in(self, steps: int | None) -> int:
        """Returns the halo of a run with another number of steps; None is the default number."""
        by_steps = self.data["reach"].get("halo_by_steps", {})
        return self.halo if steps is None else int(by_steps.get(str(steps), self.halo))

    def __str__(self) -> str:
        if not self.trained:
            return f"{self.name} on random weights"
        return f"{self.name} {self.version} (sha256 {self.sha256[:12]})"


_REQUIRED = {
    **{"schema": int, "name": str, "version": str, "reconstructor": str},
    **{"bands": dict, "config": dict, "stride": int, "steps": int, "reach": dict},
    **{"parameters": int, "memory_bytes_per_pixel": int, "licence": str},
}


def read(model: Path) -> Card:
    """Reads the card of a weights file or of a model's folder.

    Raises:
        InvalidCheckpoint: There are no weights or no card, the card is not valid JSON, or a
            required entry is missing or has the wrong type.
    """
    weights = model / WEIGHTS if model.is_dir() else model
    if not weights.is_file():
        raise InvalidCheckpoint(f"no weights file {str(weights)!r}; check the path")
    path = weights.with_suffix(".json")
    if weights.name == WEIGHTS and not path.is_file():
        path = weights.with_name(CARD)
    if not path.is_file():
        raise InvalidCheckpoint(
            f"{weights.name!r} has no card; put its {path.name!r} into the same folder"
        )
    return Card(path, weights, _read_json(path, {**_REQUIRED, "sha256": str}))


def read_untrained(path: Path) -> Card:
    """Reads the card of a system, which is valid for any weights.

    Raises:
        InvalidCheckpoint: See `read`.
    """
    return Card(path, None, _read_json(path, _REQUIRED))


def as_json(data: Mapping[str, Any]) -> str:
    """Formats a card as JSON, with each list of numbers on one line."""
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
    return _NUMBERS.sub(lambda match: f"[{' '.join(match[1].split())}]", text) + "\n"


_NUMBERS = re.compile(r"\[([-+.\deE,\s]+)\]")


def checksum(path: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_json(path: Path, required: Mapping[str, type]) -> Mapping[str, Any]:
    name = path.name
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidCheckpoint(f"the card {name!r} is not valid JSON ({error})") from error
    if not isinstance(data, dict):
        raise InvalidCheckpoint(f"the card {name!r} must be a JSON object")
    wrong = [key for key, kind in required.items() if not isinstance(data.get(key), kind)]
    if wrong:
        raise InvalidCheckpoint(
            f"the card {name!r} has missing or wrongly typed entries: {', '.join(wrong)}"
        )
    if data["schema"] != SCHEMA:
        raise InvalidCheckpoint(
            f"the card {name!r} has schema {data['schema']}; this version of hsi_xr reads {SCHEMA}"
        )
    _check_reach(name, data)
    _check_bands(name, data)
    return data


def _check_reach(name: str, data: Mapping[str, Any]) -> None:
    halo = data["reach"].get("halo")
    if data["stride"] < 1 or not isinstance(halo, int) or halo < 0:
        raise InvalidCheckpoint(
            f"the card {name!r} needs a stride of at least 1 and a reach with a halo in pixels; "
            f"it has {data['stride']} and {halo!r}"
        )
    context = data["reach"].get("context")
    if context not in (None, WHOLE_TILE):
        raise InvalidCheckpoint(
            f"the card {name!r} has a reach with context {context!r}; this version of hsi_xr "
            'supports "tile" and null'
        )


def _check_bands(name: str, data: Mapping[str, Any]) -> None:
    centres, bands = len(data["bands"].get("centres_nm", ())), data["config"].get("bands")
    if centres != bands:
        raise InvalidCheckpoint(
            f"the card {name!r} is inconsistent: {centres} wavelengths for {bands} bands"
        )
