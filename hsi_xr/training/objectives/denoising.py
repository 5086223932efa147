"""Denoising: trains the network of a diffusion model at random steps of the chain."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor

from hsi_xr.band_grid import Bands
from hsi_xr.errors import UsageError
from hsi_xr.reconstructors._base import DiffusionReconstructor, Reconstructor
from hsi_xr.training import losses
from hsi_xr.training.objectives._base import ObjectiveSettings
from hsi_xr.training.patches import PatchBatch
from hsi_xr.training.tables import NonNegative
from hsi_xr.training.updates import Losses, Objective, ParameterUpdate, trainable


class Denoising(ObjectiveSettings, frozen=True, kw_only=True, tag="denoising"):
    target: Literal["epsilon", "x0"] | None = None
    """Quantity whose error is minimised; None takes what the network predicts."""
    norm: Literal["l1", "l2"] = "l1"
    gradient: NonNegative = 0.0
    """Weight of the L1 between spatial gradients of the clean chain: 1.0 in R2H-Diff."""
    mrae: NonNegative = 0.0
    """Weight of the relative error of the decoded reflectance."""
    dark: NonNegative = 0.0
    """True reflectances at or below this do not count in MRAE."""

    def build(
        self, model: Reconstructor, bands: Bands, *, steps: int, patch: int
    ) -> Objective[PatchBatch]:
        if not isinstance(model, DiffusionReconstructor):
            raise UsageError(
                f"objective.kind = 'denoising' trains diffusion systems; "
                f"{type(model).__name__} is not one"
            )
        loss = _DenoisingLoss(self, model)
        return Objective((ParameterUpdate("denoising", trainable(model), loss, range(steps)),))


@dataclass(frozen=True)
class _DenoisingLoss:
    """Draws a step and noise for every patch.

    Source: Ho et al. 2020 (arXiv:2006.11239), algorithm 1; for x0 instead of the noise, see its
    section 3.2. The gradient term is that of R2H-Diff (arXiv:2605.05688).
    """

    settings: Denoising
    model: DiffusionReconstructor

    def __call__(self, batch: PatchBatch, rng: Generator) -> Losses:
        # a chain's scale may come from a regression, which a reduced precision would spoil
        device = rng.device.type
        reduced = torch.is_autocast_enabled(device)
        with torch.autocast(device, enabled=False):
            return self._measure(batch, rng, torch.autocast(device, enabled=reduced))

    def _measure(self, batch: PatchBatch, rng: Generator, precision: torch.autocast) -> Losses:
        denoising = self.model.denoising_target(batch.rgb, batch.cube, batch.statistics)
        clean = denoising.clean
        step, share = _draw_steps(self.model.keep, len(batch.cube), rng, clean)
        noise = torch.randn(clean.shape, generator=rng, device=rng.device)
        noisy = share.sqrt() * clean + (1 - share).sqrt() * noise
        with precision:
            output = denoising.predict(noisy, step)
        clean_estimate, noise_estimate = clean_and_noise(
            output.float(), noisy, share, self.model.predicts
        )
        name = self.settings.target or self.model.predicts
        distance = {"l1": losses.l1, "l2": losses.l2}[self.settings.norm]
        pair = (clean_estimate, clean) if name == "x0" else (noise_estimate, noise)
        parts: Losses = {name: distance(*pair, batch.known)}
        if self.settings.gradient:
            parts["gradient"] = losses.gradients(clean_estimate, clean, batch.known)
        if self.settings.mrae:
            cube = denoising.decode(clean_estimate)
            parts["mrae"] = losses.mrae(cube, batch.cube, batch.known, dark=self.settings.dark)
        return {"loss": self._total(parts), **parts}

    def _total(self, parts: Losses) -> Tensor:
        weights = {"gradient": self.settings.gradient, "mrae": self.settings.mrae}
        return torch.stack([weights.get(name, 1.0) * part for name, part in parts.items()]).sum()


def _draw_steps(keep: Tensor, count: int, rng: Generator, like: Tensor) -> tuple[Tensor, Tensor]:
    """Returns steps, from 1 on, and the shares of signal variance they leave, (count, 1, 1, 1)."""
    step = torch.randint(1, len(keep), (count,), generator=rng, device=rng.device)
    return step, keep.to(like)[step][:, None, None, None]


def clean_and_noise(
    output: Tensor, noisy: Tensor, share: Tensor, predicts: str
) -> tuple[Tensor, Tensor]:
    """Returns the clean chain and the noise that an output of the network implies."""
    if predicts == "x0":
        return output, (noisy - share.sqrt() * output) / (1 - share).sqrt()
    return (noisy - (1 - share).sqrt() * output) / share.sqrt(), output
