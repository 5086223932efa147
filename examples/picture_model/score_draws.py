"""Scores joint draws of spectra through draws of the clean image:
`python -m examples.picture_model.score_draws DATA RUN/last.pt [--gan GAN/last.pt]`.

Each draw of the mixture reads its own draw of the clean image. Camera, colour matrix and level are
estimated once, from the mean of these.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from examples.default_model.score import DARK, held_out_responses
from examples.default_model.training_data import BANDS
from examples.picture_model.model import PictureModel
from examples.picture_model.score import (
    DAMAGES,
    Pair,
    cleaned,
    load_picture_model,
    pairs,
    unseen_ground,
)
from hsi_xr.checkpoints import registry
from hsi_xr.checkpoints.weights import load_model
from hsi_xr.diffusion.noise import NoiseField
from hsi_xr.networks.chromaticity import chromaticity_histogram
from hsi_xr.reconstructors._base import GroundNoise, SceneWindows
from hsi_xr.reconstructors._whole_image import ground_noise, single_window
from hsi_xr.reconstructors.guided_posterior import GuidedPosterior

DRAWS = 19
"""Draws of an image: the range of the values of 19 draws is a 90 % interval."""

CROP = 40
"""Side of the part of a cube that is scored, in pixels: cubes of plots are smaller."""

CUBES = 4
"""Cubes of a set that are scored, each as one camera takes it."""

SIDES = (1, 4)
"""Sides of the squares whose means are scored, in pixels."""

DrawImages = Callable[[Pair], Tensor]
"""Returns images of a pair in linear RGB, (draws, 3, rows, columns)."""


def repeat(rgb: Tensor) -> Tensor:
    """Returns an image, (3, rows, columns), as that of every draw."""
    return rgb.expand(DRAWS, -1, -1, -1)


@torch.inference_mode()
def draw_images(model: PictureModel, picture: Tensor, *, one_pass: bool) -> Tensor:
    """Draws clean images, (draws, 3, rows, columns), of one, (3, rows, columns).

    Args:
        model: The picture model.
        picture: As delivered, in linear RGB.
        one_pass: The model was trained as a generator.
    """
    _, rows, columns = picture.shape
    scene = single_window(picture[None], stride=model.stride)
    found = []
    for seed in range(DRAWS):
        noise = ground_noise(scene.rgb, bands=3, seed=1 + seed)
        drawn = model.draw_once(scene.rgb, noise) if one_pass else model.whole(scene, noise)[0]
        found.append(drawn[0, :, :rows, :columns])
    return torch.stack(found)


@torch.inference_mode()
def draw_spectra(spectra: GuidedPosterior, images: Tensor) -> Tensor:
    """Draws the spectra of an image from the mixture, one draw for each draw of the image.

    Args:
        spectra: The model with the mixture.
        images: (draws, 3, rows, columns) linear RGB.

    Returns:
        (draws, bands, rows, columns).
    """
    mean = images.mean(0, keepdim=True)
    statistics = spectra.survey(SceneWindows.entire(mean, chromaticity_histogram(mean)))
    rows, columns = (torch.arange(size)[None] for size in mean.shape[2:])
    unused = ground_noise(mean, bands=spectra.config.bands)
    found = []
    for seed, image in enumerate(images):
        noise = GroundNoise(NoiseField(seed), rows, columns)
        drawn = spectra.estimate(image[None], unused, statistics, draws=[noise]).draws
        assert drawn is not None
        found.append(drawn[0, 0])
    return torch.stack(found)


def score_draws(draws: Tensor, truth: Tensor) -> dict[str, float]:
    """Returns energy score and coverage of draws after the best common scaling, by side.

    Args:
        draws: (draws, bands, rows, columns).
        truth: (bands, rows, columns).
    """
    draws = draws * truth.mean() / draws.mean()
    found = {}
    for side in SIDES:
        drawn, true = F.avg_pool2d(draws, side), F.avg_pool2d(truth, side)
        bright = true.mean(0) >= DARK
        drawn, true = drawn[..., bright], true[..., bright]
        within = (drawn.amin(0) <= true) & (true <= drawn.amax(0))
        found[f"energy {side}"] = energy_score(drawn, true)
        found[f"90 % {side}"] = float(within.float().mean())
    return found


def energy_score(draws: Tensor, truth: Tensor) -> float:
    """Returns the mean energy score of (draws, bands, pixels), relative to brightness.

    Source: Gneiting, Raftery 2007, Journal of the American Statistical Association 102(477),
    359-378, eq. 22, without bias from the number of draws.
    """
    count = len(draws)
    error = (draws - truth).norm(dim=1).mean(0)
    turned = [(draws - draws.roll(k, 0)).norm(dim=1).mean(0) for k in range(1, count)]
    spread = torch.stack(turned).mean(0)
    return float(((error - spread / 2) / truth.mean(0)).mean())


def mean_scores(
    spectra: GuidedPosterior, found: list[Pair], draw: DrawImages
) -> Mapping[str, float]:
    """Returns the mean scores of the draws of images."""
    rows = [score_draws(draw_spectra(spectra, draw(pair)), pair.truth) for pair in found]
    return {key: sum(row[key] for row in rows) / len(rows) for key in rows[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--gan", type=Path, help="checkpoint of a generator")
    options = parser.parse_args()
    spectra = load_model(registry.find("default"))
    if not isinstance(spectra, GuidedPosterior):
        parser.error("the default model has no mixture")
    model = load_picture_model(options.run)
    ways: dict[str, DrawImages] = {
        "as delivered": lambda pair: repeat(pair.picture),
        "cleaned mean": lambda pair: repeat(cleaned(model, pair.picture)),
        "diffusion draws": lambda pair: draw_images(model, pair.picture, one_pass=False),
    }
    if options.gan:
        generator = load_picture_model(options.gan)
        ways["GAN draws"] = lambda pair: draw_images(generator, pair.picture, one_pass=True)
    ways["clean"] = lambda pair: repeat(pair.clean)
    responses = [response for _, response in held_out_responses(options.data, BANDS)]
    for name, cubes in unseen_ground(options.data).items():
        crops = [cube[:, :CROP, :CROP] for cube in cubes[:CUBES]]
        for damage_name in (*DAMAGES,)[2:]:
            found = pairs(crops, responses[:1], DAMAGES[damage_name])
            for way, draw in ways.items():
                row = mean_scores(spectra, found, draw)
                stated = "".join(f"{key:>11}{value:>6.3f}" for key, value in row.items())
                print(f"{f'{name}, {damage_name}, {way}':<89}{stated}", flush=True)


if __name__ == "__main__":
    main()
