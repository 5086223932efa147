"""Calibrates the uncertainty of sensors with more than three channels:
`python -m examples.default_model.calibrate_sensors DATA WEIGHTS`.

It rewrites that row of published weights, and their card; all other weights stay as they are.
"""

import argparse
import copy
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Generator, Tensor

from examples.default_model import fit_mixture
from examples.default_model.batches import TrainingData
from examples.default_model.calibrate import error_ratios
from examples.default_model.sensor_table import image_of
from examples.default_model.simulate_ground import sample_spectra
from examples.default_model.training_data import load_training_data
from hsi_xr.band_grid import Bands
from hsi_xr.camera.spectral_response import RGB, SpectralResponse
from hsi_xr.checkpoints.weights import parameters, save_model
from hsi_xr.errors import InvalidData
from hsi_xr.reconstructors.guided_posterior import Config, GuidedPosterior

SENSORS = (
    "sentinel-2a",
    "landsat-8-oli",
    "planetscope-superdove",
    "micasense-rededge-mx-dual",
    "rapideye",
    "leica-ads100",
)
"""Sensors of four to ten channels. One scale stands for all."""

SPECTRA, ROUNDS = 20_000, 10
"""Size of the fit for each origin; that of the model has 25 rounds and more spectra."""

ROWS, COLUMNS = 30, 40
"""Pixels of each origin that are estimated."""

SENSOR_ROW = 3
"""Row of `uncertainty_scales`."""


def calibrate_sensors(
    model: GuidedPosterior, data: TrainingData, bands: Bands, rng: Generator
) -> None:
    """Scale standard deviations so that 1.645 of them cover 90 % of each band of unlike ground.

    Each origin of spectra is left out in turn: a mixture is fitted to the others, and estimates the
    spectra of that origin. Origins count as often as in the training data. The scale is at least 1,
    since deviations should not be narrower than those of a mixture that knows the ground.
    """
    responses = [*_responses(bands)]
    origins = {id(group): group for group in data.groups}
    ratios = []
    for origin in origins.values():
        others = [group for group in data.groups if group is not origin]
        fold = _fitted_to(model, others, rng)
        at = torch.randint(len(origin), (ROWS * COLUMNS,), generator=rng)
        cube = origin[at].T.reshape(len(bands), ROWS, COLUMNS).clamp(1e-4, 1)
        found = [error_ratios(fold, image_of(cube, each, 0), cube) for each in responses]
        repeats = len(data.groups) - len(others)
        ratios += [torch.cat(found, dim=1)] * repeats
    scale = torch.cat([_thin(each) for each in ratios], dim=1).quantile(0.9, dim=1)
    model.uncertainty_scales.data[SENSOR_ROW] = scale.clamp(min=1)


def _responses(bands: Bands) -> Iterator[SpectralResponse]:
    """Yields the sensors of which the bands cover more than three channels."""
    for name in SENSORS:
        try:
            response = SpectralResponse.of(name, bands)
        except InvalidData:
            continue
        if len(response.channels) > len(RGB):
            yield response


def _fitted_to(model: GuidedPosterior, groups: list[Tensor], rng: Generator) -> GuidedPosterior:
    """Returns a model with a mixture of other spectra, whose deviations are not scaled."""
    other = copy.deepcopy(model)
    spectra = sample_spectra(groups, SPECTRA, rng)
    mixture = fit_mixture.fit(spectra, model.config.gaussians, rng, rounds=ROUNDS)
    other.mixture.load_state_dict(mixture.state_dict())
    other.uncertainty_scales.data.fill_(1)
    return other


def _thin(ratios: Tensor, count: int = 1200) -> Tensor:
    """Returns as many pixels of each origin, whatever number of them is bright."""
    return ratios[:, torch.linspace(0, ratios.shape[1] - 1, count).long()]


def with_sensor_row(scales: Tensor) -> Tensor:
    """Returns scales with a row for sensors, which older weights lack."""
    return scales if len(scales) > SENSOR_ROW else torch.cat([scales, torch.ones_like(scales[:1])])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path)
    options = parser.parse_args()
    card = json.loads(options.weights.with_suffix(".json").read_text())
    nm = card["bands"]
    bands = Bands(tuple(nm["centres_nm"]), tuple(nm["widths_nm"]))
    model = GuidedPosterior(Config(**card["config"])).eval()
    weights = load_file(options.weights)
    weights["uncertainty_scales"] = with_sensor_row(weights["uncertainty_scales"])
    model.load_state_dict(weights)
    data = load_training_data(options.data, bands)
    calibrate_sensors(model, data, bands, torch.Generator().manual_seed(4))
    save_model(model, options.weights, {**card, "parameters": parameters(model)})


if __name__ == "__main__":
    main()
