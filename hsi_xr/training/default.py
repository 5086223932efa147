"""Trains the default model: `python -m hsi_xr.training.default DATA OUT`.

Stops after `--steps`; continues from its checkpoint.
"""

import argparse
import logging
import os
import time
from pathlib import Path

import torch
from torch import Tensor

from hsi_xr import regression
from hsi_xr.reconstructors._scene_gain import colour_means
from hsi_xr.reconstructors.r2h_diff import Config, R2HDiffReconstructor
from hsi_xr.spectra import Bands
from hsi_xr.training import sources
from hsi_xr.training.batches import Batch, Source, as_tensor, texture
from hsi_xr.training.simulate import Studio, invented, mean_response

BANDS = Bands.regular(400, 700, 10)
HELD_OUT_EVERY = 5
"""Every fifth plot of a site, in the order of its number, is never trained on."""
HELD_OUT_CAMERAS = ("Hasselblad_L2D-20c", "Nikon_D850", "Sony_ILCE-7RM4", "Canon_EOS_R5")

PATCH = 48

log = logging.getLogger(__name__)


def held_out(name: str) -> bool:
    return int(name.split("_")[1]) % HELD_OUT_EVERY == 0


def material(folder: Path) -> Source:
    """The training part of the data, ready to draw from."""
    sensitivities = sources.cameras(folder, BANDS)
    seen = torch.stack(
        [as_tensor(c) for name, c in sensitivities.items() if name not in HELD_OUT_CAMERAS]
    )
    spectra = [as_tensor(s) for s in sources.library(folder, BANDS).values()]
    reference = mean_response(seen)
    plots = [p for p in sources.paired_plots(folder, BANDS) if not held_out(p.name)]
    textured = [texture(plot) for plot in plots]
    measured = torch.cat([t.coarse_cube.flatten(1).T for t in textured])
    palette = torch.cat([s[torch.linspace(0, len(s) - 1, 40).long()] for s in spectra])
    observer = as_tensor(sources.standard_observer(folder, BANDS))
    studio = Studio(seen, observer, palette)
    paints = invented(2000, len(BANDS), torch.Generator().manual_seed(1))
    return Source(textured, [*spectra, measured, measured, paints], studio, reference)


def fit_base(
    source: Source, rng: torch.Generator, *, batches: int = 150, calibrated: bool = True
) -> Tensor:
    """Root-polynomial coefficients on the training distribution, with or without its gains."""
    rgb, spectra = [], []
    for _ in range(batches):
        batch = source.draw(rng)
        seen = batch.rgb / batch.gain[..., None, None] if calibrated else batch.rgb
        keep = torch.randint(64 * 64, (200,), generator=rng)
        rgb.append(seen.flatten(2)[..., keep].transpose(1, 2).reshape(-1, 3))
        spectra.append(batch.cube.flatten(2)[..., keep].transpose(1, 2).reshape(-1, len(BANDS)))
    return regression.fit(torch.cat(rgb), torch.cat(spectra))


def fit_gain(
    model: R2HDiffReconstructor, source: Source, rng: torch.Generator, *, scenes: int, steps: int
) -> None:
    """Fits the scene gain: its level by regression, its tint on pictures of whole scenes."""
    gain = model.gain
    gain.believed.data = source.reference @ fit_base(source, rng, calibrated=False)
    drawn = [source.scene(rng) for _ in range(scenes)]
    seen = gain.seen(torch.cat([colour_means(rgb) for rgb, _ in drawn]))
    wanted = torch.cat([wanted for _, wanted in drawn]).log()
    optimiser = torch.optim.AdamW([*gain.layers.parameters(), *gain.answer.parameters()])
    for step in range(steps):
        pick = torch.randint(len(seen), (512,), generator=rng)
        balance = 0.05 * torch.randn(512, 3, generator=rng)
        # few scenes are at hand: without jitter their means would be learned by heart
        jitter = 0.1 * torch.randn(512, seen.shape[1], generator=rng)
        found = gain.tint(seen[pick] + balance.repeat(1, 3) + jitter)
        right = wanted[pick] + balance
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * (1 - step / steps)
        optimiser.zero_grad()
        value = ((right - right.mean(1, keepdim=True) - found).exp() - 1).abs().mean()
        value.backward()
        optimiser.step()
    log.info("gain: relative error %.4f of a channel", value.item())


def loss(model: R2HDiffReconstructor, batch: Batch, rng: torch.Generator) -> Tensor:
    """L1 of the clean estimate plus its spatial gradients (weight 1.0)."""
    slip = (0.3 * torch.randn(len(batch.rgb), 1, generator=rng)).exp()
    tint = (0.05 * torch.randn(len(batch.rgb), 3, generator=rng)).exp()
    rgb = batch.rgb / (batch.gain * slip * tint)[..., None, None]
    base = model.classical(rgb)
    clean = model.encode(batch.cube, base)
    step = torch.randint(1, model.config.steps + 1, (len(clean),), generator=rng)
    keep = model.keep[step].float()[:, None, None, None]
    noisy = keep.sqrt() * clean + (1 - keep).sqrt() * torch.randn(clean.shape, generator=rng)
    last = torch.channels_last
    found = model.network(
        noisy.contiguous(memory_format=last),
        model.guide_of(rgb).contiguous(memory_format=last),
        step,
    )
    trust = (batch.cube.mean(1, keepdim=True) / 0.02).clamp(max=1)  # dark spectra are noise
    error = trust * (found - clean)
    gradients = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
    return error.abs().mean() + gradients


class Training:
    """The network, its optimiser and its running average; all that a checkpoint holds.

    Begins at the checkpoint if there is one, else at the network and base of another run, else
    anew.
    """

    def __init__(
        self, source: Source, checkpoint: Path, *, rate: float, scenes: int, start: Path | None
    ) -> None:
        self.source, self.checkpoint, self.rate = source, checkpoint, rate
        self.rng = torch.Generator().manual_seed(0)
        self.done = 0
        torch.manual_seed(0)
        self.model = R2HDiffReconstructor(Config())
        if start is not None:
            begun = torch.load(start, weights_only=True)["average"]
            begun = {k: v for k, v in begun.items() if k.startswith(("network", "base"))}
            self.model.load_state_dict(begun, strict=False)
        elif not checkpoint.exists():
            self.model.base.data = fit_base(source, self.rng)
        if not checkpoint.exists():
            fit_gain(self.model, source, self.rng, scenes=scenes, steps=2500)
        self.average = {k: v.clone() for k, v in self.model.state_dict().items()}
        network = self.model.network
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # no stub
        self.optimiser = torch.optim.AdamW(
            network.parameters(), rate, betas=(0.9, 0.99), weight_decay=1e-4
        )
        if checkpoint.exists():
            self._resume()

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
        beside = self.checkpoint.with_suffix(".part")
        torch.save(state, beside)
        os.replace(beside, self.checkpoint)

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
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--scenes", type=int, default=24000, help="for fitting the scene gain")
    parser.add_argument("--start", type=Path, help="checkpoint of another run to start from")
    parser.add_argument("--rate", type=float, default=1e-3, help="largest learning rate")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    training = Training(
        material(options.data),
        options.out / "training.pt",
        rate=options.rate,
        scenes=options.scenes,
        start=options.start,
    )
    train(training, steps=options.steps)


if __name__ == "__main__":
    main()
