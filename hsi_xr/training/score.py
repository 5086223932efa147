"""Scores a checkpoint on plots, sites, sensors and cameras that it never saw."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hsi_xr.diffusion.noise import NoiseField
from hsi_xr.evaluation.metrics import Tally, mrae
from hsi_xr.physics import Camera, srgb_decode, srgb_encode
from hsi_xr.reconstructors._scene_gain import colour_means
from hsi_xr.reconstructors.r2h_diff import R2HDiffReconstructor
from hsi_xr.training import sources
from hsi_xr.training.batches import as_tensor
from hsi_xr.training.default import BANDS, HELD_OUT_CAMERAS, held_out

DARK = 0.02
"""Mean reflectance under which relative errors are noise, and pixels are not scored."""


@dataclass(frozen=True)
class Case:
    """Pictures of one held-out set, with the truth at their pixels or at k times coarser ones."""

    name: str
    pairs: list[tuple[Tensor, Tensor]]
    known_gain: bool


def cases(folder: Path) -> list[Case]:
    plots = sources.paired_plots(folder, BANDS)
    harvard = sources.harvard_forest(folder, BANDS)
    curves = sources.cameras(folder, BANDS)
    sets = {
        "held-out plots MLBS": [p for p in plots if held_out(p.name) and p.name[0] == "M"],
        "held-out plots OSBS": [p for p in plots if held_out(p.name) and p.name[0] == "O"],
        "unseen site HARV": [harvard],
    }
    cubes = {name: [as_tensor(p.cube)[None] for p in found] for name, found in sets.items()}
    cubes["unseen sensor AVIRIS"] = [as_tensor(sources.suburb(folder, BANDS))[None]]
    cameras = [Camera(as_tensor(curves[name])) for name in HELD_OUT_CAMERAS]
    made = []
    for name, found in cubes.items():
        linear = [(cameras[0].project(cube), cube) for cube in found]
        made.append(Case(f"{name}, simulated linear, level known", linear, True))
        coded = [(_eight_bit(camera.project(cube)), cube) for cube in found for camera in cameras]
        made.append(Case(f"{name}, simulated 8-bit, unseen cameras", coded, False))
        if name in sets:
            real = [
                (srgb_decode(as_tensor(p.rgb))[None], as_tensor(p.cube)[None]) for p in sets[name]
            ]
            made.append(Case(f"{name}, real RGB", real, False))
    return made


@torch.inference_mode()
def reconstruct(
    model: R2HDiffReconstructor, rgb: Tensor, *, known_gain: bool, base_only: bool = False
) -> Tensor:
    """The whole image at once, (1, 3, h, w) -> (1, bands, h, w)."""
    rows, columns = rgb.shape[-2:]
    means = None if known_gain else colour_means(rgb)
    if base_only:
        gain = rgb.new_ones(1, 3) if means is None else model.gain(means)
        return model.classical(rgb / gain[..., None, None])
    rgb = F.pad(rgb, (0, -columns % model.stride, 0, -rows % model.stride), mode="reflect")
    r, c = (torch.arange(n)[None] for n in rgb.shape[-2:])
    cube, _ = model.whole(
        rgb,
        torch.ones_like(rgb[:, :1]),
        lambda t: NoiseField(0).read(r, c, channels=len(BANDS), step=t),
        means=means,
    )
    return cube[..., :rows, :columns]


def score(estimate: Tensor, truth: Tensor) -> dict[str, float]:
    """Scores of (1, bands, h, w) over the bright pixels; the truth may be k times coarser.

    MRAE, the same after the best single brightness, SAM in degrees, PSNR in dB.
    """
    k = estimate.shape[-1] // truth.shape[-1]
    estimate = F.avg_pool2d(estimate, k) if k > 1 else estimate
    dark = truth.mean(1, keepdim=True) < DARK
    found, right = estimate[0].double().numpy(), truth.masked_fill(dark, torch.nan)[0].numpy()
    ratio = found / right
    level = np.nansum(ratio) / np.nansum(ratio**2)
    tally = Tally.of(found, right)
    return {
        "mrae": tally.mrae,
        "mrae_levelled": mrae(level * found, right),
        "sam_deg": tally.sam,
        "psnr": tally.psnr,
    }


def table(
    model: R2HDiffReconstructor, folder: Path, *, base_only: bool
) -> dict[str, dict[str, float]]:
    """Mean scores of every case."""
    found = {}
    for case in cases(folder):
        rows = [
            score(reconstruct(model, rgb, known_gain=case.known_gain, base_only=base_only), truth)
            for rgb, truth in case.pairs
        ]
        found[case.name] = {key: sum(r[key] for r in rows) / len(rows) for key in rows[0]}
    return found


def _eight_bit(rgb: Tensor) -> Tensor:
    """Exposed to a mean of 0.2 (an automatic exposure), coded as 8-bit sRGB and read back."""
    exposed = (rgb * max(1.0, 0.2 / rgb.mean().item())).clamp(0, 1)
    return srgb_decode((srgb_encode(exposed) * 255).round() / 255)
