"""The protocol of an evaluation: scores are comparable only under the same one."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from numbers import Integral
from typing import Any, Final

from hsi_xr._version import __version__
from hsi_xr.errors import UsageError
from hsi_xr.evaluation.crops import crop_of
from hsi_xr.suggestions import unknown_name

SCALES: Final[Mapping[str, str]] = {
    "none": "estimates unchanged",
    "gain": "each image's estimate times the factor that minimises its squared error",
}

MOST_SAMPLES: Final = 1024
"""Largest number of samples that `hsi_xr.reconstruct` draws."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings shared by all models and data sets.

    Raises:
        UnknownName: There is no such crop or scale.
        UsageError: Floor, samples or seed are out of range.
    """

    split: str = "test"
    crop: str = "none"
    """Part of the images that is scored; reconstruction uses entire images. See `crops`."""
    scale: str = "none"
    """Adjustment of the brightness of estimates, one of `SCALES`."""
    floor: float = 0.0
    """Smallest mean true reflectance of pixels in MRAE, and smallest mean true RGB in BPMRAE."""
    device: str = "auto"
    samples: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        crop_of(self.crop)
        if self.scale not in SCALES:
            raise unknown_name("scale", self.scale, SCALES)
        if not 0 <= self.floor < math.inf:
            raise UsageError(f"floor must be a reflectance of 0 or more; got {self.floor}")
        if not _is_integer(self.samples, 1, MOST_SAMPLES):
            raise UsageError(f"samples must be 1 to {MOST_SAMPLES}; got {self.samples!r}")
        if not _is_integer(self.seed, 0, 2**64 - 1):
            raise UsageError(f"seed must be an integer from 0 to 2**64 - 1; got {self.seed!r}")


@dataclass(frozen=True, kw_only=True)
class Model:
    """Weights that were scored."""

    label: str
    """Name in the table."""
    name: str
    """Name and version in its card."""
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Data:
    """A data set that models were scored on."""

    label: str
    coding: str
    """Coding of its RGB images, read with scale 1."""
    images: int
    options: Mapping[str, object]
    """Options that it was opened with."""


@dataclass(frozen=True, kw_only=True)
class Camera:
    """The camera for BPMRAE, which may differ from that of the data set."""

    name: str
    """Name of the camera or of its file."""
    sha256: str
    """Checksum of the file, or else of the sensitivities as float32, row by row."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """Everything that the scores depend on."""

    settings: Settings
    models: tuple[Model, ...]
    data: tuple[Data, ...]
    camera: Camera | None = None
    version: str = field(default=__version__)
    """Version of hsi_xr."""

    def as_json(self) -> dict[str, Any]:
        fields = asdict(self)
        return {"hsi_xr": fields.pop("version"), **fields.pop("settings"), **fields}

    def lines(self) -> list[str]:
        """Returns the protocol as lines of text."""
        s = self.settings
        first = [
            f"hsi-xr {self.version}; split {s.split}, crop {s.crop}, scale {s.scale} "
            f"({SCALES[s.scale]}), MRAE floor {s.floor:g}, seed {s.seed}, samples {s.samples}, "
            f"device {s.device}; entire images reconstructed, scores averaged over images"
        ]
        models = [f"model {m.label}: {m.name}, sha256 {m.sha256}" for m in self.models]
        data = [f"data {_describe_data(data)}" for data in self.data]
        return first + models + data + ([_describe_camera(self.camera)] if self.camera else [])


def _is_integer(value: object, least: int, most: int) -> bool:
    return isinstance(value, Integral) and least <= int(value) <= most


def _describe_camera(camera: Camera) -> str:
    return (
        f"BPMRAE for camera {camera.name}, sha256 {camera.sha256}, over the scored bands under an "
        "equal-energy illuminant"
    )


def _describe_data(data: Data) -> str:
    options = "".join(f", {key}={value}" for key, value in data.options.items())
    return f"{data.label}: {data.images} images, RGB {data.coding} with scale 1{options}"
