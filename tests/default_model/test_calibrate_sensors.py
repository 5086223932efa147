"""Deviations of sensors with more than three channels: calibrated on ground that is left out."""

import pytest
import torch

from examples.default_model import calibrate_sensors as calibration
from examples.default_model.calibrate import error_ratios
from examples.default_model.sensor_table import image_of
from hsi_xr.band_grid import Bands
from tests.default_model.small import fitted_model, training_data

VISIBLE = Bands.regular(400, 700, 10)


@pytest.fixture
def calibrated(monkeypatch):
    monkeypatch.setattr(calibration, "SPECTRA", 1500)
    monkeypatch.setattr(calibration, "ROUNDS", 3)
    data = training_data()
    model = fitted_model(data)
    before = {name: weights.clone() for name, weights in model.state_dict().items()}
    calibration.calibrate_sensors(model, data, VISIBLE, torch.Generator().manual_seed(2))
    return model, data, before


def test_only_the_row_of_sensors_changes_and_no_deviation_becomes_narrower(calibrated):
    model, _, before = calibrated
    for name, weights in model.state_dict().items():
        if name != "uncertainty_scales":
            assert torch.equal(weights, before[name]), name
    scales = model.uncertainty_scales
    assert torch.equal(scales[:3], before["uncertainty_scales"][:3])
    assert (scales[3] >= 1).all() and (scales[3] > 1).any()


def test_nine_in_ten_values_of_ground_left_out_are_covered(calibrated):
    """Each origin has a mixture that was not fitted to it, as in the calibration."""
    model, data, _ = calibrated
    rng = torch.Generator().manual_seed(9)
    within = []
    for origin in data.groups:
        others = [group for group in data.groups if group is not origin]
        fold = calibration._fitted_to(model, others, rng)
        fold.uncertainty_scales.data[3] = model.uncertainty_scales[3]
        cube = origin[:36].T.reshape(len(VISIBLE), 4, 9).clamp(1e-4, 1)
        for response in calibration._responses(VISIBLE):
            within.append((error_ratios(fold, image_of(cube, response, 5), cube) <= 1).float())
    assert torch.cat(within, dim=1).mean() > 0.85


def test_weights_without_a_row_of_sensors_get_one():
    scales = torch.rand(3, 7) + 0.5
    found = calibration.with_sensor_row(scales)
    assert torch.equal(found, torch.cat([scales, torch.ones(1, 7)]))
    assert torch.equal(calibration.with_sensor_row(found), found)
