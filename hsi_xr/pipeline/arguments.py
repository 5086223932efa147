"""The options of `reconstruct`, `plan` and `survey`: said once for functions and accessor.

`plan` has the defaults, and `reconstruct` tells what each of them means.
"""

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from hsi_xr.camera.spectral_response import CameraLike
    from hsi_xr.pipeline.job import Consistency
    from hsi_xr.pipeline.scene import Selection
    from hsi_xr.pipeline.scene_statistics import Survey


class Reading(TypedDict, total=False):
    """What a scene's numbers mean, and what runs on them."""

    rgb: "Selection | None"
    radiometry: str | None
    scale: float | None
    camera: "CameraLike | None"
    steps: int | None
    seed: int
    device: str
    untrained: bool
    allow_ungeoreferenced: bool


class Options(Reading, total=False):
    """And how its cube is made."""

    tile: int | None
    halo: int | None
    samples: int
    out_of_domain: bool
    batch: int | None
    survey: "Survey | None"
    consistency: "Consistency | None"
    residual: bool
