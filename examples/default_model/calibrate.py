"""Calibrates the uncertainty of the default model, so that stated intervals have their coverage."""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from examples.default_model.batches import REAL, TrainingData
from examples.default_model.score import DARK, NINETY, reconstruct
from examples.default_model.simulate_images import RGBImage, record_linear
from hsi_xr.networks.chromaticity import chromaticity_histogram
from hsi_xr.reconstructors._base import SceneStatistics, SceneWindows
from hsi_xr.reconstructors.guided_posterior import GuidedPosterior

SIDE, BATCHES = 40, 24


def calibrate_uncertainty(model: GuidedPosterior, data: TrainingData, rng: Generator) -> None:
    """Scale standard deviations so that 1.645 of them cover 90 % of each band of simulated ground.

    There is a scale for images whose camera is known, one for those whose camera is not, and one
    for images for display; `calibrate_sensors` finds that of more than three channels. Standard
    deviations hold for a given level, so the last one is found after the level of each image has
    been adjusted.
    """
    model.uncertainty_scales.data.fill_(1)
    for kind, pairs in enumerate(_simulate(data, rng)):
        ratios = torch.cat([error_ratios(model, *pair) for pair in pairs], dim=1)
        model.uncertainty_scales.data[kind] = ratios.quantile(0.9, dim=1)


def error_ratios(model: GuidedPosterior, image: RGBImage, cube: Tensor) -> Tensor:
    """Returns errors of bright pixels over 90 % intervals, level aside, (bands, pixels)."""
    estimate = reconstruct(model, image)
    level = 1.0 if image.level_known else cube.mean() / estimate.cube.mean()
    error = (level * estimate.cube[0] - cube).abs() / (level * estimate.std[0]) / NINETY
    return error.flatten(1)[:, (cube.mean(0) >= DARK).flatten()]


def _simulate(data: TrainingData, rng: Generator) -> Iterator[list[tuple[RGBImage, Tensor]]]:
    """Images with their cubes: of known cameras, of unknown ones, and for display."""
    cubes: list[Tensor] = []
    for _ in range(BATCHES):
        cubes += list(data.draw(rng, side=SIDE).cube[REAL:])
    simulator = data.simulator
    for known in (True, False):
        yield [
            (record_linear(cube, simulator.random_camera(rng), rng, camera_known=known), cube)
            for cube in cubes
        ]
    yield [
        (RGBImage(simulator.render(cube, simulator.random_camera(rng), rng), None, False), cube)
        for cube in cubes
    ]


def survey(model: GuidedPosterior, image: RGBImage) -> SceneStatistics:
    """Returns the statistics of an image as a scene of its own, except those of attention."""
    rgb = image.rgb[None]
    histogram = None if image.level_known else chromaticity_histogram(rgb)
    return model.survey(SceneWindows.entire(rgb, histogram, response=image.response))
