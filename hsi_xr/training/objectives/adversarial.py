"""Adversarial training: a generator and a PatchGAN critic, trained in alternation."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from hsi_xr.band_grid import Bands
from hsi_xr.errors import UsageError
from hsi_xr.networks import srcgan
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.reconstructors._feedforward import InputAdapter
from hsi_xr.training import losses
from hsi_xr.training.objectives._base import ObjectiveSettings, feedforward_parts
from hsi_xr.training.patches import PatchBatch
from hsi_xr.training.tables import NonNegative, Positive, PositiveInt
from hsi_xr.training.updates import Losses, Objective, ParameterUpdate, trainable

SMALLEST = 32
"""Side of the smallest patch that the critic can judge, in pixels."""


class Adversarial(ObjectiveSettings, frozen=True, kw_only=True, tag="adversarial"):
    """Cross-entropy against the critic, and L1 to the truth."""

    l1: NonNegative = 100.0
    """Weight of the L1: lambda in pix2pix."""
    width: PositiveInt = 64
    """Channels of the critic's first layer."""
    critic_rate: Positive | None = None
    """Learning rate of the critic, with the optimiser's schedule; None takes the optimiser's."""

    def build(
        self, model: Reconstructor, bands: Bands, *, steps: int, patch: int
    ) -> Objective[PatchBatch]:
        if patch < SMALLEST:
            raise UsageError(f"data.patch must be at least {SMALLEST} for the critic; got {patch}")
        adapter, generator = feedforward_parts(model, "adversarial")
        if not isinstance(generator, srcgan.Generator):
            raise UsageError(
                "objective.kind = 'adversarial' trains a system with a generator: srcgan"
            )
        critic = srcgan.Discriminator(generator.head.out_channels, width=self.width)
        game = _Game(adapter, generator, critic, self.l1)
        every = range(steps)
        updates = (
            ParameterUpdate("critic", trainable(critic), game.critic_loss, every, self.critic_rate),
            ParameterUpdate("generator", trainable(generator), game.generator_loss, every),
        )
        return Objective(updates, nn.ModuleDict({"critic": critic}))


@dataclass(frozen=True)
class _Game:
    """The losses of both players.

    Source: Isola et al. 2017 (arXiv:1611.07004), eq. 4, with the non-saturating loss of the
    generator, as in Alvarez-Gila et al. 2017 (arXiv:1709.00265).
    """

    adapter: InputAdapter
    generator: srcgan.Generator
    critic: srcgan.Discriminator
    weight: float

    def critic_loss(self, batch: PatchBatch, rng: Generator) -> Losses:
        image = self.adapter(batch.rgb, batch.statistics)
        with torch.no_grad():
            generated = self.generator(image, drop=dropout(rng))
        real, fake = (
            _cross_entropy(self.critic(image, batch.cube), 1),
            _cross_entropy(self.critic(image, generated * batch.known), 0),
        )
        return {"critic": (real + fake) / 2}

    def generator_loss(self, batch: PatchBatch, rng: Generator) -> Losses:
        image = self.adapter(batch.rgb, batch.statistics)
        generated = self.generator(image, drop=dropout(rng))
        # values that are unknown in real cubes must not give a generated one away
        deceived = _cross_entropy(self.critic(image, generated * batch.known), 1)
        l1 = losses.l1(generated, batch.cube, batch.known)
        return {"generator": deceived + self.weight * l1, "deceived": deceived, "l1": l1}


def _cross_entropy(logits: Tensor, real: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, real))


def dropout(rng: Generator) -> srcgan.Drop:
    """Returns a dropout of one half that draws from a generator of the run."""

    def drop(features: Tensor, block: int) -> Tensor:
        coins = torch.rand(features.shape, generator=rng, device=rng.device)
        return 2 * features * (coins < 0.5)

    return drop
