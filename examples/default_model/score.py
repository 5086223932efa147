"""Scores a model on plots, sites, sensors and cameras that it never saw."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from examples.default_model import sources
from examples.default_model.batches import as_tensor
from examples.default_model.simulate import Shot, colour_matrix, display
from examples.default_model.train import BANDS, HELD_OUT_CAMERAS, held_out
from hsi_xr.band_grid import Bands
from hsi_xr.camera.srgb import srgb_decode, srgb_encode
from hsi_xr.evaluation.metrics import Tally, mrae
from hsi_xr.reconstructors._base import Estimate
from hsi_xr.reconstructors._whole_image import ground_noise, single_window
from hsi_xr.reconstructors.guided_posterior import GuidedPosterior

DARK = 0.02
"""Mean reflectance under which relative errors are noise, and pixels are not scored."""

NINETY = 1.645
"""Deviations on either side that hold 90 % of a normal distribution."""


@dataclass(frozen=True)
class Case:
    """Pictures of one held-out set, with the truth at their pixels or at k times coarser ones."""

    name: str
    pairs: list[tuple[Shot, Tensor]]
    """Pictures, and (bands, rows, columns) reflectance."""


def cases(folder: Path, bands: Bands = BANDS) -> list[Case]:
    """The held-out sets, as four unseen cameras would have delivered them, and real pictures."""
    plots = sources.paired_plots(folder, bands)
    sets = {
        "held-out plots MLBS": [p for p in plots if held_out(p.name) and p.name[0] == "M"],
        "held-out plots OSBS": [p for p in plots if held_out(p.name) and p.name[0] == "O"],
        "unseen site HARV": [sources.harvard_forest(folder, bands)],
    }
    cubes = {name: [as_tensor(p.cube) for p in found] for name, found in sets.items()}
    cubes["unseen sensor AVIRIS"] = [as_tensor(sources.suburb(folder, bands))]
    curves = sources.cameras(folder, bands)
    cameras = [as_tensor(curves[name]) for name in HELD_OUT_CAMERAS]
    cameras = [camera / camera.sum(1, keepdim=True) for camera in cameras]
    wanted = display(as_tensor(sources.standard_observer(folder, bands)))
    library = [as_tensor(each[::50]) for each in sources.library(folder, bands).values()]
    matrices = [colour_matrix(camera, wanted, torch.cat(library)) for camera in cameras]
    ways: dict[str, Callable[[Tensor, int], Shot]] = {
        "simulated linear, camera known": lambda cube, n: Shot(
            _project(cameras[n], cube), cameras[n], level_known=True
        ),
        "simulated linear, unseen camera unknown": lambda cube, n: Shot(
            _project(cameras[n], cube), None, level_known=True
        ),
        "simulated 8-bit, unseen camera unknown": lambda cube, n: Shot(
            _eight_bit(_project(cameras[n], cube)), None, level_known=False
        ),
        "simulated 8-bit, unseen camera unknown, colours and exposure for display": (
            lambda cube, n: Shot(
                _eight_bit(
                    _exposed(_project(0.8 * matrices[n] @ cameras[n] + 0.2 * cameras[n], cube))
                ),
                None,
                level_known=False,
            )
        ),
    }
    made = []
    for name, found in cubes.items():
        for way, take in ways.items():
            pairs = [(take(cube, n), cube) for cube in found for n in range(len(cameras))]
            made.append(Case(f"{name}, {way}", pairs))
        if name in sets:
            real = [
                (Shot(srgb_decode(as_tensor(p.rgb)), None, level_known=False), as_tensor(p.cube))
                for p in sets[name]
            ]
            made.append(Case(f"{name}, real RGB", real))
    return made


@torch.inference_mode()
def reconstruct(model: GuidedPosterior, shot: Shot) -> Estimate:
    """The whole image at once; one image."""
    rows, columns = shot.rgb.shape[-2:]
    window = single_window(
        shot.rgb[None],
        stride=model.stride,
        level_known=shot.level_known,
        response=shot.camera,
    )
    noise = ground_noise(window.rgb, bands=model.config.bands)
    _, statistics = model.whole(window, noise)
    found = model.estimate(window.rgb, noise, statistics)
    return Estimate(*(each[..., :rows, :columns] for each in vars(found).values()))


def score(estimate: Estimate, truth: Tensor) -> dict[str, float]:
    """Scores of one image over its bright pixels; the truth may be k times coarser.

    MRAE, the same after the best single brightness, SAM in degrees, PSNR in dB, share of values
    within 1.645 deviations.
    """
    k = estimate.cube.shape[-1] // truth.shape[-1]
    # neighbours err alike: a mean's deviation is taken for the mean of deviations
    cube, deviation = (F.avg_pool2d(each, k)[0] for each in (estimate.cube, estimate.std))
    dark = truth.mean(0, keepdim=True) < DARK
    found, right = cube.double().numpy(), truth.masked_fill(dark, torch.nan).numpy()
    ratio = found / right
    level = np.nansum(ratio) / np.nansum(ratio**2)
    tally = Tally.of(found, right)
    within = (cube - truth).abs() <= NINETY * deviation
    return {
        "mrae": tally.mrae,
        "mrae_levelled": mrae(level * found, right),
        "sam_deg": tally.sam,
        "psnr": tally.psnr,
        "coverage_90": float(within[(~dark).expand_as(within)].float().mean()),
    }


def table(of: list[Case], take: Callable[[Shot], Estimate]) -> dict[str, dict[str, float]]:
    """Mean scores of every case."""
    found = {}
    for case in of:
        rows = [score(take(shot), truth) for shot, truth in case.pairs]
        found[case.name] = {key: sum(r[key] for r in rows) / len(rows) for key in rows[0]}
    return found


def by_band(case: Case, take: Callable[[Shot], Estimate]) -> dict[str, list[float]]:
    """Mean relative error of each band, and mean relative deviation that the model tells."""
    errors, told = [], []
    for shot, truth in case.pairs:
        found = take(shot)
        bright = truth.mean(0) >= DARK
        right = truth[:, bright].clamp(min=1e-4)
        errors.append(((found.cube[0][:, bright] - right).abs() / right).mean(1))
        told.append((found.std[0][:, bright] / right).mean(1))
    return {
        name: [round(float(x), 4) for x in torch.stack(each).mean(0)]
        for name, each in (("relative_error", errors), ("relative_deviation", told))
    }


def _project(camera: Tensor, cube: Tensor) -> Tensor:
    return torch.einsum("cb,bhw->chw", camera, cube).clamp(min=0)


def _exposed(rgb: Tensor) -> Tensor:
    """To a mean of 0.2, as an automatic exposure would."""
    return rgb * 0.2 / rgb.mean()


def _eight_bit(rgb: Tensor) -> Tensor:
    """Coded as 8-bit sRGB and read back."""
    return srgb_decode((srgb_encode(rgb.clamp(0, 1)) * 255).round() / 255)
