"""Calibrated uncertainty has the stated coverage on the ground that it was calibrated on."""

import torch

from examples.default_model import calibrate
from examples.default_model.score import DARK, NINETY, reconstruct
from hsi_xr.reconstructors.r2h_diff import FLOOR
from tests.default_model.small import fitted_model, training_data


def test_nine_in_ten_errors_of_shape_are_within_the_interval_without_the_level(monkeypatch):
    monkeypatch.setattr(calibrate, "BATCHES", 2)
    data = training_data()
    model = fitted_model(data)
    calibrate.calibrate_uncertainty(model, data, torch.Generator().manual_seed(2))
    *_, pairs = calibrate._simulate(data, torch.Generator().manual_seed(2))
    within = []
    for image, cube in pairs:
        estimate = reconstruct(model, image)
        statistics = calibrate.survey(model, image)
        assert statistics["level_std"] > 0.1
        posterior = model.posterior(image.rgb[None], statistics)
        scale = statistics["uncertainty_scale"][:, None, None]
        std = posterior.std / (posterior.mean + FLOOR) * scale
        level = cube.mean() / estimate.cube.mean()
        error = (level * estimate.cube - cube).abs() / (level * (estimate.cube + FLOOR) * std)
        within.append((error[0] <= NINETY)[:, cube.mean(0) >= DARK])
    share = torch.cat(within, dim=1).float().mean(1)
    torch.testing.assert_close(share, torch.full_like(share, 0.9), atol=0.02, rtol=0)
