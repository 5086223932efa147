"""Scores a picture model by the spectra of unseen ground:
`python -m examples.picture_model.score DATA RUN/last.pt`.

The mixture of the default model reads images as delivered, cleaned, and clean. Images whose level
is unknown are scored after the best common scaling.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor

from examples.default_model import research_cubes, sources
from examples.default_model.score import held_out_plots, held_out_responses, score
from examples.default_model.training_data import BANDS, as_tensor
from examples.picture_model.degrade import Damage, degrade
from examples.picture_model.model import PictureConfig, PictureModel
from examples.picture_model.train import average_weights
from hsi_xr.checkpoints import registry
from hsi_xr.checkpoints.weights import load_model
from hsi_xr.networks.chromaticity import chromaticity_histogram
from hsi_xr.networks.projected_mixture import colours
from hsi_xr.reconstructors._base import Estimate, SceneWindows
from hsi_xr.reconstructors._whole_image import ground_noise, reflect
from hsi_xr.reconstructors.guided_posterior import GuidedPosterior

DISPLAYED = 0.2
"""Mean of linear RGB in images for display, as automatic exposure chooses it."""

DAMAGES: Mapping[str, Damage] = {
    "8-bit": Damage(eight_bit=True),
    "8-bit, noise": Damage(shot=0.01, read=0.002, eight_bit=True),
    "8-bit, noise, JPEG 75": Damage(shot=0.01, read=0.002, quality=75, eight_bit=True),
    "8-bit, mosaic, noise, sharpening, JPEG 85 (4:2:0)": Damage(
        shot=0.01,
        read=0.002,
        mosaic=True,
        sharpening=0.5,
        quality=85,
        coarse_colours=True,
        eight_bit=True,
    ),
}
"""How the images of held-out ground are damaged."""


@dataclass(frozen=True)
class Reading:
    """What the mixture is given.

    Attributes:
        rgb: (3, rows, columns) linear RGB.
        noise: Standard deviation of its channels, relative to brightness; None takes that of the
            default model.
    """

    rgb: Tensor
    noise: float | None = None


@dataclass(frozen=True)
class Pair:
    """An image of held-out ground.

    Attributes:
        picture: (3, rows, columns) linear RGB as delivered.
        clean: Linear RGB before it was damaged.
        truth: (bands, rows, columns) reflectance.
    """

    picture: Tensor
    clean: Tensor
    truth: Tensor


def unseen_ground(folder: Path) -> Mapping[str, list[Tensor]]:
    """Returns cubes that neither mixture nor picture model was trained on, by their set."""
    plots = held_out_plots(folder, BANDS)
    cubes = {name: [as_tensor(plot.cube) for plot in found] for name, found in plots.items()}
    cubes["unseen sensor AVIRIS"] = [as_tensor(sources.suburb(folder, BANDS))]
    cubes["San Diego"] = [as_tensor(research_cubes.san_diego(folder, BANDS))]
    return cubes


def pairs(cubes: list[Tensor], responses: list[Tensor], damage: Damage) -> list[Pair]:
    """Returns images of cubes by several cameras, exposed for display and damaged."""
    rng, found = Generator().manual_seed(0), []
    for cube in cubes:
        for response in responses:
            rgb = torch.einsum("cb,bhw->chw", response, cube).clamp(min=0)
            picture, clean = degrade(rgb * DISPLAYED / rgb.mean(), damage, rng)
            found.append(Pair(picture, clean, cube))
    return found


@torch.inference_mode()
def cleaned(model: PictureModel, picture: Tensor) -> Tensor:
    """Returns the mean of the clean image; edges are reflected up to the stride."""
    _, rows, columns = picture.shape
    stride = model.stride
    padded = picture[:, reflect(rows, rows + -rows % stride)]
    padded = padded[..., reflect(columns, columns + -columns % stride)]
    return model.mean(padded[None])[0, :, :rows, :columns]


def told(rgb: Tensor, clean: Tensor) -> Reading:
    """Returns an image with the true root mean square error of the colours that are read."""
    found, true = (colours(each[None])[1] for each in (rgb, clean))
    return Reading(rgb, float((found - true).square().mean().sqrt()))


@torch.inference_mode()
def estimate_of(spectra: GuidedPosterior, reading: Reading) -> Estimate:
    """Returns the estimate of the mixture alone, for an image as a scene of its own."""
    rgb = reading.rgb[None]
    statistics = spectra.survey(SceneWindows.entire(rgb, chromaticity_histogram(rgb)))
    if reading.noise is not None:
        statistics["noise"] = torch.tensor([reading.noise])
    return spectra.estimate(rgb, ground_noise(rgb, bands=spectra.config.bands), statistics)


def mean_scores(
    spectra: GuidedPosterior, found: list[Pair], read: Callable[[Pair], Reading]
) -> dict[str, float]:
    """Returns the mean scores of the mixture over images.

    Args:
        spectra: The model with the mixture.
        found: The images.
        read: Returns what the mixture is given.
    """
    rows = [
        score(estimate_of(spectra, read(pair)), pair.truth, level_known=False) for pair in found
    ]
    return {key: sum(row[key] for row in rows) / len(rows) for key in rows[0]}


def load_picture_model(checkpoint: Path) -> PictureModel:
    """Returns the model with the averaged weights of a run."""
    model = PictureModel(PictureConfig()).eval()
    model.load_state_dict(average_weights(checkpoint))
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    options = parser.parse_args()
    spectra = load_model(registry.find("default"))
    if not isinstance(spectra, GuidedPosterior):
        parser.error("the default model has no mixture")
    model = load_picture_model(options.run)
    readings: Mapping[str, Callable[[Pair], Reading]] = {
        "as delivered": lambda pair: Reading(pair.picture),
        "as delivered, noise told": lambda pair: told(pair.picture, pair.clean),
        "cleaned mean": lambda pair: Reading(cleaned(model, pair.picture)),
        "cleaned mean, noise told": lambda pair: told(cleaned(model, pair.picture), pair.clean),
        "clean": lambda pair: Reading(pair.clean),
    }
    responses = [response for _, response in held_out_responses(options.data, BANDS)]
    print(f"{'':<98}{'MRAE':>7}{'SAM':>7}{'90 %':>7}")
    for name, cubes in unseen_ground(options.data).items():
        for damage_name, damage in DAMAGES.items():
            found = pairs(cubes, responses, damage)
            for reading, read in readings.items():
                row = mean_scores(spectra, found, read)
                title = f"{name}, {damage_name}, {reading}"
                values = f"{row['mrae_levelled']:>7.3f}{row['sam_deg']:>7.2f}"
                print(f"{title:<98}{values}{row['coverage_90']:>7.2f}", flush=True)


if __name__ == "__main__":
    main()
