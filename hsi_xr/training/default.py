"""Trains the default model: `python -m hsi_xr.training.default DATA OUT`.

Stops after `--steps`, or when asked to by the clock; continues from its checkpoint bit for bit.
"""

import argparse
import logging
import math
import os
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from hsi_xr import regression
from hsi_xr.reconstructors.r2h_diff import Config, R2HDiffReconstructor
from hsi_xr.reconstructors._scene_gain import colour_means
from hsi_xr.spectra import Bands
from hsi_xr.training import sources
from hsi_xr.training.batches import Batch, Source, as_tensor, texture
from hsi_xr.training.simulate import Studio, mean_response

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
    return Source(textured, [*spectra, measured, measured], studio, reference)


def fit_base(source: Source, rng: torch.Generator, *, batches: int = 150) -> Tensor:
    """Root-polynomial coefficients on calibrated pixels of the training distribution."""
    rgb, spectra = [], []
    for _ in range(batches):
        batch = source.draw(rng)
        calibrated = batch.rgb / batch.gain[..., None, None]
        keep = torch.randint(64 * 64, (200,), generator=rng)
        rgb.append(calibrated.flatten(2)[..., keep].transpose(1, 2).reshape(-1, 3))
        spectra.append(batch.cube.flatten(2)[..., keep].transpose(1, 2).reshape(-1, len(BANDS)))
    return regression.fit(torch.cat(rgb), torch.cat(spectra))


def fit_gain(model: R2HDiffReconstructor, source: Source, rng: torch.Generator, *, steps: int) -> None:
    """Teaches the scene gain on whole scenes: patches side by side under one exposure."""
    optimiser = torch.optim.Adam(model.gain.parameters(), 3e-3)
    for step in range(steps):
        scenes = [source.scene(rng) for _ in range(24)]
        means = torch.cat([colour_means(rgb) for rgb, _ in scenes])
        wanted = torch.cat([gain for _, gain in scenes])
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * (1 - step / steps)
        optimiser.zero_grad()
        value = F.smooth_l1_loss(model.gain(means).log(), wanted.log(), beta=0.3)
        value.backward()
        optimiser.step()
        if (step + 1) % 100 == 0:
            log.info("gain step %d loss %.4f", step + 1, value.item())


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


def train(
    folder: Path,
    out: Path,
    *,
    steps: int,
    gain_steps: int,
    start: Path | None = None,
    minutes: float = math.inf,
) -> None:
    """Fits the base, the gain and the network; continues from `out` where that was begun."""
    source, rng = material(folder), torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    model = R2HDiffReconstructor(Config()).to(memory_format=torch.channels_last)
    checkpoint = out / "training.pt"
    if start is not None:
        begun_with = torch.load(start, weights_only=True)["model"]
        model.load_state_dict(
            {k: v for k, v in begun_with.items() if k.startswith(("network", "base"))},
            strict=False,
        )
    elif not checkpoint.exists():
        model.base.data = fit_base(source, rng)
    if not checkpoint.exists():
        fit_gain(model, source, rng, steps=gain_steps)
    average = {k: v.clone() for k, v in model.state_dict().items()}
    rate = 1e-3
    optimiser = torch.optim.AdamW(
        model.network.parameters(), rate, betas=(0.9, 0.99), weight_decay=1e-4
    )
    done, begun = 0, time.monotonic()
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        rng.set_state(state["rng"])
        average, done = state["average"], state["done"]
    total = 0.0
    for step in range(done, steps):
        share = step / steps
        now = rate * min(1, (step + 1) / 100) * (1 - share) ** 0.9
        for group in optimiser.param_groups:
            group["lr"] = now
        optimiser.zero_grad()
        value = loss(model, source.draw(rng, size=PATCH), rng)
        if not torch.isfinite(value):
            raise FloatingPointError(f"the loss became {value.item()} at step {step}")
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.network.parameters(), 1.0)
        optimiser.step()
        decay = min(0.997, (step + 1) / (step + 10))
        with torch.no_grad():
            for name, tensor in model.state_dict().items():
                average[name].lerp_(tensor, 1 - decay)
        total += value.item()
        late = (time.monotonic() - begun) / 60 > minutes
        if (step + 1) % 50 == 0 or late:
            log.info("step %d loss %.4f %.1f min", step + 1, total / 50, (time.monotonic() - begun) / 60)
            total = 0.0
        if (step + 1) % 100 == 0 or late or step + 1 == steps:
            _save(
                {
                    "model": model.state_dict(),
                    "average": average,
                    "optimiser": optimiser.state_dict(),
                    "rng": rng.get_state(),
                    "done": step + 1,
                },
                checkpoint,
            )
        if late:
            return


def _save(state: dict[str, object], path: Path) -> None:
    beside = path.with_suffix(".part")
    torch.save(state, beside)
    os.replace(beside, path)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--gain-steps", type=int, default=6000)
    parser.add_argument("--start", type=Path, help="checkpoint of another run to start from")
    parser.add_argument("--minutes", type=float, default=math.inf)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    train(
        options.data,
        options.out,
        steps=options.steps,
        gain_steps=options.gain_steps,
        start=options.start,
        minutes=options.minutes,
    )


if __name__ == "__main__":
    main()
