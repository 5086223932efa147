"""Calibrates what a model says of its doubt, so that stated intervals hold what they say."""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from examples.default_model.batches import OWN, Source
from examples.default_model.score import DARK, NINETY, reconstruct
from examples.default_model.simulate import Shot, linear
from hsi_xr.networks.chromaticity import chromaticity_histogram
from hsi_xr.reconstructors._base import SceneStatistics, SceneWindows
from hsi_xr.reconstructors.guided_posterior import GuidedPosterior
from hsi_xr.reconstructors.r2h_diff import FLOOR

SIDE, BATCHES = 40, 24


def temper(model: GuidedPosterior, source: Source, rng: Generator) -> None:
    """Scales deviations so that 1.645 of them hold 90 % of each band of simulated ground.

    Separately where the camera is known, where it is not, and for pictures, whose level is then
    taken as known: how unsure that is the model says apart.
    """
    model.uncertainty_scales.data.fill_(1)
    for kind, shots in enumerate(_shots(source, rng)):
        far = torch.cat([_misses(model, *each) for each in shots], dim=1)
        model.uncertainty_scales.data[kind] = far.quantile(0.9, dim=1)


def _misses(model: GuidedPosterior, shot: Shot, cube: Tensor) -> Tensor:
    """Errors of bright pixels over what should hold 90 % of them; (bands, pixels).

    Neither counts what the model says of the level apart.
    """
    found, doubt = reconstruct(model, shot), surveyed(model, shot)["level_std"]
    level = 1.0 if shot.level_known else cube.mean() / found.cube.mean()
    error = (level * found.cube[0] - cube).abs() / (level * (found.cube[0] + FLOOR)) / NINETY
    if shot.level_known:
        error = (error.square() - doubt**2).clamp(min=0).sqrt()
    own = ((found.std[0] / (found.cube[0] + FLOOR)).square() - doubt**2).clamp(min=1e-12)
    bright = (cube.mean(0) >= DARK).flatten()
    return (error / own.sqrt()).flatten(1)[:, bright]


def _shots(source: Source, rng: Generator) -> Iterator[list[tuple[Shot, Tensor]]]:
    cubes: list[Tensor] = []
    for _ in range(BATCHES):
        cubes += list(source.draw(rng, size=SIDE).cube[OWN:])
    for told in (True, False):
        yield [
            (linear(cube, source.studio.any_camera(rng), rng, told=told), cube) for cube in cubes
        ]
    yield [
        (Shot(source.studio.develop(cube, source.studio.any_camera(rng), rng), None, False), cube)
        for cube in cubes
    ]


def surveyed(model: GuidedPosterior, shot: Shot) -> SceneStatistics:
    """What the model takes a picture for, but for attention."""
    rgb = shot.rgb[None]
    seen = None if shot.level_known else chromaticity_histogram(rgb)
    return model.survey(SceneWindows.entire(rgb, seen, response=shot.camera))
