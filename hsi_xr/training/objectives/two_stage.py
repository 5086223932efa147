"""A spectral diffusion prior and the host network that uses it, trained in stages.

Source: Yu, Wu, Huang 2025 (arXiv:2507.13769), whose text says no more than that there are two
stages. Where it can be read in several ways, which parts are trained when and on which losses
follows DiffIR, Xia et al. 2023 (arXiv:2303.09472); `literal` follows the text.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, cast

import torch
from torch import Generator, Tensor, nn

from hsi_xr.band_grid import Bands
from hsi_xr.errors import UsageError
from hsi_xr.networks.sdp import FeatureExtractor, Residual, SpectralPrior
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.reconstructors._feedforward import InputAdapter
from hsi_xr.training import losses
from hsi_xr.training.objectives._base import ObjectiveSettings, feedforward_parts
from hsi_xr.training.patches import PatchBatch
from hsi_xr.training.tables import NonNegative, NonNegativeInt, PositiveInt
from hsi_xr.training.updates import Losses, Objective, ParameterUpdate, trainable


class TwoStage(ObjectiveSettings, frozen=True, kw_only=True, tag="two-stage"):
    """A spectral diffusion prior that is learned before the network that uses it.

    `host` (after DiffIR): an extractor that is given the truth learns priors together with the
    host; then the chain learns to find these priors; then both learn together. `literal`:
    extractors and chain learn together, kept from collapse by a head that predicts the mean and
    deviation of each band from a prior; then everything learns together.
    """

    stages: Literal["host", "literal"] = "host"
    first: PositiveInt
    """Steps of the first stage."""
    latent: NonNegativeInt = 0
    """Steps of the second stage of `host`, in which only the chain learns."""
    loss: Literal["mrae", "l1", "rmse"] = "mrae"
    dark: NonNegative = 0.0
    """True reflectances at or below this do not count in MRAE."""
    weight: NonNegative = 1.0
    """Weight of the L1 between priors, next to the loss of the cube."""

    def __post_init__(self) -> None:
        if (self.stages == "host") != (self.latent > 0):
            raise UsageError(
                "latent is the length of the second stage of stages = 'host', and of no other; "
                f"got stages = {self.stages!r} with latent = {self.latent}"
            )

    def build(
        self, model: Reconstructor, bands: Bands, *, steps: int, patch: int
    ) -> Objective[PatchBatch]:
        adapter, network = feedforward_parts(model, "two-stage")
        prior = getattr(model, "prior", None)
        if not isinstance(prior, SpectralPrior):
            raise UsageError("objective.kind = 'two-stage' trains a system with a prior: sdp-...")
        last = self.first + self.latent
        if last >= steps:
            raise UsageError(
                f"objective.first + objective.latent = {last} leaves none of schedule.steps = "
                f"{steps} for training everything together"
            )
        teacher = _teacher(prior, network.conv_out.out_channels)
        stages = _Stages(adapter, network, prior, teacher, self)
        return stages.host(last, steps) if self.stages == "host" else stages.literal(last, steps)


def _teacher(prior: SpectralPrior, bands: int) -> FeatureExtractor:
    """Returns an extractor like that of the prior, whose input also contains the true cube."""
    layers = list(prior.extract.features)
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    width, size = convolutions[0].out_channels, convolutions[-1].out_channels
    blocks = sum(isinstance(layer, Residual) for layer in layers)
    return FeatureExtractor(3 + bands, size, width=width, blocks=blocks)


@dataclass(frozen=True)
class _Stages:
    """The losses of all stages, and which parameters they move."""

    adapter: InputAdapter
    network: Any
    prior: SpectralPrior
    teacher: FeatureExtractor
    settings: TwoStage

    def host(self, last: int, steps: int) -> Objective[PatchBatch]:
        first = self.settings.first
        uses = trainable(self.network, self.prior.inject)
        truth = ParameterUpdate(
            "truth", trainable(self.teacher) + uses, self.host_loss, range(first)
        )
        chain = ParameterUpdate("chain", self._chain(), self.chain_loss, range(first, last))
        updates = (truth, chain, self._together(last, steps))
        return Objective(updates, nn.ModuleDict({"teacher": self.teacher}))

    def literal(self, last: int, steps: int) -> Objective[PatchBatch]:
        size = cast(nn.Linear, self.prior.denoise.layers[-2]).out_features
        head = nn.Linear(size, 2 * self.network.conv_out.out_channels)
        parameters = trainable(self.teacher, head) + self._chain()
        loss = partial(self.anchored_loss, head)
        updates = (
            ParameterUpdate("prior", parameters, loss, range(last)),
            self._together(last, steps),
        )
        return Objective(updates, nn.ModuleDict({"teacher": self.teacher, "head": head}))

    def _chain(self) -> list[nn.Parameter]:
        return trainable(self.prior.extract, self.prior.denoise)

    def _together(self, last: int, steps: int) -> ParameterUpdate[PatchBatch]:
        parameters = self._chain() + trainable(self.network, self.prior.inject)
        return ParameterUpdate("together", parameters, self.joint_loss, range(last, steps))

    def host_loss(self, batch: PatchBatch, rng: Generator) -> Losses:
        """Returns the loss of the host with the prior of the true cube."""
        image = self.adapter(batch.rgb, batch.statistics)
        return {self.settings.loss: self._distance(image, self._true_prior(image, batch), batch)}

    def chain_loss(self, batch: PatchBatch, rng: Generator) -> Losses:
        """Returns the loss of the chain, from noise to the prior of the true cube."""
        image = self.adapter(batch.rgb, batch.statistics)
        with torch.no_grad():
            truth = self._true_prior(image, batch)
        return {"prior": (self._sampled_prior(image, truth, rng) - truth).abs().mean()}

    def joint_loss(self, batch: PatchBatch, rng: Generator) -> Losses:
        """Returns the losses of the chain, and of the host with the prior that the chain finds."""
        image = self.adapter(batch.rgb, batch.statistics)
        with torch.no_grad():
            truth = self._true_prior(image, batch)
        sampled = self._sampled_prior(image, truth, rng)
        of_priors = (sampled - truth).abs().mean()
        of_cubes = self._distance(image, sampled, batch)
        total = of_cubes + self.settings.weight * of_priors
        return {"loss": total, self.settings.loss: of_cubes, "prior": of_priors}

    def anchored_loss(self, head: nn.Module, batch: PatchBatch, rng: Generator) -> Losses:
        """Returns the losses of extractors, chain, and a head that predicts band statistics."""
        image = self.adapter(batch.rgb, batch.statistics)
        truth = self._true_prior(image, batch)
        sampled = self._sampled_prior(image, truth.detach(), rng)
        of_priors = (sampled - truth.detach()).abs().mean()
        expected, exists = band_statistics(batch.cube, batch.known)
        of_bands = losses.mean((head(truth) - expected).abs(), exists)
        return {"loss": of_priors + of_bands, "prior": of_priors, "bands": of_bands}

    def _true_prior(self, image: Tensor, batch: PatchBatch) -> Tensor:
        return cast(Tensor, self.teacher(torch.cat([image, batch.cube], dim=1)))

    def _sampled_prior(self, image: Tensor, truth: Tensor, rng: Generator) -> Tensor:
        keep = self.prior.keep[-1]
        noise = torch.randn(truth.shape, generator=rng, device=rng.device)
        start = keep**0.5 * truth + (1 - keep) ** 0.5 * noise
        return self.prior.sample(self.prior.extract(image), start.to(truth))

    def _distance(self, image: Tensor, prior: Tensor, batch: PatchBatch) -> Tensor:
        estimate = self.network(image, prior=self.prior.inject(prior))
        distance = losses.distance_of(self.settings.loss, dark=self.settings.dark)
        return distance(estimate, batch.cube, batch.known)


def band_statistics(cube: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the mean and standard deviation of each band over the known pixels.

    Args:
        cube: (batch, bands, rows, columns).
        known: True where the cube is known; of the same shape.

    Returns:
        Means, then deviations, (batch, 2 bands), 0 where undefined; and true where
        they are defined.
    """
    count = known.sum((2, 3))
    mean = (cube * known).sum((2, 3)) / count.clamp(min=1)
    squares = ((cube - mean[..., None, None]).square() * known).sum((2, 3))
    values = torch.cat([mean, (squares / (count - 1).clamp(min=1)).sqrt()], dim=1)
    return values, torch.cat([count > 0, count > 1], dim=1)
