"""Prints how often joint draws contain the truth, in pixels and in means of squares:
`python -m examples.default_model.draws_table DATA [MODEL]`.

Of 19 draws, the smallest and the largest are the ends of a 90 % interval: a twentieth value of the
same distribution is as likely to be in each of the 20 gaps. The energy score (Gneiting, Raftery
2007, Journal of the American Statistical Association 102(477), 359-378) of means of squares is
compared with that of the same draws with pixels that are independent: each takes a draw of its own.
Images whose level is unknown are scored after the best common scaling.
"""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from examples.default_model.score import DARK, Case, cases
from examples.default_model.simulate_images import RGBImage
from hsi_xr.checkpoints import registry
from hsi_xr.checkpoints.weights import load_model
from hsi_xr.diffusion.noise import NoiseField
from hsi_xr.networks.chromaticity import chromaticity_histogram
from hsi_xr.reconstructors._base import GroundNoise, SceneWindows
from hsi_xr.reconstructors._whole_image import ground_noise
from hsi_xr.reconstructors.guided_posterior import GuidedPosterior

DRAWS = 19
SIDES = (1, 2, 4, 8, 0)
"""Sides of the squares in pixels of the truth; 0 is the whole image."""

MOST, EVERY = 8, 5
"""Cases of more images than this are thinned to each fifth, which still is by each of the four
cameras in turn."""

CROP = 48
"""Side of the part of a cube that is scored, in pixels."""


@torch.inference_mode()
def draws_of(model: GuidedPosterior, image: RGBImage, *, seed: int = 0) -> Tensor:
    """Returns joint draws for an image as a scene of its own, (draws, bands, rows, columns)."""
    rgb = image.rgb[None]
    histogram = None if image.level_known else chromaticity_histogram(rgb)
    statistics = model.survey(SceneWindows.entire(rgb, histogram, response=image.response))
    rows, columns = (torch.arange(size)[None] for size in rgb.shape[2:])
    noise = [GroundNoise(NoiseField(seed, k), rows, columns) for k in range(DRAWS)]
    anywhere = ground_noise(rgb, bands=model.config.bands)
    drawn = model.estimate(rgb, anywhere, statistics, draws=noise).draws
    assert drawn is not None
    return drawn[0]


def score_draws(
    draws: Tensor, truth: Tensor, *, level_known: bool, rng: Generator
) -> dict[str, float]:
    """Scores draws of one image by the side of squares whose means are compared.

    Args:
        draws: (draws, bands, rows, columns).
        truth: (bands, rows, columns), at the pixels of the image, or at pixels k times as large.
        level_known: False if the draws hold after the best common scaling.
        rng: Chooses draws for independent pixels.

    Returns:
        The share of values within the range of the draws by side, and `energy`, the ratio of the
        energy score of joint draws to that of independent pixels.
    """
    draws = F.avg_pool2d(draws, draws.shape[-1] // truth.shape[-1])[..., :CROP, :CROP]
    truth = truth[:, :CROP, :CROP]
    if not level_known:
        draws = draws * truth.mean() / draws.mean()
    pick = torch.randint(len(draws), draws.shape[2:], generator=rng)
    turns = (pick + torch.arange(len(draws))[:, None, None]) % len(draws)
    independent = draws.gather(0, turns[:, None].expand_as(draws))
    found, energy = {}, torch.zeros(2)
    for side in SIDES:
        joint, alone, true = (_means(each, side) for each in (draws, independent, truth[None]))
        bright = true[0].mean(0) >= DARK
        joint, alone, true = (each[..., bright] for each in (joint, alone, true))
        within = (joint.amin(0) <= true[0]) & (true[0] <= joint.amax(0))
        found[str(side or "all")] = float(within.float().mean())
        energy += torch.stack([_energy(joint, true[0]), _energy(alone, true[0])])
    return {**found, "energy": float(energy[0] / energy[1])}


def _means(images: Tensor, side: int) -> Tensor:
    """Returns the means of squares, (images, bands, rows, columns)."""
    if side == 0:
        return images.mean((2, 3), keepdim=True)
    return F.avg_pool2d(images, min(side, *images.shape[2:]))


def _energy(draws: Tensor, truth: Tensor) -> Tensor:
    """Returns the mean energy score of (draws, bands, squares), relative to brightness."""
    brightness = truth.mean(0)
    error = (draws - truth).norm(dim=1).mean(0)
    spread = sum(((draws - draws.roll(k, 0)).norm(dim=1).mean(0)) for k in range(1, len(draws)))
    return ((error - spread / (len(draws) - 1) / 2) / brightness).mean()


def coverage(model: GuidedPosterior, case: Case) -> dict[str, float]:
    """Returns the mean scores of the images of a case."""
    rng = Generator().manual_seed(0)
    pairs = case.pairs[::EVERY] if len(case.pairs) > MOST else case.pairs
    rows = [
        score_draws(draws_of(model, image), cube, level_known=image.level_known, rng=rng)
        for image, cube in pairs
    ]
    return {key: sum(row[key] for row in rows) / len(rows) for key in rows[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", nargs="?", default="default")
    options = parser.parse_args()
    model = load_model(registry.find(options.model))
    if not isinstance(model, GuidedPosterior):
        parser.error(f"{options.model} does not draw jointly")
    print(f"{'':<102}{'1 px':>7}{'2 x 2':>7}{'4 x 4':>7}{'8 x 8':>7}{'all':>7}{'energy':>7}")
    for case in cases(options.data):
        row = coverage(model, case)
        print(f"{case.name:<102}{''.join(f'{each:>7.2f}' for each in row.values())}", flush=True)


if __name__ == "__main__":
    main()
