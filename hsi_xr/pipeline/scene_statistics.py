"""What was learnt of a scene as a whole: a small value to save, show and hand to another call."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsi_xr.errors import InvalidData, UnreadableFile, UsageError
from hsi_xr.io import atomic

StatisticsArrays = Mapping[str, NDArray[np.float32]]
"""What belongs to a scene and not to a tile: gains, attention matrices, its mean colour."""

_FORMAT = "hsi_xr survey 2"


@dataclass(frozen=True, eq=False)
class Survey:
    """The facts of a scene that every tile of it shares.

    Attributes:
        facts: Named arrays, such as channel gains and the attention matrices of each step.
        model_sha256: The weights that they hold for.
        radiometry: Kind and scale of the scene's numbers, as text.
        run: Camera, steps and seed that they hold for, as text.
    """

    facts: StatisticsArrays
    model_sha256: str
    radiometry: str
    run: str

    @cached_property
    def sha256(self) -> str:
        """Of all facts; names this survey in the metadata of products."""
        digest = hashlib.sha256(f"{self.model_sha256} {self.radiometry} {self.run}".encode())
        for name in sorted(self.facts):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(self.facts[name]).tobytes())
        return digest.hexdigest()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes a safetensors file, whole or not at all."""
        from safetensors.numpy import save_file

        path = Path(path)
        about = {
            "format": _FORMAT,
            "model_sha256": self.model_sha256,
            "radiometry": self.radiometry,
            "run": self.run,
        }
        # one entry: the library writes several in any order, and the same survey is the same bytes
        metadata = {"survey": json.dumps(about, sort_keys=True)}
        arrays = {name: np.ascontiguousarray(array) for name, array in self.facts.items()}
        with atomic.replacing(path) as part:
            save_file(arrays, part, metadata=metadata)
        return path

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Survey":
        """Reads what `save` wrote.

        Raises:
            UnreadableFile: Missing, or no safetensors file.
            InvalidData: Another kind of file.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                about = json.loads((file.metadata() or {}).get("survey", "{}"))
                facts = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
        except (OSError, SafetensorError, ValueError) as error:
            raise UnreadableFile(f"no survey can be read from {str(path)!r}: {error}") from error
        if about.get("format") != _FORMAT:
            raise InvalidData(f"{str(path)!r} is no survey; write one with `survey.save(path)`")
        return cls(facts, about["model_sha256"], about["radiometry"], about["run"])

    def check(self, *, model_sha256: str, radiometry: str, run: str) -> None:
        """Refuses to serve another model or another reading of the numbers."""
        if model_sha256 != self.model_sha256:
            raise UsageError(
                f"the survey was made with weights {self.model_sha256[:12]}, this run uses "
                f"{model_sha256[:12]}; survey the scene again"
            )
        if radiometry != self.radiometry:
            raise UsageError(
                f"the survey read the numbers as {self.radiometry}, this run as {radiometry}; "
                "survey the scene again or give the same radiometry"
            )
        if run != self.run:
            raise UsageError(
                f"the survey was made with {self.run}, this run has {run}; survey the scene again"
            )
