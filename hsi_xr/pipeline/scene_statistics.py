"""The statistics of a scene: a small value to save and to pass to another call."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsi_xr.errors import InvalidData, UnreadableFile, UsageError
from hsi_xr.io import atomic
from hsi_xr.level_interval import LevelInterval
from hsi_xr.pipeline.level import StatedLevel
from hsi_xr.reconstructors._level import Level

StatisticsArrays = Mapping[str, NDArray[np.float32]]
"""Arrays that all tiles of a scene share: gains, attention matrices, the mean colour."""

_FORMAT = "hsi_xr survey 2"


@dataclass(frozen=True, eq=False)
class Survey:
    """The statistics of a scene that all of its tiles share, and what they depend on.

    Attributes:
        statistics: Arrays by name, such as channel gains and the attention matrices of each step.
        model_sha256: Checksum of the model's weights.
        radiometry: Kind and scale of the stored values, as text.
        run: Camera, steps, seed and stated level, as text.
        level: The level of the scene, if it was stated: a run with this survey has the same.
    """

    statistics: StatisticsArrays
    model_sha256: str
    radiometry: str
    run: str
    level: StatedLevel | None = None

    @property
    def level_interval(self) -> LevelInterval | None:
        """Gain of the image over reflectance, with its 90 % interval; None if it is exact."""
        return level_in(self.statistics)

    @cached_property
    def sha256(self) -> str:
        """Checksum of the survey, which identifies it in the metadata of products."""
        digest = hashlib.sha256(f"{self.model_sha256} {self.radiometry} {self.run}".encode())
        for name in sorted(self.statistics):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(self.statistics[name]).tobytes())
        return digest.hexdigest()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the survey to a safetensors file, completely or not at all.

        Args:
            path: Path of the file, which is replaced if it exists.

        Returns:
            The path.
        """
        from safetensors.numpy import save_file

        path = Path(path)
        description = {
            "format": _FORMAT,
            "model_sha256": self.model_sha256,
            "radiometry": self.radiometry,
            "run": self.run,
            "level": None if self.level is None else asdict(self.level),
        }
        # one entry, because the library writes several in an arbitrary order
        metadata = {"survey": json.dumps(description, sort_keys=True)}
        arrays = {name: np.ascontiguousarray(array) for name, array in self.statistics.items()}
        with atomic.replacing(path) as part:
            save_file(arrays, part, metadata=metadata)
        return path

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Survey":
        """Reads a survey that was written by `save`.

        Args:
            path: Path of the file.

        Raises:
            UnreadableFile: The file does not exist, or is not a safetensors file.
            InvalidData: The file does not contain a survey.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                description = json.loads((file.metadata() or {}).get("survey", "{}"))
                statistics = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a mapping
        except (OSError, SafetensorError, ValueError) as error:
            raise UnreadableFile(f"cannot read a survey from {str(path)!r}: {error}") from error
        if description.get("format") != _FORMAT:
            raise InvalidData(f"{str(path)!r} is not a survey; write one with `survey.save(path)`")
        return cls(
            statistics,
            model_sha256=description["model_sha256"],
            radiometry=description["radiometry"],
            run=description["run"],
            level=_level(description.get("level")),
        )

    def check(self, model_sha256: str, *, radiometry: str, run: str) -> None:
        """Raises an error if the survey was made for other weights, radiometry or settings.

        Raises:
            UsageError: One of them differs.
        """
        if model_sha256 != self.model_sha256:
            raise UsageError(
                f"the survey used the weights {self.model_sha256[:12]}, this run uses "
                f"{model_sha256[:12]}; survey the scene again"
            )
        if radiometry != self.radiometry:
            raise UsageError(
                f"the survey used {self.radiometry}, this run uses {radiometry}; "
                "survey the scene again or give the same radiometry"
            )
        if run != self.run:
            raise UsageError(
                f"the survey used {self.run}, this run uses {run}; survey the scene again"
            )


def level_in(statistics: StatisticsArrays) -> LevelInterval | None:
    """Returns the level of a scene from its statistics; None if it is exact."""
    if not {"gain", "level_interval"} <= statistics.keys():
        return None
    low, high = statistics["level_interval"].ravel().tolist()
    if not low < high:
        return None
    return LevelInterval(float(statistics["gain"].mean()), low, high)


def _level(description: Mapping[str, Any] | None) -> StatedLevel | None:
    """Returns the level that `Survey.save` described, if there is one."""
    if description is None:
        return None
    return StatedLevel(**{**description, "level": Level(**description["level"])})
