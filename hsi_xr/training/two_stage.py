"""A spectral diffusion prior and its host, in stages.

Source: Yu, Wu, Huang 2025 (arXiv:2507.13769), whose text gives two stages and no more. What is
trained when, and on which losses, is after DiffIR, Xia et al. 2023 (arXiv:2303.09472), where the
published text can be read in several ways; `literal` reads it as it stands.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Generator, Tensor, nn

from hsi_xr.errors import UsageError
from hsi_xr.networks.sdp import FeatureExtractor, Residual, SpectralPrior
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.reconstructors._feedforward import InputAdapter
from hsi_xr.training import config, losses
from hsi_xr.training.patches import Batch
from hsi_xr.training.updates import Losses, Objective, Turn, of_one_pass, trainable


def two_stage(wanted: config.TwoStage, model: Reconstructor, steps: int) -> Objective:
    """The stages of a run.

    Raises:
        UsageError: The system has no prior, or the stages take all steps.
    """
    front, network = of_one_pass(model, "two-stage")
    prior = getattr(model, "prior", None)
    if not isinstance(prior, SpectralPrior):
        raise UsageError("objective.kind = 'two-stage' trains a system with a prior: sdp-...")
    bands = network.conv_out.out_channels
    latest = wanted.first + wanted.latent
    if latest >= steps:
        raise UsageError(
            f"objective.first + objective.latent = {latest} leave nothing of schedule.steps = "
            f"{steps} for training together"
        )
    teacher = _teacher(prior, bands)
    pupil = Pupil(front, network, prior, teacher, wanted)
    learns = trainable(prior.extract, prior.denoise)
    uses = trainable(network, prior.inject)
    last = Turn("together", learns + uses, pupil.together, range(latest, steps))
    if wanted.stages == "host":
        first = Turn("truth", trainable(teacher) + uses, pupil.with_truth, range(wanted.first))
        chain = Turn("chain", learns, pupil.chain, range(wanted.first, latest))
        return Objective((first, chain, last), nn.ModuleDict({"teacher": teacher}))
    size = cast(nn.Linear, prior.denoise.layers[-2]).out_features
    head = nn.Linear(size, 2 * bands)
    first = Turn(
        "prior",
        trainable(teacher, head) + learns,
        lambda batch, rng: pupil.anchored(batch, rng, head),
        range(wanted.first),
    )
    return Objective((first, last), nn.ModuleDict({"teacher": teacher, "head": head}))


def _teacher(prior: SpectralPrior, bands: int) -> FeatureExtractor:
    """An extractor like the prior's own that sees the true cube, too."""
    layers = list(prior.extract.features)
    convolutions = [each for each in layers if isinstance(each, nn.Conv2d)]
    width, size = convolutions[0].out_channels, convolutions[-1].out_channels
    blocks = sum(isinstance(each, Residual) for each in layers)
    return FeatureExtractor(3 + bands, size, width=width, blocks=blocks)


@dataclass(frozen=True)
class Pupil:
    """The losses of all stages."""

    front: InputAdapter
    network: Any
    prior: SpectralPrior
    teacher: Callable[[Tensor], Tensor]
    wanted: config.TwoStage

    def with_truth(self, batch: Batch, rng: Generator) -> Losses:
        """The host, given the prior that the truth tells."""
        seen = self.front(batch.rgb, batch.facts)
        return {self.wanted.loss: self._distance(seen, self._truth(seen, batch), batch)}

    def chain(self, batch: Batch, rng: Generator) -> Losses:
        """The chain, from a noised prior to that of the truth."""
        seen = self.front(batch.rgb, batch.facts)
        with torch.no_grad():
            truth = self._truth(seen, batch)
        return {"prior": (self._found(seen, truth, rng) - truth).abs().mean()}

    def together(self, batch: Batch, rng: Generator) -> Losses:
        """The host, given the prior that the chain finds, and the chain."""
        seen = self.front(batch.rgb, batch.facts)
        with torch.no_grad():
            truth = self._truth(seen, batch)
        found = self._found(seen, truth, rng)
        prior = (found - truth).abs().mean()
        image = self._distance(seen, found, batch)
        return {
            "loss": image + self.wanted.weight * prior,
            self.wanted.loss: image,
            "prior": prior,
        }

    def anchored(self, batch: Batch, rng: Generator, head: nn.Module) -> Losses:
        """Extractors and chain, held by what a prior must tell of the bands."""
        seen = self.front(batch.rgb, batch.facts)
        truth = self._truth(seen, batch)
        prior = (self._found(seen, truth.detach(), rng) - truth.detach()).abs().mean()
        told, exist = statistics(batch.cube, batch.known)
        bands = losses.mean((head(truth) - told).abs(), exist)
        return {"loss": prior + bands, "prior": prior, "bands": bands}

    def _truth(self, seen: Tensor, batch: Batch) -> Tensor:
        return self.teacher(torch.cat([seen, batch.cube], dim=1))

    def _found(self, seen: Tensor, truth: Tensor, rng: Generator) -> Tensor:
        keep = self.prior.keep[-1]
        noise = torch.randn(truth.shape, generator=rng, device=rng.device)
        start = keep**0.5 * truth + (1 - keep) ** 0.5 * noise
        return self.prior.sample(self.prior.extract(seen), start.to(truth))

    def _distance(self, seen: Tensor, prior: Tensor, batch: Batch) -> Tensor:
        found = self.network(seen, prior=self.prior.inject(prior))
        distance = losses.named(self.wanted.loss, dark=self.wanted.dark)
        return distance(found, batch.cube, batch.known)


def statistics(cube: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each band over what is known of it.

    Cube and whether it is known, (batch, bands, rows, columns) -> means, then deviations, (batch,
    2 bands), 0 where one does not exist; and whether it does.
    """
    count = known.sum((2, 3))
    mean = (cube * known).sum((2, 3)) / count.clamp(min=1)
    squares = ((cube - mean[..., None, None]).square() * known).sum((2, 3))
    found = torch.cat([mean, (squares / (count - 1).clamp(min=1)).sqrt()], dim=1)
    return found, torch.cat([count > 0, count > 1], dim=1)
