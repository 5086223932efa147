"""Measures what a model needs, for its card: the halo of a tile, cost and memory."""

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
from hsi_xr.reconstructors._base import ProbabilisticReconstructor, Reconstructor
from hsi_xr.reconstructors._whole_image import ground_noise, single_window

TOLERANCE = 1e-5
"""Reflectance by which a tile may differ from the whole scene."""

HALOS = (0, 8, 16, 24, 32, 40, 48, 64, 80, 96)

CONTEXT_HALO = 32
"""Halo of systems whose output depends on the whole tile, so that no halo makes tiles exact."""

CORE = 64
"""Side of the tile that is compared, in the middle of an image."""

_STATUS = Path("/proc/self/status")


class Probe:
    """Measures a model.

    Args:
        model: A model on the CPU, in evaluation mode.
        card: Its card, of which `config["bands"]`, `stride` and `reach` are read.
    """

    def __init__(self, model: Reconstructor, card: Mapping[str, Any]) -> None:
        self.model = model
        self.bands, self.stride = int(card["config"]["bands"]), int(card["stride"])
        self.scope = {key: card["reach"].get(key) for key in ("survey", "context")}

    def reach(self, images: Mapping[str, Tensor]) -> dict[str, Any]:
        """Measures the surroundings that an output pixel depends on, as a card states them.

        If even the largest halo exceeds the tolerance, the remaining error becomes the tolerance.

        Args:
            images: See `errors`, by name.
        """
        if self.scope["context"] == WHOLE_TILE:
            errors = {name: self.errors(rgb, (CONTEXT_HALO,)) for name, rgb in images.items()}
            sensitivity = {
                name: {"tile": CORE, "mean": mean, "max": largest}
                for name, by_halo in errors.items()
                for mean, largest in by_halo.values()
            }
            return {**self.scope, "halo": CONTEXT_HALO, "tile_sensitivity": sensitivity}
        errors = {name: self.errors(rgb, HALOS) for name, rgb in images.items()}
        largest = {name: {h: e[1] for h, e in of.items()} for name, of in errors.items()}
        halo = max(max(of) for of in largest.values())
        tolerance = max(TOLERANCE, *(of[max(of)] for of in largest.values()))
        return {
            **self.scope,
            "halo": halo,
            "tolerance": tolerance,
            "max_error_by_halo": largest,
        }

    @torch.inference_mode()
    def errors(self, rgb: Tensor, halos: tuple[int, ...]) -> dict[int, tuple[float, float]]:
        """Compares a tile with the image in one piece.

        Tiles start at multiples of the model's stride, so halos are rounded up to them. Larger
        halos than the first within the tolerance are not tried.

        Args:
            rgb: (1, 3, side, side) linear RGB, with at least 96 px around the tile in the middle.
            halos: The halos to try, px.

        Returns:
            Mean and largest absolute error, by halo.
        """
        side = rgb.shape[-1]
        start = (side - CORE) // 2 // self.stride * self.stride
        core = slice(start, start + CORE)
        noise = ground_noise(rgb, bands=self.bands)
        whole, statistics = self.model.whole(single_window(rgb), noise)
        errors = {}
        for halo in halos:
            first = (start - halo) // self.stride * self.stride
            count = 2 * (start - first) + CORE
            view = rgb[..., first : first + count, first : first + count]
            noise = ground_noise(view, bands=self.bands, top=first, left=first)
            tile = self.model(view, noise, statistics, stochastic=False)
            own = slice(start - first, start - first + CORE)
            change = (tile[..., own, own] - whole[..., core, core]).abs()
            errors[start - first] = (float(change.mean()), float(change.max()))
            if errors[start - first][1] <= TOLERANCE:
                break
        return errors

    def gmac_per_pixel(self, side: int = 64) -> float:
        """Counts the multiply-accumulates of a whole reconstruction, in units of 10^9 per pixel.

        Gradients are enabled, so that networks run as published; without gradients, some use faster
        convolutions.
        """
        rgb = torch.rand(1, 3, side, side)
        noise = ground_noise(rgb, bands=self.bands)
        with torch.enable_grad(), FlopCounterMode(display=False) as counter:
            self.model.whole(single_window(rgb), noise)
        return counter.get_total_flops() / 2e9 / side**2


def reach_by_steps(
    chain: Callable[[int], Reconstructor], card: Mapping[str, Any], images: Mapping[str, Tensor]
) -> dict[str, Any]:
    """Measures the reach of a model that can run in several numbers of steps.

    Args:
        chain: Returns the model with a number of steps.
        card: The card, with `steps` and `step_choices`.
        images: See `Probe.reach`.

    Returns:
        The reach in the card's number of steps, with the halo of each.
    """
    reach = {steps: Probe(chain(steps), card).reach(images) for steps in card["step_choices"]}
    halos = {str(steps): each["halo"] for steps, each in reach.items()}
    tolerance = max(each["tolerance"] for each in reach.values())
    return {**reach[card["steps"]], "tolerance": tolerance, "halo_by_steps": halos}


def measure_model(model: Reconstructor, card: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the entries of a card that are measured: reach, cost and memory."""
    probe = Probe(model, card)
    return {
        "reach": probe.reach({"random patches": random_patches()}),
        "gmac_per_pixel": probe.gmac_per_pixel(),
        "memory_bytes_per_pixel": memory_bytes_per_pixel(card),
    }


def random_patches(side: int = 320) -> Tensor:
    """Returns squares of random colours with grain, which are harder than any real image.

    Args:
        side: Rows and columns of the image.

    Returns:
        (1, 3, side, side) linear RGB; always the same.
    """
    rng = torch.Generator().manual_seed(0)
    colours = 0.1 + 0.7 * torch.rand(1, 3, side // 23, side // 23, generator=rng)
    grain = 1 + 0.08 * torch.randn(1, 1, side, side, generator=rng)
    return srgb_decode((functional.interpolate(colours, (side, side)) * grain).clamp(0, 1))


def memory_bytes_per_pixel(card: Mapping[str, Any], side: int = 512) -> int:
    """Measures the peak memory of a tile per pixel, in a process of its own.

    On systems that do not report peaks (other than Linux), returns the card's value.
    """
    if not _STATUS.exists():
        return int(card["memory_bytes_per_pixel"])
    code = "import json, sys\nfrom hsi_xr.checkpoints import measure\n"
    code += f"print(measure.peak(json.loads(sys.argv[1]), {side}))"
    keys = ("reconstructor", "config", "stride", "reach")
    argument = json.dumps({key: card[key] for key in keys})
    return int(subprocess.check_output([sys.executable, "-c", code, argument], text=True))


def peak(card: Mapping[str, Any], side: int) -> int:
    """Measures memory in this process, which must be new; see `memory_bytes_per_pixel`."""
    # two steps of a chain suffice: the third needs no more memory than the second
    config = card["config"]
    short = {key: min(2, config[key]) for key in ("steps", "trained_steps") if key in config}
    model = registry.load(card["reconstructor"]).build({**config, **short}).eval()
    before = _peak_of_tile(model, config["bands"], 64)
    return (_peak_of_tile(model, config["bands"], side) - before) // side**2


@torch.inference_mode()
def _peak_of_tile(model: Reconstructor, bands: int, side: int) -> int:
    """Runs a tile of a surveyed scene, and returns the peak memory of this process in bytes."""
    rgb = torch.rand(1, 3, side, side).contiguous(memory_format=torch.channels_last)
    small = rgb[..., :64, :64]
    _, statistics = model.whole(single_window(small), ground_noise(small, bands=bands))
    noise = ground_noise(rgb, bands=bands)
    if isinstance(model, ProbabilisticReconstructor):
        model.estimate(rgb, noise, statistics)
    else:
        model(rgb, noise, statistics, stochastic=False)
    # not getrusage: its peak starts at that of the parent process
    status = _STATUS.read_text().split()
    return 1024 * int(status[status.index("VmHWM:") + 1])
