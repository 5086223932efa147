"""Trains the default model: `python -m examples.default_model.train DATA OUT`.

First the mixture of spectra is fitted, then the training loop of `hsi-xr train` trains the network
that refines the mixture's mean. `--bands 400 1000 10 --steps 0` makes a model of other bands,
without training its network.
"""

import argparse
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Generator, Tensor

from examples.default_model import fit_exposure, fit_mixture
from examples.default_model.batches import REAL, SimulatedBatch, TrainingData
from examples.default_model.simulate_ground import sample_spectra
from examples.default_model.simulate_images import RGBImage
from examples.default_model.training_data import load_training_data
from hsi_xr.band_grid import Bands
from hsi_xr.networks.chromaticity import chromaticity_histogram
from hsi_xr.networks.projected_mixture import Posterior
from hsi_xr.reconstructors._base import SceneWindows
from hsi_xr.reconstructors.guided_posterior import Config, GuidedPosterior
from hsi_xr.training.loop import Training
from hsi_xr.training.optimiser import Optimiser
from hsi_xr.training.seeds import Use, seeded, torch_generator
from hsi_xr.training.settings import Schedule, Settings
from hsi_xr.training.updates import Losses, Objective, ParameterUpdate, Task, trainable

PATCH = 48
"""Side of the cubes in a batch, in pixels."""

SPECTRA = 60_000
"""Pixels that the mixture is fitted to."""

LEVEL_ERROR = 0.3
"""Standard deviation of the logarithm of the level: the network must not rely on it."""

DARK = 0.02
"""Mean reflectance below which spectra count less, since noise dominates them."""

_log = logging.getLogger(__name__)


class DefaultModelSettings(Settings, frozen=True, kw_only=True):
    """The settings of the default model's training."""

    bands: tuple[int, int, int] = (400, 700, 10)
    """First and last centre, and their distance, in nm."""
    network: bool = True
    """False fits the mixture alone."""


def settings_of(
    out: Path, *, steps: int, rate: float = 1e-3, bands: tuple[int, int, int] = (400, 700, 10)
) -> DefaultModelSettings:
    """Returns the settings of a run.

    Args:
        out: Folder of checkpoints and log.
        steps: Steps of the network; 0 trains none.
        rate: Largest learning rate.
        bands: First and last centre, and their distance, in nm.
    """
    return DefaultModelSettings(
        optimiser=Optimiser(
            rate=rate,
            schedule="poly",
            power=0.9,
            floor=0.0,
            warm_up=100,
            betas=(0.9, 0.99),
            weight_decay=1e-4,
            clip=1.0,
        ),
        schedule=Schedule(steps=max(1, steps), validate=0, save=100, log=50),
        ema=0.997,
        out=out,
        bands=bands,
        network=steps > 0,
    )


def new_task(
    data: TrainingData, config: Config, settings: DefaultModelSettings
) -> Task[SimulatedBatch]:
    """Returns the task of fitting a model to data and training its network on simulated batches.

    Args:
        data: What batches are drawn from, on the band grid of the model.
        config: Configuration of the model.
        settings: Settings of the run.
    """
    seed, steps = settings.seed, range(settings.schedule.steps)
    with seeded(seed, Use.WEIGHTS):
        model = GuidedPosterior(config)
    updates: tuple[ParameterUpdate[SimulatedBatch], ...] = ()
    if model.network is not None and settings.network:
        model.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # no stub
        loss = partial(chain_loss, model)
        updates = (ParameterUpdate("network", trainable(model.network), loss, steps),)
    return Task(
        model=model,
        objective=Objective(updates),
        draw=lambda number: data.draw(torch_generator(seed, Use.BATCHES, number), side=PATCH),
        fit=lambda: fit_statistics(model, data, torch_generator(seed, Use.FIT)),
    )


def fit_statistics(model: GuidedPosterior, data: TrainingData, rng: Generator) -> None:
    """Fit all that is not learned by gradient descent: cameras, mixture, error directions."""
    model.photofinishing.cameras.data.copy_(data.simulator.cameras)
    model.photofinishing.observer.data.copy_(data.simulator.display)
    spectra = sample_spectra(data.groups, SPECTRA, rng)
    mixture = fit_mixture.fit(spectra, model.config.gaussians, rng)
    model.mixture.load_state_dict(mixture.state_dict())
    fit_exposure.fit(model, data)
    model.directions.data.copy_(error_directions(model, data, rng))


def error_directions(model: GuidedPosterior, data: TrainingData, rng: Generator) -> Tensor:
    """Principal directions in which log spectra deviate from the mixture's mean, level aside.

    Returns:
        (bands, shapes), in standard deviations of the mixture.
    """
    samples = []
    for _ in range(12):
        batch = data.draw(rng, side=32)
        for image, cube in zip(batch.images[REAL:], batch.cube[REAL:]):
            error = model.standardise(cube[None], posterior_of(model, image, cube, 1.0))
            samples.append(error.clamp(-4, 4).flatten(2)[0].T)
    errors = torch.cat(samples)
    bands = errors.shape[1]
    without_level = torch.eye(bands) - torch.full((bands, bands), 1 / bands)
    values, vectors = torch.linalg.eigh(without_level @ torch.cov(errors.T) @ without_level)
    count = model.config.shapes
    _log.info("directions explain %.3f of the variance", values[-count:].sum() / values.sum())
    return (vectors[:, -count:] * values[-count:].sqrt()).flip(1)


@torch.no_grad()
def posterior_of(model: GuidedPosterior, image: RGBImage, cube: Tensor, level: float) -> Posterior:
    """Returns the mixture's posterior of an image whose level is known, except for a factor.

    Args:
        model: The model.
        image: An RGB image of the cube.
        cube: (bands, rows, columns) true reflectance.
        level: The factor.
    """
    rgb = image.rgb[None]
    histogram = None if image.level_known else chromaticity_histogram(rgb)
    statistics = model.survey(SceneWindows.entire(rgb, histogram, response=image.response))
    if not image.level_known:
        ones = torch.ones_like(statistics["gain"])
        bright = model.posterior(rgb, {**statistics, "gain": ones}).mean
        statistics = {**statistics, "gain": ones * level * bright.mean() / cube.mean()}
    return model.posterior(rgb, statistics)


def chain_loss(model: GuidedPosterior, batch: SimulatedBatch, rng: Generator) -> Losses:
    """L1 of the logarithm of spectra, plus half the L1 of its spatial gradients."""
    errors = LEVEL_ERROR * torch.randn(len(batch.cube), generator=rng, device=rng.device)
    images = zip(batch.images, batch.cube, errors.exp().tolist())
    posterior = _concatenate([posterior_of(model, *each) for each in images])
    clean = model.encode(batch.cube, posterior)
    noisy, step = _add_noise(clean, model, rng)
    estimate = model.trained_network(
        noisy.contiguous(memory_format=torch.channels_last),
        model.guide_image(posterior.mean).contiguous(memory_format=torch.channels_last),
        step,
    )
    weight = (batch.cube.mean(1, keepdim=True) / DARK).clamp(max=1)
    error = weight * model.log_ratio(estimate - clean, posterior)
    l1 = error.abs().mean()
    gradient = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
    return {"loss": l1 + 0.5 * gradient, "l1": l1, "gradient": gradient}


def _add_noise(clean: Tensor, model: GuidedPosterior, rng: Generator) -> tuple[Tensor, Tensor]:
    """The chain at random steps; half of them are the last one, of noise alone."""
    last = model.config.trained_steps
    step = torch.randint(1, 2 * last + 1, (len(clean),), generator=rng, device=rng.device)
    step = step.clamp(max=last)
    keep = model.keep.to(clean)[step][:, None, None, None]
    noise = torch.randn(clean.shape, generator=rng, device=rng.device)
    return keep.sqrt() * clean + (1 - keep).sqrt() * noise, step


def _concatenate(posteriors: list[Posterior]) -> Posterior:
    return Posterior(*(torch.cat(each) for each in zip(*(vars(p).values() for p in posteriors))))


def report(done: int, steps: int, values: Mapping[str, float]) -> None:
    """Log the loss every 50 steps."""
    if done % 50 == 0 or done == steps:
        _log.info("step %d of %d: loss %.4f", done, steps, values.get("network/loss", 0.0))


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=4400, help="of the network; 0 trains none")
    parser.add_argument(
        "--bands", type=int, nargs=3, default=(400, 700, 10), metavar="NM", help="first, last, step"
    )
    parser.add_argument("--rate", type=float, default=1e-3, help="largest learning rate")
    parser.add_argument(
        "--resume", action="store_true", help="continue an interrupted training run"
    )
    options = parser.parse_args()
    bands = Bands.regular(*options.bands)
    data = load_training_data(options.data, bands)
    settings = settings_of(
        options.out, steps=options.steps, rate=options.rate, bands=tuple(options.bands)
    )
    config = Config(bands=len(bands), size="base" if settings.network else "none")
    task = new_task(data, config, settings)
    Training(task, settings, resume=options.resume).finish(report)


if __name__ == "__main__":
    main()
