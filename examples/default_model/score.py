"""Scores a model on plots, sites, sensors and cameras that it was not trained on."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from examples.default_model import sources
from examples.default_model.simulate_images import RGBImage, colour_matrix, display_response
from examples.default_model.sources import Plot
from examples.default_model.training_data import (
    BANDS,
    HELD_OUT_CAMERAS,
    as_tensor,
    is_held_out,
)
from hsi_xr.band_grid import Bands
from hsi_xr.camera.srgb import srgb_decode, srgb_encode
from hsi_xr.evaluation.metrics import Tally, mrae
from hsi_xr.reconstructors._base import Estimate
from hsi_xr.reconstructors._whole_image import ground_noise, single_window
from hsi_xr.reconstructors.guided_posterior import GuidedPosterior

DARK = 0.02
"""Mean reflectance below which relative errors are noise, so that pixels are not scored."""

NINETY = 1.645
"""Standard deviations on either side that cover 90 % of a normal distribution."""

Reconstruct = Callable[[RGBImage], Estimate]
"""Reconstructs an image as a scene of its own."""


@dataclass(frozen=True)
class Case:
    """Images of a held-out set.

    Attributes:
        name: Names the set and how the images were taken.
        pairs: Images, each with (bands, rows, columns) true reflectance at its pixels, or at pixels
            that are k times as large.
    """

    name: str
    pairs: list[tuple[RGBImage, Tensor]]


def cases(folder: Path, bands: Bands = BANDS) -> list[Case]:
    """Returns the held-out sets as four unseen cameras would have taken them, and real images."""
    plots = held_out_plots(folder, bands)
    cubes = {name: [as_tensor(plot.cube) for plot in found] for name, found in plots.items()}
    cubes["unseen sensor AVIRIS"] = [as_tensor(sources.suburb(folder, bands))]
    simulations = dict(_simulations(folder, bands))
    result = []
    for name, truths in cubes.items():
        for title, photograph in simulations.items():
            cameras = range(len(HELD_OUT_CAMERAS))
            pairs = [(photograph(cube, camera), cube) for cube in truths for camera in cameras]
            result.append(Case(f"{name}, {title}", pairs))
        if name in plots:
            result.append(Case(f"{name}, real RGB", [_real_pair(plot) for plot in plots[name]]))
    return result


def held_out_plots(folder: Path, bands: Bands) -> Mapping[str, list[Plot]]:
    """Returns the plots that are not trained on, by the name of their set."""
    plots = [plot for plot in sources.paired_plots(folder, bands) if is_held_out(plot.name)]
    return {
        "held-out plots MLBS": [plot for plot in plots if plot.name[0] == "M"],
        "held-out plots OSBS": [plot for plot in plots if plot.name[0] == "O"],
        "unseen site HARV": [sources.harvard_forest(folder, bands)],
    }


def _simulations(
    folder: Path, bands: Bands
) -> Iterator[tuple[str, Callable[[Tensor, int], RGBImage]]]:
    """Yields named functions that simulate an image of a cube by one of the held-out cameras."""
    responses = held_out_responses(folder, bands)
    cameras = [raw for raw, _ in responses]

    def linear(cube: Tensor, n: int) -> Tensor:
        return _project(cameras[n], cube)

    def corrected(cube: Tensor, n: int) -> Tensor:
        return _project(responses[n][1], cube)

    yield (
        "simulated linear, camera known",
        lambda cube, n: RGBImage(linear(cube, n), cameras[n], level_known=True),
    )
    yield (
        "simulated linear, unseen camera unknown",
        lambda cube, n: RGBImage(linear(cube, n), None, level_known=True),
    )
    yield (
        "simulated 8-bit, unseen camera unknown",
        lambda cube, n: RGBImage(eight_bit(linear(cube, n)), None, level_known=False),
    )
    yield (
        "simulated 8-bit, unseen camera unknown, colours and exposure for display",
        lambda cube, n: RGBImage(eight_bit(_expose(corrected(cube, n))), None, level_known=False),
    )


def held_out_responses(folder: Path, bands: Bands) -> list[tuple[Tensor, Tensor]]:
    """Returns the responses, (3, bands), of each held-out camera: raw, and colour corrected."""
    curves = sources.cameras(folder, bands)
    cameras = [as_tensor(curves[name]) for name in HELD_OUT_CAMERAS]
    cameras = [camera / camera.sum(1, keepdim=True) for camera in cameras]
    display = display_response(as_tensor(sources.standard_observer(folder, bands)))
    library = [as_tensor(each[::50]) for each in sources.library(folder, bands).values()]
    matrices = [colour_matrix(camera, display, torch.cat(library)) for camera in cameras]
    return [
        (camera, 0.8 * matrix @ camera + 0.2 * camera) for camera, matrix in zip(cameras, matrices)
    ]


def _real_pair(plot: Plot) -> tuple[RGBImage, Tensor]:
    image = RGBImage(srgb_decode(as_tensor(plot.rgb)), None, level_known=False)
    return image, as_tensor(plot.cube)


def _project(response: Tensor, cube: Tensor) -> Tensor:
    return torch.einsum("cb,bhw->chw", response, cube).clamp(min=0)


def _expose(rgb: Tensor) -> Tensor:
    """Scales an image to a mean of 0.2, as automatic exposure would."""
    return rgb * 0.2 / rgb.mean()


def eight_bit(rgb: Tensor) -> Tensor:
    """Returns an image as read back from 8-bit sRGB."""
    return srgb_decode((srgb_encode(rgb.clamp(0, 1)) * 255).round() / 255)


@torch.inference_mode()
def reconstruct(model: GuidedPosterior, image: RGBImage) -> Estimate:
    """Reconstructs an image in one piece, as a scene of its own."""
    rows, columns = image.rgb.shape[-2:]
    window = single_window(
        image.rgb[None],
        stride=model.stride,
        level_known=image.level_known,
        response=image.response,
    )
    noise = ground_noise(window.rgb, bands=model.config.bands)
    _, statistics = model.whole(window, noise)
    estimate = model.estimate(window.rgb, noise, statistics)
    found = (estimate.cube, estimate.std, estimate.novelty)
    return Estimate(*(each[..., :rows, :columns] for each in found))


def score(estimate: Estimate, truth: Tensor, *, level_known: bool) -> dict[str, float]:
    """Scores an estimate over its bright pixels.

    Args:
        estimate: Of one image.
        truth: (bands, rows, columns), at the pixels of the image, or at pixels k times as large.
        level_known: False if the standard deviations hold after the best common scaling.

    Returns:
        MRAE, MRAE after the best common scaling, SAM in degrees, PSNR in dB, and the share of
        values within 1.645 standard deviations.
    """
    k = estimate.cube.shape[-1] // truth.shape[-1]
    # errors of neighbours are alike, so the deviation of their mean is the mean of their deviations
    cube, std = (F.avg_pool2d(each, k)[0] for each in (estimate.cube, estimate.std))
    dark = truth.mean(0, keepdim=True) < DARK
    guess, reference = cube.double().numpy(), truth.masked_fill(dark, torch.nan).numpy()
    ratio = guess / reference
    level = np.nansum(ratio) / np.nansum(ratio**2)
    tally = Tally.of(guess, reference)
    scaling = 1.0 if level_known else float(level)
    within = (scaling * cube - truth).abs() <= NINETY * scaling * std
    return {
        "mrae": tally.mrae,
        "mrae_levelled": mrae(level * guess, reference),
        "sam_deg": tally.sam,
        "psnr": tally.psnr,
        "coverage_90": float(within[(~dark).expand_as(within)].float().mean()),
    }


def mean_scores(cases: list[Case], reconstruct: Reconstruct) -> dict[str, dict[str, float]]:
    """Returns the mean scores over the images of each case, by its name."""
    means = {}
    for case in cases:
        rows = [
            score(reconstruct(image), truth, level_known=image.level_known)
            for image, truth in case.pairs
        ]
        means[case.name] = {key: sum(row[key] for row in rows) / len(rows) for key in rows[0]}
    return means


def scores_by_band(case: Case, reconstruct: Reconstruct) -> dict[str, list[float]]:
    """Returns the mean relative error and mean relative standard deviation of each band."""
    errors, deviations = [], []
    for image, truth in case.pairs:
        estimate = reconstruct(image)
        bright = truth.mean(0) >= DARK
        reference = truth[:, bright].clamp(min=1e-4)
        errors.append(((estimate.cube[0][:, bright] - reference).abs() / reference).mean(1))
        deviations.append((estimate.std[0][:, bright] / reference).mean(1))
    return {
        name: [round(float(value), 4) for value in torch.stack(values).mean(0)]
        for name, values in (("relative_error", errors), ("relative_deviation", deviations))
    }
