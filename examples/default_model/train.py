"""Trains the default model: `python -m examples.default_model.train DATA OUT`.

First the mixture of spectra, then the network that refines what it believes. Stops after `--steps`;
continues from its checkpoint. `--bands 400 1000 10 --steps 0` makes a model of other bands, without
a network.
"""

import argparse
import logging
import time
from pathlib import Path

import torch
from torch import Tensor

from examples.default_model import fit_mixture, sources
from examples.default_model.batches import OWN, Batch, Source, as_tensor, texture
from examples.default_model.simulate import Shot, Studio, display, invented, spectra, weathered
from hsi_xr.band_grid import Bands
from hsi_xr.io import atomic
from hsi_xr.networks.chromaticity import chromaticity_histogram
from hsi_xr.networks.projected_mixture import Posterior
from hsi_xr.reconstructors._base import SceneWindows
from hsi_xr.reconstructors.guided_posterior import Config, GuidedPosterior

BANDS = Bands.regular(400, 700, 10)
HELD_OUT_EVERY = 5
"""Every fifth plot of a site, in the order of its number, is never trained on."""
HELD_OUT_CAMERAS = ("Hasselblad_L2D-20c", "Nikon_D850", "Sony_ILCE-7RM4", "Canon_EOS_R5")

PATCH = 48
SPECTRA = 60_000
"""Pixels that the mixture is fitted to."""

SLIP = 0.3
"""Spread of the logarithm of a level about the right one: the network must not rely on it."""

log = logging.getLogger(__name__)


def held_out(name: str) -> bool:
    return int(name.split("_")[1]) % HELD_OUT_EVERY == 0


def material(folder: Path, bands: Bands = BANDS) -> Source:
    """The training part of the data, ready to draw from."""
    sensitivities = sources.cameras(folder, bands)
    seen = torch.stack(
        [as_tensor(c) for name, c in sensitivities.items() if name not in HELD_OUT_CAMERAS]
    )
    library = [as_tensor(s) for s in sources.library(folder, bands).values()]
    plots = [p for p in sources.paired_plots(folder, bands) if not held_out(p.name)]
    textured = [texture(plot) for plot in plots]
    sites = [
        torch.cat([as_tensor(p.cube).flatten(1).T for p in plots if p.name[0] == site])
        for site in sorted({p.name[0] for p in plots})
    ]
    palette = torch.cat([s[torch.linspace(0, len(s) - 1, 40).long()] for s in library])
    observer = as_tensor(sources.standard_observer(folder, bands))
    studio = Studio(seen / seen.sum(-1, keepdim=True), display(observer), palette)
    rng = torch.Generator().manual_seed(1)
    paints = invented(3000, len(bands), rng)
    outside = [weathered(samples, rng) for samples in [*library, paints]]
    return Source(textured, [*sites, *sites, *sites, *outside], studio)


def begin(source: Source, config: Config, rng: torch.Generator) -> GuidedPosterior:
    """The model before any gradient: its mixture, cameras, and how the mixture errs."""
    torch.manual_seed(0)
    model = GuidedPosterior(config)
    model.photofinishing.cameras.data = source.studio.cameras
    model.photofinishing.observer.data = source.studio.display
    drawn = spectra(source.groups, SPECTRA, rng)
    model.mixture.load_state_dict(fit_mixture.fit(drawn, config.gaussians, rng).state_dict())
    model.directions.data = directions(model, source, rng)
    return model


def believed(model: GuidedPosterior, shot: Shot, cube: Tensor, slip: float) -> Posterior:
    """What the mixture says of a picture whose level is right but for a slip; one image."""
    rgb = shot.rgb[None]
    with torch.no_grad():
        facts = model.survey(SceneWindows.entire(rgb, _means(shot), response=shot.camera))
        if not shot.level_known:
            bright = model.posterior(rgb, {**facts, "gain": 0 * facts["gain"] + 1}).mean
            facts = {**facts, "gain": facts["gain"] * 0 + slip * bright.mean() / cube.mean()}
        return model.posterior(rgb, facts)


def _means(shot: Shot) -> Tensor | None:
    return None if shot.level_known else chromaticity_histogram(shot.rgb[None])


def directions(model: GuidedPosterior, source: Source, rng: torch.Generator) -> Tensor:
    """How logarithms of spectra differ from what the mixture believes, brightness left out."""
    found = []
    for _ in range(12):
        batch = source.draw(rng, size=32)
        for shot, cube in zip(batch.shots[OWN:], batch.cube[OWN:]):
            belief = believed(model, shot, cube, 1.0)
            units = model.standardise(cube[None], belief).clamp(-4, 4)
            found.append(units.flatten(2)[0].T)
    units = torch.cat(found)
    bands = units.shape[1]
    level = torch.eye(bands) - torch.full((bands, bands), 1 / bands)
    values, vectors = torch.linalg.eigh(level @ torch.cov(units.T) @ level)
    count = model.config.shapes
    log.info("directions keep %.3f of the variance", values[-count:].sum() / values.sum())
    return (vectors[:, -count:] * values[-count:].sqrt()).flip(1)


def loss(model: GuidedPosterior, batch: Batch, rng: torch.Generator) -> Tensor:
    """L1 of the logarithm of spectra, plus that of its spatial gradients (weight 0.5)."""
    slips = (SLIP * torch.randn(len(batch.cube), generator=rng)).exp().tolist()
    beliefs = [believed(model, *each) for each in zip(batch.shots, batch.cube, slips)]
    belief = Posterior(*(torch.cat(each) for each in zip(*(vars(b).values() for b in beliefs))))
    clean = model.encode(batch.cube, belief)
    steps = model.config.trained_steps
    step = torch.randint(1, 2 * steps + 1, (len(clean),), generator=rng).clamp(max=steps)
    keep = model.keep[step].float()[:, None, None, None]
    noisy = keep.sqrt() * clean + (1 - keep).sqrt() * torch.randn(clean.shape, generator=rng)
    last = torch.channels_last
    found = model.network(
        noisy.contiguous(memory_format=last),
        model.guide_image(belief.mean).contiguous(memory_format=last),
        step,
    )
    trust = (batch.cube.mean(1, keepdim=True) / 0.02).clamp(max=1)  # dark spectra are noise
    error = trust * model.log_ratio(found - clean, belief)
    gradients = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
    return error.abs().mean() + 0.5 * gradients


class Training:
    """The network, its optimiser and its running average; all that a checkpoint holds."""

    def __init__(self, source: Source, checkpoint: Path, *, config: Config, rate: float) -> None:
        self.source, self.checkpoint, self.rate = source, checkpoint, rate
        self.rng = torch.Generator().manual_seed(0)
        self.done = 0
        if checkpoint.exists():
            self.model = GuidedPosterior(config)
        else:
            self.model = begin(source, config, self.rng)
        self.average = {k: v.clone() for k, v in self.model.state_dict().items()}
        network = self.model.network
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # no stub
        self.optimiser = torch.optim.AdamW(
            network.parameters(), rate, betas=(0.9, 0.99), weight_decay=1e-4
        )
        if checkpoint.exists():
            self._resume()
        else:
            self.save()

    def step(self, of: int) -> float:
        """One batch of a run of so many; its loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * min(1, (self.done + 1) / 100) * (1 - self.done / of) ** 0.9
        self.optimiser.zero_grad()
        value = loss(self.model, self.source.draw(self.rng, size=PATCH), self.rng)
        if not torch.isfinite(value):
            raise FloatingPointError(f"the loss became {value.item()} at step {self.done}")
        value.backward()
        torch.nn.utils.clip_grad_norm_(self.model.network.parameters(), 1.0)
        self.optimiser.step()
        decay = min(0.997, (self.done + 1) / (self.done + 10))
        with torch.no_grad():
            for name, tensor in self.model.state_dict().items():
                self.average[name].lerp_(tensor, 1 - decay)
        self.done += 1
        return value.item()

    def save(self) -> None:
        """Writes the checkpoint, whole or not at all."""
        state = {
            "model": self.model.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "rng": self.rng.get_state(),
            "done": self.done,
        }
        with atomic.replacing(self.checkpoint) as part:
            torch.save(state, part)

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.rng.set_state(state["rng"])
        self.average, self.done = state["average"], state["done"]


def train(training: Training, *, steps: int) -> None:
    """Runs to so many steps in all, saving every hundred."""
    begun, total = time.monotonic(), 0.0
    while training.done < steps:
        total += training.step(steps)
        if training.done % 50 == 0:
            minutes = (time.monotonic() - begun) / 60
            log.info("step %d loss %.4f %.1f min", training.done, total / 50, minutes)
            total = 0.0
        if training.done % 100 == 0 or training.done == steps:
            training.save()


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
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    bands = Bands.regular(*options.bands)
    training = Training(
        material(options.data, bands),
        options.out / "training.pt",
        config=Config(bands=len(bands)),
        rate=options.rate,
    )
    train(training, steps=options.steps)


if __name__ == "__main__":
    main()
