"""Small synthetic data for the default model, and a model fitted to them."""

import torch

from examples.default_model import fit_mixture
from examples.default_model.batches import TexturedPlot, TrainingData
from examples.default_model.simulate_ground import sample_spectra
from examples.default_model.simulate_images import ImageSimulator, display_response
from hsi_xr.reconstructors.guided_posterior import Config, GuidedPosterior

BANDS = 31


def project(camera, cube):
    return torch.einsum("cb,bhw->chw", camera, cube)


def training_data():
    """Three cameras, two groups of spectra with slopes of their own, three plots of 44 px."""
    rng = torch.Generator().manual_seed(0)
    x = torch.linspace(-1, 1, BANDS)
    peaks = torch.tensor([0.6, 0.0, -0.6])[None, :, None]
    peaks = peaks + 0.05 * torch.randn(3, 3, 1, generator=rng)
    cameras = torch.exp(-((x - peaks) ** 2) / 0.1)
    cameras = cameras / cameras.sum(-1, keepdim=True)
    slopes = (0.8 * torch.randn(2, 40, 1, generator=rng) * x).exp()
    groups = list(0.15 * slopes * (0.3 * torch.randn(2, 40, 1, generator=rng)).exp())

    def ground(side):
        return sample_spectra(groups, side * side, rng).T.reshape(BANDS, side, side)

    plots = [
        TexturedPlot(fine, project(cameras[0], fine), coarse, project(cameras[0], coarse), site)
        for site, fine, coarse in ((site, ground(44), ground(12)) for site in "AAB")
    ]
    display = display_response(cameras.mean(0))
    simulator = ImageSimulator(cameras, display, torch.cat(groups))
    return TrainingData(plots, groups, groups, groups[:1], simulator)


def fitted_model(data):
    rng = torch.Generator().manual_seed(1)
    model = GuidedPosterior(Config(gaussians=5, cameras=3, steps=0)).eval()
    model.photofinishing.cameras.data = data.simulator.cameras
    model.photofinishing.observer.data = data.simulator.display
    mixture = fit_mixture.fit(sample_spectra(data.groups, 2000, rng), 5, rng, rounds=4)
    model.mixture.load_state_dict(mixture.state_dict())
    return model
