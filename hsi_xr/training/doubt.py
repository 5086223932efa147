"""Calibrates what a model says of its doubt, so that stated intervals hold what they say."""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from hsi_xr.reconstructors._base import Estimate
from hsi_xr.reconstructors.guided_posterior import GuidedPosterior
from hsi_xr.training.batches import OWN, Source
from hsi_xr.training.score import DARK, NINETY, reconstruct
from hsi_xr.training.simulate import Shot, linear

SIDE, BATCHES = 40, 24


def temper(model: GuidedPosterior, source: Source, rng: Generator) -> None:
    """Scales deviations so that 1.645 of them hold 90 % of each band of simulated ground.

    Separately where the camera is known, where it is not, and for pictures, whose level is then
    taken as known: how unsure that is the model says apart.
    """
    model.tempers.data.fill_(1)
    for kind, shots in enumerate(_shots(source, rng)):
        far = []
        for shot, cube in shots:
            found = _levelled(reconstruct(model, shot), cube, known=shot.level_known)
            bright = (cube.mean(0) >= DARK).flatten()
            off = (found.cube[0] - cube).abs() / found.deviation[0].clamp(min=1e-6)
            far.append(off.flatten(1)[:, bright])
        model.tempers.data[kind] = torch.cat(far, dim=1).quantile(0.9, dim=1) / NINETY


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


def _levelled(found: Estimate, cube: Tensor, *, known: bool) -> Estimate:
    if known:
        return found
    level = cube.mean() / found.cube.mean()
    return Estimate(level * found.cube, level * found.deviation, found.strange)
