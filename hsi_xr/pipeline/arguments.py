"""Types of the keyword arguments of `reconstruct`, `plan` and `survey`, and of the accessor.

`reconstruct` documents them; `plan` defines their defaults.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from hsi_xr.camera.spectral_response import CameraLike
    from hsi_xr.io.colours import Selection
    from hsi_xr.pipeline.job import Consistency
    from hsi_xr.pipeline.scene import Input
    from hsi_xr.pipeline.scene_statistics import Survey


class SurveyOptions(TypedDict, total=False):
    """The arguments on which the statistics of a scene depend."""

    rgb: "Selection | None"
    bands: "Selection | None"
    radiometry: str | None
    scale: float | None
    offset: float | None
    level: float | None
    white: float | None
    level_from: "Input | None"
    level_radiometry: str | None
    camera: "CameraLike | None"
    steps: int | None
    seed: int
    device: str
    untrained: bool
    allow_ungeoreferenced: bool


class ReconstructOptions(SurveyOptions, total=False):
    """All keyword arguments of a reconstruction."""

    tile: int | None
    halo: int | None
    samples: int
    draws: bool
    quantiles: Sequence[float]
    out_of_domain: bool
    batch: int | None
    survey: "Survey | None"
    consistency: "Consistency | None"
    residual: bool
