"""Prints how wide joint draws must be on a site that the mixture was not fitted to, and how they
then cover means of squares: `python -m examples.default_model.shared_table DATA`.

For each site of the training plots, the mixture is fitted without it, and draws for scenes of four
of its plots are compared with the truth, for several shares of the variance that the pixels of a
Gaussian share. Draws are widened about their mean until they cover 90 % of single pixels: the share
that covers 90 % of the means of squares as well is right. No held-out plot is used.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

from examples.default_model import calibrate, fit_exposure, fit_mixture, sources
from examples.default_model.batches import TrainingData
from examples.default_model.draws_table import SIDES, draws_of, score_draws
from examples.default_model.score import eight_bit
from examples.default_model.simulate_ground import pick, sample_spectra
from examples.default_model.simulate_images import RGBImage, record_linear
from examples.default_model.train import SPECTRA
from examples.default_model.training_data import (
    BANDS,
    as_tensor,
    is_held_out,
    load_training_data,
)
from hsi_xr.checkpoints import registry
from hsi_xr.checkpoints.weights import load_model
from hsi_xr.reconstructors.guided_posterior import GuidedPosterior

SITES = "MO"
SHARES = (0.0, 0.6, 0.9)
WIDTHS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
SCENES = 4
Pairs = list[tuple[RGBImage, Tensor]]


def model_without(site: str, data: TrainingData) -> GuidedPosterior:
    """Returns the default model with a mixture that was fitted without the plots of a site."""
    number, rng = SITES.index(site), Generator().manual_seed(11)
    # the groups begin with three copies of the pixels of each site
    repeated = 3 * len(SITES)
    kept = [
        group for at, group in enumerate(data.groups) if at >= repeated or at % len(SITES) != number
    ]
    plots = [plot for plot in data.plots if plot.site[0] != site]
    others = replace(data, plots=plots, groups=kept)
    model = load_model(registry.find("default"))
    assert isinstance(model, GuidedPosterior)
    count = model.config.gaussians
    fitted = fit_mixture.fit(sample_spectra(kept, SPECTRA, rng), count, rng)
    model.mixture.load_state_dict(fitted.state_dict())
    fit_exposure.fit(model, others)
    calibrate.calibrate_uncertainty(model, others, rng)
    return model


def images_of(site: str, folder: Path, data: TrainingData) -> Iterator[tuple[str, Pairs]]:
    """Yields images of four plots of a site side by side, with their cubes, by kind."""
    rng = Generator().manual_seed(5)
    plots = sources.paired_plots(folder, BANDS)
    cubes = [
        as_tensor(plot.cube)
        for plot in plots
        if plot.name[0] == site and not is_held_out(plot.name)
    ]
    scenes = []
    for _ in range(SCENES):
        first = pick(len(cubes), rng)
        a, b, c, d = (cubes[(first + k) % len(cubes)] for k in range(4))
        scene = torch.cat([torch.cat([a, b], dim=2), torch.cat([c, d], dim=2)], dim=1)
        scenes.append((scene.clamp(1e-4, 1), data.simulator.random_camera(rng)))
    for title, known in (("camera known", True), ("camera unknown", False)):
        yield title, [(record_linear(*each, rng, camera_known=known), each[0]) for each in scenes]
    bits = [
        (RGBImage(eight_bit(torch.einsum("cb,bhw->chw", camera, cube)), None, False), cube)
        for cube, camera in scenes
    ]
    yield "8-bit", bits
    display = [
        (RGBImage(data.simulator.render(cube, camera, rng), None, False), cube)
        for cube, camera in scenes
    ]
    yield "display", display


def calibrated(model: GuidedPosterior, pairs: Pairs) -> tuple[float, list[float]]:
    """Returns the width at which draws cover 90 % of pixels, and their coverage by side."""
    rows = np.zeros((len(WIDTHS), len(SIDES)))
    for image, cube in pairs:
        draws = draws_of(model, image)
        mean = draws.mean(0)
        for row, width in zip(rows, WIDTHS):
            wide = (mean + width * (draws - mean)).clamp(min=0)
            rng, known = Generator().manual_seed(0), image.level_known
            scores = score_draws(wide, cube, level_known=known, rng=rng)
            row += [scores[str(side or "all")] / len(pairs) for side in SIDES]
    at_90 = np.interp(0.9, rows[:, 0], WIDTHS)
    return float(at_90), [float(np.interp(at_90, WIDTHS, column)) for column in rows.T]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    folder = parser.parse_args().data
    data = load_training_data(folder)
    print(f"{'':<30}{'width':>7}{'1 px':>7}{'2 x 2':>7}{'4 x 4':>7}{'8 x 8':>7}{'all':>7}")
    for site in SITES:
        model = model_without(site, data)
        for title, pairs in images_of(site, folder, data):
            for model.shared in SHARES:
                width, row = calibrated(model, pairs)
                values = "".join(f"{value:>7.2f}" for value in (width, *row))
                print(f"{site}, {title + ',':<17} share {model.shared:<4}{values}", flush=True)


if __name__ == "__main__":
    main()
