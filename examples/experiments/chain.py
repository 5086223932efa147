"""Shows where a chain of noise predictions fails: errors of one prediction, by step.

    python examples/experiments/chain.py RUNS/simulated/ddpm-seed0/model.safetensors PREPARED

adds noise to a true cube up to a step, runs the network once, and prints the error of the noise,
that of the clean chain that it implies, and how much brighter the latter is after clipping to the
range of the chain, from which the sampler continues.
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
    denoising = ddpm.denoising_target(rgb, cube, statistics)
    clean = denoising.clean
    print(f"the true chain has mean {clean.mean():.2f} and standard deviation {clean.std():.2f}")
    print("| step | RMS error of noise | of the clean chain | excess after clipping to [-1, 1] |")
    print("|---|---|---|---|")
    rng = torch.Generator().manual_seed(0)
    for step in STEPS:
        keep = ddpm.keep[step].float()
        noise = torch.randn(clean.shape, generator=rng)
        noisy = keep.sqrt() * clean + (1 - keep).sqrt() * noise
        predicted = denoising.predict(noisy, torch.tensor([step]))
        implied = (noisy - (1 - keep).sqrt() * predicted) / keep.sqrt()
        of_noise, of_chain = (
            error.square().mean().sqrt() for error in (predicted - noise, implied - clean)
        )
        excess = (implied.clamp(-1, 1) - clean).mean()
        print(f"| {step} | {of_noise:.2f} | {of_chain:.2f} | {excess:+.2f} |")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
