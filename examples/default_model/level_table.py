"""Prints the errors of the estimated level of images for display:
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

EXPOSURES = {
    "as bright as the ground": None,
    "mean 0.10": 0.1,
    "mean 0.15": 0.15,
    "mean 0.22": 0.22,
    "mean 0.35": 0.35,
}
"""Mean linear brightness to which images are exposed, by title."""


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


def simulated(folder: Path) -> Iterator[tuple[str, str, Tensor, Tensor]]:
    """Yields images of all sets: set, title of exposure, linear RGB as read back, and true cube."""
    responses = held_out_responses(folder, BANDS)
    for name, cubes in cubes_by_set(folder).items():
        for number, cube in enumerate(cubes):
            for turn, (title, exposure) in enumerate(EXPOSURES.items()):
                raw, corrected = responses[(number + turn) % len(responses)]
                response = raw if exposure is None else corrected
                rgb = torch.einsum("cb,bhw->chw", response, cube).clamp(min=0)
                if exposure is not None:
                    rgb = rgb * exposure / rgb.mean()
                yield name, title, eight_bit(rgb), cube


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


def level_scores(model: GuidedPosterior, folder: Path) -> dict[str, dict[str, float]]:
    """Returns the errors of the level by set, and over all sets by exposure.

    Args:
        model: The model.
        folder: The data.

    Returns:
        Number of images; median, nine tenths quantile and largest of the absolute errors; their
        mean with its sign; and the share of images whose level is within the stated 90 % interval.
    """
    errors: dict[str, list[tuple[float, bool]]] = {}
    for name, title, rgb, cube in simulated(folder):
        error = level_error(model, rgb, cube)
        errors.setdefault(name, []).append(error)
        errors.setdefault(title, []).append(error)
    for name, rgb, cube in real(folder):
        errors.setdefault(f"{name}, real RGB", []).append(level_error(model, rgb, cube))
    sets = sorted(errors, key=lambda name: name in EXPOSURES)
    return {name: _summary(errors[name]) for name in sets}


def _summary(errors: list[tuple[float, bool]]) -> dict[str, float]:
    error, within = (np.array(each, dtype=float) for each in zip(*errors))
    size = abs(error)
    return {
        "images": len(error),
        "median": float(np.median(size)),
        "nine_in_ten": float(np.quantile(size, 0.9)),
        "largest": float(size.max()),
        "bias": float(error.mean()),
        "coverage_90": float(within.mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", nargs="?", default="default")
    options = parser.parse_args()
    model = load_model(registry.find(options.model))
    if not isinstance(model, GuidedPosterior):
        parser.error(f"{options.model} does not estimate levels")
    with torch.inference_mode():
        scores = level_scores(model, options.data)
    print(
        f"{'':<24}{'images':>7}{'median':>8}{'9 of 10':>9}{'largest':>9}{'bias':>8}{'in 90 %':>9}"
    )
    for name, row in scores.items():
        print(
            f"{name:<24}{row['images']:>7}{row['median']:>8.2f}{row['nine_in_ten']:>9.2f}"
            f"{row['largest']:>9.2f}{row['bias']:>+8.2f}{row['coverage_90']:>9.0%}"
        )


if __name__ == "__main__":
    main()
