"""Makes the model `root-polynomial`, the baseline of the default one, from the same data:
`python -m examples.default_model.root_polynomial DATA OUT.safetensors`.
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from examples.default_model.batches import TrainingData
from examples.default_model.model_card import DEFINITION, STATEMENTS
from examples.default_model.score import cases, mean_scores
from examples.default_model.simulate_ground import sample_spectra
from examples.default_model.simulate_images import RGBImage
from examples.default_model.training_data import BANDS, load_training_data
from hsi_xr.checkpoints import measure, registry
from hsi_xr.checkpoints.weights import parameters, save_model
from hsi_xr.networks import root_polynomial
from hsi_xr.networks.chromaticity import chromaticity_histogram
from hsi_xr.reconstructors._base import Estimate, SceneWindows
from hsi_xr.reconstructors.root_polynomial import Config, Regression, RootPolynomial

SYSTEM = "root-polynomial"


def fit_baseline(data: TrainingData, rng: Generator) -> tuple[Tensor, Tensor]:
    """Fit root-polynomial regressions to the data of the default model.

    Returns:
        The coefficients for the mean of all cameras, and those for images for display.
    """
    spectra = sample_spectra(data.groups, 20_000, rng)
    rgb = spectra @ data.simulator.cameras.mean(0).T
    images, cubes = [], []
    for _ in range(60):
        batch = data.draw(rng, side=32)
        for image, cube in zip(batch.images, batch.cube):
            if not image.level_known:
                images.append(image.rgb.flatten(1).T[::16])
                cubes.append(cube.flatten(1).T[::16])
    return (
        root_polynomial.fit(rgb, spectra),
        root_polynomial.fit(torch.cat(images), torch.cat(cubes)),
    )


def new_model(data: TrainingData) -> RootPolynomial:
    """Returns the fitted model."""
    of_cameras, of_images = fit_baseline(data, torch.Generator().manual_seed(3))
    model = RootPolynomial(Regression(len(BANDS)), Config(bands=len(BANDS))).eval()
    model.network.coefficients.data = of_cameras
    # the gain of an image is the brightness that the regression of images predicts
    model.adapter.gain.fix_to_one()
    model.adapter.gain.regression.data = data.simulator.cameras.mean(0) @ of_images
    return model


@torch.inference_mode()
def reconstruct(model: RootPolynomial, image: RGBImage) -> Estimate:
    """Reconstructs an image as a scene of its own; the estimate has no uncertainty."""
    rgb = image.rgb[None]
    histogram = None if image.level_known else chromaticity_histogram(rgb)
    cube, _ = model.whole(SceneWindows.entire(rgb, histogram), lambda step: rgb)
    return Estimate(cube, 0 * cube, 0 * cube[:, :1])


def without_coverage(scores: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Returns scores without the coverage, for models without uncertainty."""
    return {
        name: {key: value for key, value in row.items() if key != "coverage_90"}
        for name, row in scores.items()
    }


def card_of(model: RootPolynomial, folder: Path) -> dict[str, Any]:
    """Returns the card of the model, with measured scores."""
    scores = mean_scores(cases(folder), lambda image: reconstruct(model, image))
    card = {
        **registry.find(SYSTEM, untrained=True).data,
        **{key: STATEMENTS[key] for key in ("version", "limits")},
        "bands": {"centres_nm": list(BANDS.centres), "widths_nm": list(BANDS.widths or ())},
        "name": "root-polynomial-visible",
        "training": {
            **STATEMENTS["training"],
            "script": "python -m examples.default_model.root_polynomial",
        },
        "parameters": parameters(model),
        "scores": {"definition": DEFINITION, "model": without_coverage(scores)},
    }
    images = {"random patches": measure.random_patches()}
    return {**card, "reach": measure.Probe(model, card).reach(images)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    model = new_model(load_training_data(options.data))
    save_model(model, options.out, card_of(model, options.data))


if __name__ == "__main__":
    main()
