"""How numbers came about: without it, they are not to be compared."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from numbers import Integral
from typing import Any, Final

from hsi_xr._version import __version__
from hsi_xr.errors import UnknownName, UsageError
from hsi_xr.evaluation.crops import crop_of

SCALES: Final[Mapping[str, str]] = {
    "none": "estimates as they are",
    "gain": "each image's estimate times the one factor that makes its squared error least",
}

MOST_SAMPLES: Final = 1024
"""That `hsi_xr.reconstruct` draws."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is chosen for all models and data sets.

    Raises:
        UnknownName: No such crop or scale.
        UsageError: A floor, samples or a seed that are none.
    """

    split: str = "test"
    crop: str = "none"
    """Of the images after reconstruction, which sees whole ones; see `crops`."""
    scale: str = "none"
    """One of `SCALES`: what is done to the brightness of estimates."""
    floor: float = 0.0
    """Pixels of a lower mean true reflectance take no part in MRAE, nor those of a lower mean true
    RGB in BPMRAE."""
    device: str = "auto"
    samples: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        crop_of(self.crop)
        if self.scale not in SCALES:
            raise UnknownName(f"no scale is called {self.scale!r}; known: {', '.join(SCALES)}")
        if not 0 <= self.floor < math.inf:
            raise UsageError(f"a floor is a reflectance of 0 or more; got {self.floor}")
        if not _is_whole(self.samples, 1, MOST_SAMPLES):
            raise UsageError(f"samples are 1 to {MOST_SAMPLES}; got {self.samples!r}")
        if not _is_whole(self.seed, 0, 2**64 - 1):
            raise UsageError(f"a seed is a whole number from 0 to 2**64 - 1; got {self.seed!r}")


@dataclass(frozen=True, kw_only=True)
class Model:
    """Weights that were scored."""

    label: str
    """As the table has it."""
    name: str
    """As its card has it, with the version."""
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Data:
    """A data set that was scored on."""

    label: str
    coding: str
    """How its pictures were read; their scale is 1."""
    images: int
    options: Mapping[str, Any]
    """With which it was opened."""


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A camera whose view of cubes is scored; the data set's own may be another."""

    name: str
    """Of its file."""
    sha256: str
    """Of the file; where there is none, of the sensitivities as float32, row by row."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """All that a table's numbers depend on."""

    settings: Settings
    models: tuple[Model, ...]
    data: tuple[Data, ...]
    camera: Camera | None = None
    version: str = field(default=__version__)
    """Of hsi_xr."""

    def as_json(self) -> dict[str, Any]:
        whole = asdict(self)
        return {"hsi_xr": whole.pop("version"), **whole.pop("settings"), **whole}

    def lines(self) -> list[str]:
        """For people, a fact a line."""
        s = self.settings
        first = [
            f"hsi-xr {self.version}; split {s.split}, crop {s.crop}, scale {s.scale} "
            f"({SCALES[s.scale]}), MRAE floor {s.floor:g}, seed {s.seed}, samples {s.samples}, "
            f"device {s.device}; full frames in, mean over images"
        ]
        models = [f"model {m.label}: {m.name}, sha256 {m.sha256}" for m in self.models]
        data = [f"data {_told(data)}" for data in self.data]
        return first + models + data + ([_seen_by(self.camera)] if self.camera else [])


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, Integral) and least <= int(value) <= most


def _seen_by(camera: Camera) -> str:
    return (
        f"BPMRAE as camera {camera.name}, sha256 {camera.sha256}, sees the bands that are scored, "
        "in light of equal energy"
    )


def _told(data: Data) -> str:
    options = "".join(f", {key}={value}" for key, value in data.options.items())
    return f"{data.label}: {data.images} images, RGB {data.coding} with scale 1{options}"
