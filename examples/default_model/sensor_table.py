"""Prints scores of spectra estimated from the bands of satellites and multispectral cameras:
`python -m examples.default_model.sensor_table DATA [MODEL]`.

Bands are simulated from held-out cubes with the responses of `hsi_xr.sensors()` and noise
of 1 % of each value. Each row compares all channels of a sensor with its red, green and blue alone.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from examples.default_model import research_cubes, sources
from examples.default_model.score import held_out_plots, reconstruct, score
from examples.default_model.simulate_images import RGBImage
from examples.default_model.training_data import as_tensor
from hsi_xr.band_grid import Bands
from hsi_xr.camera.spectral_response import SpectralResponse
from hsi_xr.checkpoints import registry
from hsi_xr.checkpoints.weights import load_model
from hsi_xr.reconstructors.guided_posterior import GuidedPosterior

NOISE = 0.01
"""Standard deviation of the noise, as a share of each value."""

REDEDGE_MX = ("Blue", "Green", "Red", "Red edge", "NIR")

SENSORS = {
    "Sentinel-2A": ("sentinel-2a", None, ("B4", "B3", "B2")),
    "Landsat 8": ("landsat-8-oli", ("B1", "B2", "B3", "B4", "B5"), ("B4", "B3", "B2")),
    "Landsat 9": ("landsat-9-oli-2", None, ("B4", "B3", "B2")),
    "SuperDove": ("planetscope-superdove", None, ("red", "green", "blue")),
    "RedEdge-MX": ("micasense-rededge-mx-dual", REDEDGE_MX, ("Red", "Green", "Blue")),
    "NAIP (ADS100)": ("leica-ads100", None, ("Red", "Green", "Blue")),
}
"""Title -> sensor; its channels, or None for all in the range of the model; red, green and blue."""

HEAD = (
    f"{'sensor':<14}{'bands':>6}  {'cubes':<14}"
    f"{'MRAE':>7}{'of RGB':>8}{'SAM':>7}{'of RGB':>8}{'in 90 %':>9}{'of RGB':>8}"
)


def cubes_by_set(folder: Path, bands: Bands) -> dict[str, list[Tensor]]:
    """Returns cubes that the model was not trained on, by the name of their set."""
    sets = {
        name.split()[-1]: [as_tensor(plot.cube) for plot in plots]
        for name, plots in held_out_plots(folder, bands).items()
    }
    return {
        **sets,
        "AVIRIS suburb": [as_tensor(sources.suburb(folder, bands))],
        "Jasper Ridge": [as_tensor(research_cubes.jasper_ridge(folder, bands))],
        "San Diego": [as_tensor(research_cubes.san_diego(folder, bands))],
    }


def image_of(cube: Tensor, response: SpectralResponse, seed: int) -> RGBImage:
    """Returns a cube as a sensor records it, with noise."""
    curves = torch.tensor(response.curves)
    values = torch.einsum("cb,bhw->chw", curves, cube)
    rng = torch.Generator().manual_seed(seed)
    noisy = values * (1 + NOISE * torch.randn(values.shape, generator=rng))
    return RGBImage(noisy.clamp(min=0), curves, level_known=True)


def mean_scores(
    model: GuidedPosterior, cubes: Sequence[Tensor], response: SpectralResponse
) -> dict[str, float]:
    """Returns the mean scores of the estimates of some cubes."""
    rows = [
        score(reconstruct(model, image_of(cube, response, seed)), cube, level_known=True)
        for seed, cube in enumerate(cubes)
    ]
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


def lines(model: GuidedPosterior, bands: Bands, folder: Path) -> Iterator[str]:
    """Yields the lines of the table."""
    sets = cubes_by_set(folder, bands)
    for title, (sensor, wanted, rgb) in SENSORS.items():
        usable = SpectralResponse.of(sensor, bands)
        every = usable.select([usable.channels.index(each) for each in wanted or usable.channels])
        three = usable.select([usable.channels.index(each) for each in rgb])
        for name, cubes in sets.items():
            many, few = (mean_scores(model, cubes, response) for response in (every, three))
            yield (
                f"{title:<14}{len(every.channels):>6}  {name:<14}"
                f"{many['mrae']:>7.3f}{few['mrae']:>8.3f}{many['sam_deg']:>7.1f}"
                f"{few['sam_deg']:>8.1f}{many['coverage_90']:>9.2f}{few['coverage_90']:>8.2f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", nargs="?", default="visible-infrared")
    options = parser.parse_args()
    card = registry.find(options.model)
    model = load_model(card)
    if not isinstance(model, GuidedPosterior):
        parser.error(f"{options.model} is not a guided posterior")
    print(HEAD)
    for line in lines(model, card.bands, options.data):
        print(line, flush=True)


if __name__ == "__main__":
    main()
