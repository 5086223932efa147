"""Trains the picture model: `python -m examples.picture_model.train DATA RUN [--resume]`.

The chain and the mean are trained by denoising; `--start CHECKPOINT` starts from the weights of
another run, and with `--gan`, trains its last step as a generator that draws in one pass.
"""

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path

import torch

from examples.default_model.training_data import load_training_data
from examples.picture_model.model import PictureConfig, PictureModel
from examples.picture_model.objectives import adversarial, diffusion
from examples.picture_model.textures import PictureBatch, Textures, load_textures
from hsi_xr.networks.srcgan import Discriminator
from hsi_xr.training.loop import Training
from hsi_xr.training.optimiser import Optimiser
from hsi_xr.training.seeds import Use, seeded, torch_generator
from hsi_xr.training.settings import Schedule, Settings
from hsi_xr.training.updates import Task

BATCH = 10
"""Images in a batch."""

PATCH = 32
"""Side of the images in a batch, in pixels."""

CRITIC = 16
"""Channels of the first layer of the critic."""

_log = logging.getLogger(__name__)


class PictureSettings(Settings, frozen=True, kw_only=True):
    """The settings of a run."""

    start: Path | None = None
    """Checkpoint whose averaged weights the run starts from."""
    gan: bool = False
    """Train a generator instead of the chain."""


def settings_of(
    out: Path,
    *,
    steps: int,
    rate: float = 2e-3,
    start: Path | None = None,
    gan: bool = False,
) -> PictureSettings:
    """Returns the settings of a run.

    Args:
        out: Folder of checkpoints and log.
        steps: Steps of the run.
        rate: Largest learning rate.
        start: Checkpoint whose averaged weights the run starts from.
        gan: Train a generator instead of the chain.
    """
    return PictureSettings(
        optimiser=Optimiser(
            rate=rate,
            schedule="poly",
            power=0.9,
            floor=0.0,
            warm_up=100,
            betas=(0.5 if gan else 0.9, 0.99),
            weight_decay=1e-4,
            clip=1.0,
        ),
        schedule=Schedule(steps=steps, validate=0, save=50, log=20),
        ema=0.995,
        out=out,
        start=start,
        gan=gan,
    )


def new_task(
    textures: Textures, config: PictureConfig, settings: PictureSettings
) -> Task[PictureBatch]:
    """Returns the task of training a model on damaged textures."""
    seed, steps = settings.seed, range(settings.schedule.steps)
    with seeded(seed, Use.WEIGHTS):
        model = PictureModel(config)
    model.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # no stub
    if settings.start:
        model.load_state_dict(average_weights(settings.start))
    objective = diffusion(model, steps)
    if settings.gan:
        with seeded(seed, Use.AUXILIARY):
            objective = adversarial(model, Discriminator(3, width=CRITIC), steps)

    def draw(number: int) -> PictureBatch:
        return textures.draw(torch_generator(seed, Use.BATCHES, number), count=BATCH, side=PATCH)

    return Task(model=model, objective=objective, draw=draw)


def average_weights(checkpoint: Path) -> Mapping[str, torch.Tensor]:
    """Returns the averaged weights in a checkpoint."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    weights: Mapping[str, torch.Tensor] = state["average"]
    return weights


def report(done: int, steps: int, values: Mapping[str, float]) -> None:
    """Log the losses every 50 steps."""
    if done % 50 == 0 or done == steps:
        losses = {n: v for n, v in values.items() if not n.endswith("/rate")}
        stated = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
        _log.info("step %d of %d: %s", done, steps, stated)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--rate", type=float, default=2e-3, help="largest learning rate")
    parser.add_argument("--start", type=Path, help="checkpoint to start from")
    parser.add_argument("--gan", action="store_true", help="train a generator")
    parser.add_argument(
        "--resume", action="store_true", help="continue an interrupted training run"
    )
    options = parser.parse_args()
    data = load_training_data(options.data)
    textures = load_textures(options.data, data, torch.Generator().manual_seed(2))
    settings = settings_of(
        options.out,
        steps=options.steps,
        rate=options.rate,
        start=options.start,
        gan=options.gan,
    )
    task = new_task(textures, PictureConfig(), settings)
    Training(task, settings, resume=options.resume).finish(report)


if __name__ == "__main__":
    main()
