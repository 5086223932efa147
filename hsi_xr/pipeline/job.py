"""What is to be run, in names and numbers: the only thing of a model that enters a graph."""

from dataclasses import dataclass
from typing import Literal, get_args

from hsi_xr.camera.spectral_response import Response

Consistency = Literal["exact", "soft"]
CONSISTENCIES: tuple[Consistency, ...] = get_args(Consistency)

CUDA_BATCH = 8
"""Tiles at once on a GPU unless told; on a CPU one tile already fills the cores."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What is asked of the camera that took the image."""

    consistency: Consistency | None
    """How the estimate is held to the image; None leaves it as it is."""
    residual: bool
    """Whether it is compared with the image."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A model and how to run it; loads nothing.

    Attributes:
        model: Path of the weights; the name of a system that runs untrained.
        sha256: Of the weights.
        trained: Whether there are weights.
        bands: Bands of the answer.
        device: "auto", "cpu" or "cuda:N"; "auto" is settled where the job runs.
        batch: Tiles of one shape that run at once; 0 leaves it to the device.
        seed: Of the noise field on the ground.
        samples: Draws per pixel; 1 is the mean chain.
        level_known: Whether a white reflector is 1 in linear RGB.
        steps: Of the model's chain; None runs those of its card.
        novelty: Whether it is told how unlike colours are to all that was learned from.
        response: Of the camera, where that is known.
        measurement: None where nothing is asked of the camera.
    """

    model: str
    sha256: str
    trained: bool
    bands: int
    device: str
    batch: int
    seed: int
    samples: int
    level_known: bool
    steps: int | None = None
    novelty: bool = False
    response: Response | None = None
    measurement: Measurement | None = None

    @property
    def compares(self) -> bool:
        """Whether what the camera sees of the mean, less the image, comes out last."""
        return self.measurement is not None and self.measurement.residual

    @property
    def answers(self) -> int:
        """Bands that come out: the mean, with samples the deviations, one of novelty, three of
        comparison.
        """
        return self.bands * (2 if self.samples > 1 else 1) + self.novelty + 3 * self.compares
