"""Supervised regression: one pass of the network, compared with the true cube."""

from pathlib import Path
from typing import Literal

import torch
from torch import Generator, nn

from hsi_xr.band_grid import Bands
from hsi_xr.camera.spectral_response import sensitivities
from hsi_xr.errors import UsageError
from hsi_xr.networks.sdp import SpectralPrior
from hsi_xr.reconstructors._base import DiffusionReconstructor, Reconstructor
from hsi_xr.training import losses
from hsi_xr.training.objectives._base import ObjectiveSettings, feedforward_parts
from hsi_xr.training.patches import PatchBatch
from hsi_xr.training.tables import NonNegative, Positive
from hsi_xr.training.updates import Losses, Objective, ParameterUpdate, trainable


class Regression(ObjectiveSettings, frozen=True, kw_only=True, tag="regression"):
    loss: Literal["mrae", "l1", "rmse"] = "mrae"
    dark: NonNegative = 0.0
    """True reflectances at or below this do not count in MRAE."""
    camera: Path | None = None
    """JSON file of a camera's spectral response, as in rawtoaces-data; see `camera_weight`."""
    camera_weight: Positive | None = None
    """Weight of the L1 between the colours of estimate and truth for this camera: 10 in AWAN."""

    def __post_init__(self) -> None:
        if (self.camera is None) != (self.camera_weight is None):
            missing = "camera" if self.camera is None else "camera_weight"
            raise UsageError(f"camera and camera_weight go together; {missing} is missing")

    def build(
        self, model: Reconstructor, bands: Bands, *, steps: int, patch: int
    ) -> Objective[PatchBatch]:
        adapter, network = feedforward_parts(model, "regression")
        _check(model, network)
        distance = losses.distance_of(self.loss, dark=self.dark)
        camera = None if self.camera is None else sensitivities(self.camera, bands)

        def loss(batch: PatchBatch, rng: Generator) -> Losses:
            estimate = network(adapter(batch.rgb, batch.statistics))
            of_cubes = distance(estimate, batch.cube, batch.known)
            if camera is None or self.camera_weight is None:
                return {self.loss: of_cubes}
            response = torch.from_numpy(camera)
            of_colours = losses.colours(estimate, batch.cube, batch.known, response)
            total = of_cubes + self.camera_weight * of_colours
            return {"loss": total, self.loss: of_cubes, "camera": of_colours}

        return Objective((ParameterUpdate("regression", trainable(network), loss, range(steps)),))


def _check(model: Reconstructor, network: nn.Module) -> None:
    """Refuse systems that another objective trains."""
    if isinstance(model, DiffusionReconstructor):
        raise UsageError("a diffusion system is trained by objective.kind = 'denoising'")
    if isinstance(getattr(model, "prior", None), SpectralPrior):
        raise UsageError("a system with a prior is trained by objective.kind = 'two-stage'")
    if not trainable(network):
        raise UsageError(
            "a system without trainable parameters is fitted by objective.kind = 'closed-form'"
        )
