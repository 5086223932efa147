"""What a model needs and how far it looks, measured for its card."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from hsi_xr.camera.srgb import srgb_decode
from hsi_xr.checkpoints import registry
from hsi_xr.checkpoints.card import WHOLE_TILE
from hsi_xr.diffusion.noise import NoiseField
from hsi_xr.networks.chromaticity import chromaticity_histogram
from hsi_xr.reconstructors._base import (
    Noise,
    ProbabilisticReconstructor,
    Reconstructor,
    SceneWindows,
)

TOLERANCE = 1e-5
"""Reflectance by which a tile's answer may differ from the whole scene's."""

HALOS = (0, 8, 16, 24, 32, 40, 48, 64, 80, 96)

CONTEXT_HALO = 32
"""Halo of systems that no halo makes exact: tiles see about their blended edges."""

CORE = 64
"""Side of the tile that is compared, in the middle of the picture."""

_STATUS = Path("/proc/self/status")


class Probe:
    """A model, and the ground's noise for its bands.

    Args:
        model: On the CPU, in evaluation.
        card: Of which `config["bands"]`, `stride` and `reach` are read.
    """

    def __init__(self, model: Reconstructor, card: Mapping[str, Any]) -> None:
        self.model = model
        self.bands, self.stride = int(card["config"]["bands"]), int(card["stride"])
        self.about = {key: card["reach"].get(key) for key in ("survey", "context")}
        self.halos = (CONTEXT_HALO,) if self.about["context"] == WHOLE_TILE else HALOS

    def noise(self, top: int, left: int, rows: int, columns: int) -> Noise:
        r, c = torch.arange(top, top + rows)[None], torch.arange(left, left + columns)[None]
        return lambda step: NoiseField(0).read(r, c, channels=self.bands, step=step)

    def errors(self, rgb: Tensor) -> dict[int, tuple[float, float]]:
        """Halo -> mean and largest change of a tile's answer, against the picture in one piece.

        Up to the first halo that keeps within the tolerance. Views start on the model's stride, so
        that of some halos only those are tried that are multiples of it.

        Args:
            rgb: (1, 3, side, side) linear, with 96 px and more around the tile in its middle.
        """
        side = rgb.shape[-1]
        start = (side - CORE) // 2 // self.stride * self.stride
        core = slice(start, start + CORE)
        with torch.inference_mode():
            scene = SceneWindows.entire(rgb, chromaticity_histogram(rgb))
            whole, facts = self.model.whole(scene, self.noise(0, 0, side, side))
            found = {}
            for halo in self.halos:
                first = (start - halo) // self.stride * self.stride
                count = 2 * (start - first) + CORE
                near = slice(first, first + count)
                part = self.model(
                    rgb[..., near, near],
                    self.noise(first, first, count, count),
                    facts,
                    stochastic=False,
                )
                own = slice(start - first, start - first + CORE)
                change = (part[..., own, own] - whole[..., core, core]).abs()
                found[start - first] = (float(change.mean()), float(change.max()))
                if found[start - first][1] <= TOLERANCE:
                    break
        return found

    def reach(self, pictures: Mapping[str, Tensor]) -> dict[str, Any]:
        """What a card says of the surroundings that an answer depends on.

        Where the largest halo does not keep within the tolerance, it is stated what it keeps.
        """
        errors = {name: self.errors(rgb) for name, rgb in pictures.items()}
        about: dict[str, Any] = {"survey": self.about["survey"], "context": self.about["context"]}
        if self.about["context"] == WHOLE_TILE:
            about["halo"] = CONTEXT_HALO
            about["tile_sensitivity"] = {
                name: {"tile": CORE, "mean": mean, "max": most}
                for name, of in errors.items()
                for mean, most in of.values()
            }
            return about
        largest = {name: {h: e[1] for h, e in of.items()} for name, of in errors.items()}
        halo = max(max(of) for of in largest.values())
        kept = max(TOLERANCE, *(of[max(of)] for of in largest.values()))
        return {**about, "halo": halo, "tolerance": kept, "max_error_by_halo": largest}

    def cost(self, side: int = 64) -> float:
        """Multiply-accumulates per pixel of a whole reconstruction, in units of 10^9.

        Counted where gradients are asked for: there networks run as published, and not by
        products of polynomials that need fewer.
        """
        rgb = torch.rand(1, 3, side, side)
        with torch.enable_grad(), FlopCounterMode(display=False) as counter:
            self.model.whole(
                SceneWindows.entire(rgb, chromaticity_histogram(rgb)), self.noise(0, 0, side, side)
            )
        return counter.get_total_flops() / 2e9 / side**2


def reaches(
    chain: Callable[[int], Reconstructor], card: Mapping[str, Any], pictures: Mapping[str, Tensor]
) -> dict[str, Any]:
    """What a card says of its surroundings where it offers several steps; the halo of each.

    Args:
        chain: The model in so many steps.
        card: With `steps` and `step_choices`.
        pictures: See `Probe.errors`.
    """
    found = {steps: Probe(chain(steps), card).reach(pictures) for steps in card["step_choices"]}
    halos = {str(steps): each["halo"] for steps, each in found.items()}
    kept = max(each["tolerance"] for each in found.values())
    return {**found[card["steps"]], "tolerance": kept, "halo_by_steps": halos}


def measured(model: Reconstructor, card: Mapping[str, Any]) -> dict[str, Any]:
    """What the card of a model with weights says of its halo, cost and memory."""
    probe = Probe(model, card)
    return {
        "reach": probe.reach({"random patches": random_patches()}),
        "gmac_per_pixel": probe.cost(),
        "memory_bytes_per_pixel": memory(card),
    }


def random_patches(side: int = 320) -> Tensor:
    """Squares of any colour with grain, (1, 3, side, side): harder on a network than any ground."""
    rng = torch.Generator().manual_seed(0)
    colours = 0.1 + 0.7 * torch.rand(1, 3, side // 23, side // 23, generator=rng)
    grain = 1 + 0.08 * torch.randn(1, 1, side, side, generator=rng)
    return srgb_decode((functional.interpolate(colours, (side, side)) * grain).clamp(0, 1))


def memory(card: Mapping[str, Any], side: int = 512) -> int:
    """Peak bytes per pixel of a tile in the network, in a process of its own.

    Where the system does not tell peaks (not Linux), what the card says already.
    """
    if not _STATUS.exists():
        return int(card["memory_bytes_per_pixel"])
    code = "import json, sys\nfrom hsi_xr.checkpoints import measure\n"
    code += f"print(measure.peak(json.loads(sys.argv[1]), {side}))"
    about = json.dumps({key: card[key] for key in ("reconstructor", "config", "stride", "reach")})
    return int(subprocess.check_output([sys.executable, "-c", code, about], text=True))


def peak(card: Mapping[str, Any], side: int) -> int:
    """See `memory`, which runs this in a process that has done nothing else."""
    # of a chain two steps: the third needs no more memory than the second
    config = card["config"]
    short = {key: min(2, config[key]) for key in ("steps", "trained_steps") if key in config}
    model = registry.load(card["reconstructor"]).build({**config, **short}).eval()
    probe = Probe(model, card)

    def run(side: int) -> int:
        rgb = torch.rand(1, 3, side, side).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            small = rgb[..., :64, :64]
            scene = SceneWindows.entire(small, chromaticity_histogram(small))
            _, facts = probe.model.whole(scene, probe.noise(0, 0, 64, 64))
            noise = probe.noise(0, 0, side, side)
            if isinstance(model, ProbabilisticReconstructor):
                model.estimate(rgb, noise, facts)
            else:
                model(rgb, noise, facts, stochastic=False)
        # not getrusage: what it tells begins at the peak of the parent
        status = _STATUS.read_text().split()
        return 1024 * int(status[status.index("VmHWM:") + 1])

    before = run(64)
    return (run(side) - before) // side**2
