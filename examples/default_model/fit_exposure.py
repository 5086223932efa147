"""Fits the typical brightness of sunlit ground by colour, used to estimate the exposure of images.

The regression has one point for each origin of spectra: what matters is how it varies between
kinds of ground, and each of them has its own number of spectra.
"""

import torch
from torch import Tensor

from examples.default_model.batches import TrainingData
from hsi_xr.networks.chromaticity import chromaticity_histogram, scene_colours
from hsi_xr.networks.projected_mixture import ProjectedMixture
from hsi_xr.reconstructors._photofinishing import project_mixture, sunlit_ground_of
from hsi_xr.reconstructors.guided_posterior import GuidedPosterior

SPECTRA = 400
"""Number of spectra of each origin that are used; more make no difference."""


def fit(model: GuidedPosterior, data: TrainingData) -> None:
    """Fits `Photofinishing.sunlit` of a model whose mixture and cameras are known.

    Args:
        model: The model.
        data: Plots, each of which is a scene; and spectra, each of which is sunlit ground.
    """
    sites = {
        plot.site: [p.coarse_cube for p in data.plots if p.site == plot.site] for plot in data.plots
    }
    origins = list(sites.values())
    for spectra in [*data.library, *data.other_ground]:
        every = max(1, len(spectra) // SPECTRA)
        origins.append([spectrum[:, None, None] for spectrum in spectra[::every]])
    statistics = model.photofinishing(model.mixture, None, None)
    mixture = project_mixture(model.mixture, statistics)
    response = statistics["response"]
    points = torch.stack([_point(mixture, response, cubes) for cubes in origins])
    ratio, usual = points.unbind(1)
    terms = torch.stack([usual, torch.ones_like(usual)], dim=1)
    line = torch.linalg.lstsq(terms, ratio[:, None]).solution[:, 0]
    std = (ratio - terms @ line).square().sum().div(len(ratio) - len(line)).sqrt()
    model.photofinishing.sunlit.data.copy_(torch.cat([line, std[None]]))


def _point(mixture: ProjectedMixture, response: Tensor, cubes: list[Tensor]) -> Tensor:
    """Returns the medians of ratio and usual brightness, (2,), over the scenes of one origin."""
    values = []
    for cube in cubes:
        # in double precision, so that rounding does not differ between two runs
        rgb = torch.einsum("cb,bhw->chw", response.double(), cube.double())
        colours = scene_colours(chromaticity_histogram(rgb[None])[0])
        ground = sunlit_ground_of(mixture, colours)
        values.append(torch.stack([ground.log_ratio, ground.usual]))
    return torch.stack(values).quantile(0.5, dim=0)
