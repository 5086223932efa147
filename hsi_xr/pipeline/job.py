"""Describes a model run by plain values, which are all that a task graph contains of a model."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

from hsi_xr.camera.spectral_response import SpectralResponse
from hsi_xr.pipeline.outputs import Outputs
from hsi_xr.reconstructors._level import Level

Consistency = Literal["exact", "soft"]
CONSISTENCIES: tuple[Consistency, ...] = get_args(Consistency)

CUDA_BATCH = 8
"""Tiles per batch on a GPU by default; on a CPU a single tile already uses all cores."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A model and how to run it. Creating one loads nothing.

    Attributes:
        model: Path of the weights, or the name of a system that runs untrained.
        sha256: Checksum of the weights.
        trained: False for random weights.
        outputs: The variables to compute.
        device: "auto", "cpu" or "cuda:N"; "auto" is resolved where the job runs.
        batch: Tiles of one shape per batch; 0 lets the device decide.
        seed: Seed of the noise field, which is a function of position.
        samples: Draws per pixel; 1 runs the mean chain. The outputs state whether they are kept.
        level_known: True if a white reflector is 1 in linear RGB.
        steps: Steps of the model's chain; None means the default of its card.
        consistency: How the estimate is moved to agree with the image, if at all.
        response: Spectral response of the camera, if it is known and used.
        level: Gain of the image over reflectance, if it is stated and not estimated.
    """

    model: str
    sha256: str
    trained: bool
    outputs: Outputs
    device: str
    batch: int
    seed: int
    samples: int
    level_known: bool
    steps: int | None = None
    consistency: Consistency | None = None
    response: SpectralResponse | None = None
    level: Level | None = None

    @property
    def bands(self) -> int:
        """Number of bands of the estimate."""
        return self.outputs.bands

    @property
    def needs_uncertainty(self) -> bool:
        """True if the job needs more of a model than its estimate."""
        outputs = self.outputs
        return self.samples > 1 or "out_of_domain" in outputs or bool(outputs.quantiles)

    def for_survey(self) -> "Job":
        """Returns the job without samples, consistency and companion variables."""
        return replace(
            self,
            samples=1,
            consistency=None,
            outputs=Outputs(self.bands, sensed=self.outputs.sensed),
        )
