"""What the picture model is trained by: denoising, or a regularised conditional GAN."""

import math
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from examples.picture_model.model import PictureModel, encode, guide_image
from examples.picture_model.textures import PictureBatch
from hsi_xr.networks.srcgan import Discriminator
from hsi_xr.training.updates import Losses, Objective, ParameterUpdate, trainable

MEANS = 0.6
"""Share of a batch on which the network learns the mean; the rest learns the chain."""

NEGLIGIBLE = 0.05
"""Error of an image, in units of the chain, below which it is not worth reducing further."""

DRAWS = 2
"""Draws of the generator per image: P of Bendel et al."""

ADVERSARIAL = 0.02
"""Weight of the critic relative to the L1 of the mean, which alone decides colours."""


def diffusion(model: PictureModel, steps: range) -> Objective[PictureBatch]:
    """Returns the objective that trains the chain and the mean."""
    loss = partial(denoising_loss, model)
    return Objective((ParameterUpdate("denoising", trainable(model.network), loss, steps),))


def denoising_loss(model: PictureModel, batch: PictureBatch, rng: Generator) -> Losses:
    """Root mean square error of the mean per image, and mean squared error of the chain.

    Squares over all images would be decided by the most damaged ones, and damage the others.

    Source: Ho et al. 2020 (arXiv:2006.11239), section 3.2, for the clean end instead of the noise.
    """
    clean = encode(batch.clean, batch.picture)
    of_mean = max(1, round(MEANS * len(clean)))
    step = torch.randint(1, model.mean_step, (len(clean),), generator=rng, device=rng.device)
    keep = model.keep.to(clean)[step][:, None, None, None]
    noise = torch.randn(clean.shape, generator=rng, device=rng.device)
    noisy = keep.sqrt() * clean + (1 - keep).sqrt() * noise
    step[:of_mean], noisy[:of_mean] = model.mean_step, 0
    error = (model.predict(noisy, batch.picture, step) - clean).square()
    mean = (error[:of_mean].flatten(1).mean(1) + NEGLIGIBLE**2).sqrt().mean()
    unchanged = clean[:of_mean].flatten(1).square().mean(1).sqrt().mean()
    chain = error[of_mean:].mean()
    total = MEANS * mean + (1 - MEANS) * chain
    return {"loss": total, "mean": mean, "unchanged": unchanged, "chain": chain}


def adversarial(
    model: PictureModel, critic: Discriminator, steps: range
) -> Objective[PictureBatch]:
    """Returns the objective that trains the last step of the chain as a generator."""
    game = Game(model, critic)
    updates = (
        ParameterUpdate("critic", trainable(critic), game.critic_loss, steps),
        ParameterUpdate("generator", trainable(model.network), game.generator_loss, steps),
    )
    return Objective(updates, nn.ModuleDict({"critic": critic}))


def draw_loss(draws: Tensor, clean: Tensor) -> Losses:
    """Returns the L1 of the mean of P draws, and that less a reward for their spread.

    The reward, the sum of absolute deviations from the mean over P sqrt(P^2 - 1), makes draws of a
    normal posterior as wide as it is.

    Args:
        draws: (P, ...).
        clean: (...) truth.

    Source:
        Bendel, Ahmad, Schniter 2023 (arXiv:2210.13389), the regularisation of rcGAN.
    """
    count, mean = len(draws), draws.mean(0)
    l1, spread = (mean - clean).abs().mean(), (draws - mean).abs().sum(0).mean()
    return {"total": l1 - spread / (count * math.sqrt(count**2 - 1)), "l1": l1, "spread": spread}


@dataclass(frozen=True)
class Game:
    """The losses of generator and critic.

    Source: Bendel, Ahmad, Schniter 2023 (arXiv:2210.13389), with the critic of Isola et al. 2017
    (arXiv:1611.07004) instead of a Wasserstein one.
    """

    model: PictureModel
    critic: Discriminator

    def critic_loss(self, batch: PictureBatch, rng: Generator) -> Losses:
        image, clean = guide_image(batch.picture), encode(batch.clean, batch.picture)
        with torch.no_grad():
            drawn = self._draw(batch.picture, rng)
        real, fake = self.critic(image, clean), self.critic(image, drawn)
        return {"critic": (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2}

    def generator_loss(self, batch: PictureBatch, rng: Generator) -> Losses:
        image, clean = guide_image(batch.picture), encode(batch.clean, batch.picture)
        draws = torch.stack([self._draw(batch.picture, rng) for _ in range(DRAWS)])
        parts = draw_loss(draws, clean)
        deceived = F.softplus(-self.critic(image, draws[0])).mean()
        return {
            "generator": parts.pop("total") + ADVERSARIAL * deceived,
            **parts,
            "deceived": deceived,
        }

    def _draw(self, picture: Tensor, rng: Generator) -> Tensor:
        noise = torch.randn(picture.shape, generator=rng, device=rng.device)
        last = torch.full((len(picture),), self.model.config.steps, device=rng.device)
        return self.model.predict(noise, picture, last)
