"""The data that the default model is trained on, without what is held out for its scores."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from examples.default_model import sources
from examples.default_model.batches import TrainingData, add_texture
from examples.default_model.simulate_ground import invent_spectra, weather
from examples.default_model.simulate_images import ImageSimulator, display_response
from hsi_xr.band_grid import Bands

BANDS = Bands.regular(400, 700, 10)

HELD_OUT_EVERY = 5
"""Every fifth plot of a site, by its number, is held out."""

HELD_OUT_CAMERAS = ("Hasselblad_L2D-20c", "Nikon_D850", "Sony_ILCE-7RM4", "Canon_EOS_R5")


def is_held_out(plot: str) -> bool:
    """True if the plot of a name is not trained on."""
    return int(plot.split("_")[1]) % HELD_OUT_EVERY == 0


def load_training_data(folder: Path, bands: Bands = BANDS) -> TrainingData:
    """Load plots, spectra and cameras, resampled to a band grid.

    Args:
        folder: See README.md for what it contains.
        bands: The band grid.
    """
    responses = sources.cameras(folder, bands)
    cameras = torch.stack(
        [as_tensor(each) for name, each in responses.items() if name not in HELD_OUT_CAMERAS]
    )
    library = [as_tensor(each) for each in sources.library(folder, bands).values()]
    plots = [p for p in sources.paired_plots(folder, bands) if not is_held_out(p.name)]
    sites = [
        torch.cat([as_tensor(plot.cube).flatten(1).T for plot in plots if plot.name[0] == site])
        for site in sorted({plot.name[0] for plot in plots})
    ]
    palette = torch.cat([each[torch.linspace(0, len(each) - 1, 40).long()] for each in library])
    display = display_response(as_tensor(sources.standard_observer(folder, bands)))
    simulator = ImageSimulator(cameras / cameras.sum(-1, keepdim=True), display, palette)
    rng = torch.Generator().manual_seed(1)
    paints = invent_spectra(3000, len(bands), rng)
    library = [*library, paints]
    weathered = [weather(samples, rng) for samples in library]
    other_ground = [as_tensor(each) for each in sources.other_ground(folder, bands).values()]
    textured = [add_texture(plot) for plot in plots]
    # each site counts as three groups
    groups = [*sites, *sites, *sites, *weathered]
    return TrainingData(textured, groups, library, other_ground, simulator)


def as_tensor(array: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype="float32"))
