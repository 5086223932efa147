"""Prints how well the level of images for display is estimated:
`python -m examples.default_model.level_table DATA [MODEL]`.

Images are those of four cameras not used in training, as bright as the ground is, and exposed to
several brightnesses; and real ones. An error is the logarithm of the estimated over the true level
of the cube, 0.7 being a factor of two.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from examples.default_model import research_cubes, sources
from examples.default_model.calibrate import survey
from examples.default_model.score import DARK, eight_bit, held_out_plots, held_out_responses
from examples.default_model.simulate_images import RGBImage
from examples.default_model.training_data import BANDS, as_tensor
from hsi_xr.camera.srgb import srgb_decode
from hsi_xr.checkpoints import registry
from hsi_xr.checkpoints.weights import load_model
from hsi_xr.demo.render import render
from hsi_xr.reconstructors.guided_posterior import GuidedPosterior

EXPOSURES = (None, 0.1, 0.15, 0.22, 0.35)
"""Mean linear brightness that images are exposed to; None leaves them as bright as the ground."""

HEAD = f"{'set':<14}{'images':>7}{'median':>8}{'9 of 10':>9}{'largest':>9}{'bias':>8}{'in 90 %':>9}"


def cubes_by_set(folder: Path) -> dict[str, list[Tensor]]:
    """Returns the cubes of held-out ground, and of other sensors, by the name of their set."""
    plots = held_out_plots(folder, BANDS)
    sets = {name.split()[-1]: [p.cube for p in found] for name, found in plots.items()}
    sets["AVIRIS"] = [sources.suburb(folder, BANDS)]
    sets["Jasper Ridge"] = [research_cubes.jasper_ridge(folder, BANDS)]
    sets["San Diego"] = [research_cubes.san_diego(folder, BANDS)]
    sets["CAVE"] = list(research_cubes.cave(folder).values())
    sets["demo"] = [render(384, 512, seed=seed).truth for seed in (0, 1)]
    return {name: [as_tensor(cube) for cube in found] for name, found in sets.items()}


def simulated(folder: Path) -> Iterator[tuple[str, float | None, Tensor, Tensor]]:
    """Yields images of all sets: set, exposure, linear RGB as read back, and true cube."""
    responses = held_out_responses(folder, BANDS)
    for name, cubes in cubes_by_set(folder).items():
        for number, cube in enumerate(cubes):
            for turn, exposure in enumerate(EXPOSURES):
                raw, corrected = responses[(number + turn) % len(responses)]
                response = raw if exposure is None else corrected
                rgb = torch.einsum("cb,bhw->chw", response, cube).clamp(min=0)
                if exposure is not None:
                    rgb = rgb * exposure / rgb.mean()
                yield name, exposure, eight_bit(rgb), cube


def real(folder: Path) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Yields real images of held-out plots: site, linear RGB and cube."""
    for name, plots in held_out_plots(folder, BANDS).items():
        for plot in plots:
            yield name.split()[-1], srgb_decode(as_tensor(plot.rgb)), as_tensor(plot.cube)


def level_error(model: GuidedPosterior, rgb: Tensor, cube: Tensor) -> tuple[float, bool]:
    """Returns the log ratio of estimated to true level, and true if the interval contains it."""
    statistics = survey(model, RGBImage(rgb, None, level_known=False))
    clear = (rgb - statistics["haze"][0][:, None, None]).clamp(min=0)
    if clear.shape[1:] == cube.shape[1:]:  # relative errors of dark pixels are noise
        bright = cube.mean(0) >= DARK
        clear, cube = clear[:, bright], cube[:, bright]
    response = statistics["response"].mean(0)
    true = (clear.mean() / (response @ cube.flatten(1)).mean()).log()
    low, high = statistics["level_interval"][0].log()
    return float(true - statistics["gain"].log().mean()), bool(low <= true <= high)


def row(name: str, errors: list[tuple[float, bool]]) -> str:
    """Returns a line of the table."""
    error, within = (np.array(each, dtype=float) for each in zip(*errors))
    size = abs(error)
    return (
        f"{name:<14}{len(error):>7}{np.median(size):>8.2f}{np.quantile(size, 0.9):>9.2f}"
        f"{size.max():>9.2f}{error.mean():>+8.2f}{within.mean():>9.0%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", nargs="?", default="default")
    options = parser.parse_args()
    model = load_model(registry.find(options.model))
    if not isinstance(model, GuidedPosterior):
        parser.error(f"{options.model} does not estimate levels")
    by_set: dict[str, list[tuple[float, bool]]] = {}
    by_exposure: dict[str, list[tuple[float, bool]]] = {}
    with torch.inference_mode():
        for name, exposure, rgb, cube in simulated(options.data):
            error = level_error(model, rgb, cube)
            by_set.setdefault(name, []).append(error)
            title = "as the ground" if exposure is None else f"mean {exposure:.2f}"
            by_exposure.setdefault(title, []).append(error)
        for name, rgb, cube in real(options.data):
            by_set.setdefault(f"{name}, real", []).append(level_error(model, rgb, cube))
    print(HEAD)
    for name, errors in {**by_set, **by_exposure}.items():
        print(row(name, errors))
    print(row("all", [error for errors in by_set.values() for error in errors]))


if __name__ == "__main__":
    main()
