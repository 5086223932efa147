"""Where a chain of noise predictions goes wrong: errors of one answer, by step.

    python examples/experiments/chain.py RUNS/simulated/ddpm-seed0/model.safetensors PREPARED

noises a true cube up to a step, asks the network once, and tells the error of the noise, that of
the clean chain that it implies, and how much brighter the latter is after it was cut to the chain's
range, where the sampler goes on from it.
"""

import sys
from pathlib import Path
from typing import Any

import torch

from hsi_xr.checkpoints.card import read
from hsi_xr.checkpoints.weights import load_model
from hsi_xr.datasets import load
from hsi_xr.reconstructors import SceneWindows

STEPS = (20, 100, 200, 400, 600, 800, 1000)


@torch.no_grad()
def main(model: Path, prepared: Path) -> None:
    ddpm: Any = load_model(read(model))
    data = load("cubes", prepared / "simulated", camera=prepared / "camera.json", scale=1.0)
    pair = data.read(data.splits["validation"][0])
    rgb, cube = (torch.from_numpy(each)[None] for each in (pair.rgb, pair.cube))
    statistics = ddpm.adapter.survey(SceneWindows.entire(rgb))
    denoising_target = ddpm.denoising_target(rgb, cube, statistics)
    print(
        f"truth in the chain: mean {denoising_target.clean.mean():.2f}, "
        f"deviation {denoising_target.clean.std():.2f}"
    )
    print("| step | RMS error of noise | of the clean chain | excess after the cut to [-1, 1] |")
    print("|---|---|---|---|")
    rng = torch.Generator().manual_seed(0)
    for step in STEPS:
        keep = ddpm.keep[step].float()
        noise = torch.randn(denoising_target.clean.shape, generator=rng)
        noisy = keep.sqrt() * denoising_target.clean + (1 - keep).sqrt() * noise
        found = denoising_target.predict(noisy, torch.tensor([step]))
        clean = (noisy - (1 - keep).sqrt() * found) / keep.sqrt()
        errors = [
            each.square().mean().sqrt() for each in (found - noise, clean - denoising_target.clean)
        ]
        excess = (clean.clamp(-1, 1) - denoising_target.clean).mean()
        print(f"| {step} | {errors[0]:.2f} | {errors[1]:.2f} | {excess:+.2f} |")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
