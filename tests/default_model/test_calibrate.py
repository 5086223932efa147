"""Calibrated doubt holds what it says of the ground that it was calibrated on."""

import torch

from examples.default_model import calibrate, fit_mixture
from examples.default_model.batches import Source, Textured
from examples.default_model.score import DARK, NINETY, reconstruct
from examples.default_model.simulate import Studio, display, spectra
from hsi_xr.reconstructors.guided_posterior import FLOOR, Config, GuidedPosterior

BANDS = 31


def _seen(camera, cube):
    return torch.einsum("cb,bhw->chw", camera, cube)


def _source():
    rng = torch.Generator().manual_seed(0)
    at = torch.linspace(-1, 1, BANDS)
    peaks = torch.tensor([0.6, 0.0, -0.6])[None, :, None]
    peaks = peaks + 0.05 * torch.randn(3, 3, 1, generator=rng)
    cameras = torch.exp(-((at - peaks) ** 2) / 0.1)
    cameras = cameras / cameras.sum(-1, keepdim=True)
    slopes = (0.8 * torch.randn(2, 40, 1, generator=rng) * at).exp()
    groups = list(0.15 * slopes * (0.3 * torch.randn(2, 40, 1, generator=rng)).exp())

    def ground(side):
        return spectra(groups, side * side, rng).T.reshape(BANDS, side, side)

    plots = [
        Textured(fine, _seen(cameras[0], fine), coarse, _seen(cameras[0], coarse))
        for fine, coarse in ((ground(44), ground(12)) for _ in range(3))
    ]
    return Source(plots, groups, Studio(cameras, display(cameras.mean(0)), torch.cat(groups)))


def _model(source):
    rng = torch.Generator().manual_seed(1)
    model = GuidedPosterior(Config(gaussians=5, cameras=3, steps=0)).eval()
    model.photofinishing.cameras.data = source.studio.cameras
    model.photofinishing.observer.data = source.studio.display
    fitted = fit_mixture.fit(spectra(source.groups, 2000, rng), 5, rng, rounds=4)
    model.mixture.load_state_dict(fitted.state_dict())
    return model


def test_nine_in_ten_errors_of_shape_lie_within_what_is_not_the_levels(monkeypatch):
    monkeypatch.setattr(calibrate, "BATCHES", 2)
    source = _source()
    model = _model(source)
    calibrate.temper(model, source, torch.Generator().manual_seed(2))
    *_, pictures = calibrate._shots(source, torch.Generator().manual_seed(2))
    within = []
    for shot, cube in pictures:
        found = reconstruct(model, shot)
        facts = calibrate.surveyed(model, shot)
        assert facts["level_std"] > 0.1
        belief = model.posterior(shot.rgb[None], facts)
        own = belief.std / (belief.mean + FLOOR) * facts["uncertainty_scale"][:, None, None]
        level = cube.mean() / found.cube.mean()
        far = (level * found.cube - cube).abs() / (level * (found.cube + FLOOR) * own)
        within.append((far[0] <= NINETY)[:, cube.mean(0) >= DARK])
    share = torch.cat(within, dim=1).float().mean(1)
    torch.testing.assert_close(share, torch.full_like(share, 0.9), atol=0.02, rtol=0)
