"""The exposure of an image is estimated from its colours, whatever the exposure is."""

import math

import pytest
import torch

from hsi_xr.networks.chromaticity import chromaticity_histogram, scene_colours
from hsi_xr.reconstructors._exposure import (
    LOG_EXPOSURE,
    LOG_EXPOSURE_STD,
    LOG_GAIN,
    LOG_GAIN_STD,
    LOG_GROUND,
    LOG_GROUND_STD,
    P_UNCHANGED,
    SUNLIT,
    UNCHANGED_STD,
    exposure_of,
    sunlit_ground,
)


def _image():
    rng = torch.Generator().manual_seed(5)
    colours = torch.tensor([[0.2, 0.3, 0.1], [0.4, 0.3, 0.2], [0.3, 0.3, 0.3]])
    picks = torch.randint(3, (1, 41, 67), generator=rng)
    light = (0.5 * torch.randn(1, 41, 67, generator=rng)).exp()
    return (colours[picks] * light[..., None]).movedim(3, 1) / 4


def _ground(rgb):
    colours = scene_colours(chromaticity_histogram(rgb)[0])
    return sunlit_ground(colours, torch.full_like(colours.share, -2.0))


def test_an_image_twice_as_bright_has_twice_the_ratio():
    rgb = _image()
    once, twice = _ground(rgb), _ground(2 * rgb)
    assert float(twice.log_ratio - once.log_ratio) == pytest.approx(math.log(2), abs=0.02)
    assert float(twice.usual) == pytest.approx(-2.0, abs=1e-5)


def test_the_ratio_is_the_quantile_of_pixels_weighted_by_brightness():
    rgb = _image()
    level = rgb.mean(1).flatten().sort().values
    exact = level[int((level.cumsum(0) < SUNLIT * level.sum()).sum())].log() + 2.0
    assert float(_ground(rgb).log_ratio) == pytest.approx(float(exact), abs=0.05)


def test_shadows_hardly_change_the_ratio():
    rgb = _image()
    shaded = rgb.clone()
    shaded[..., :20] *= 0.1
    assert float(_ground(shaded).log_ratio) == pytest.approx(float(_ground(rgb).log_ratio), abs=0.1)


@pytest.mark.parametrize("std", [0.2, 0.5])
def test_intervals_contain_nine_tenths_of_the_gains_that_they_assume(std):
    rng = torch.Generator().manual_seed(1)
    n = 2000
    normal = torch.randn(n, 4, generator=rng)
    unchanged = torch.rand(n, generator=rng) < P_UNCHANGED
    gain = torch.where(
        unchanged, UNCHANGED_STD * normal[:, 0], LOG_GAIN + LOG_GAIN_STD * normal[:, 0]
    )
    bright = torch.where(
        unchanged,
        LOG_GROUND + LOG_GROUND_STD * normal[:, 1],
        LOG_EXPOSURE + LOG_EXPOSURE_STD * normal[:, 1],
    )
    ratio = gain + std * normal[:, 2]
    within = 0
    for b, r, g in zip(bright, ratio, gain):
        low, high = exposure_of(b, r, torch.tensor(std)).interval
        within += bool(low <= g <= high)
    assert within / n == pytest.approx(0.9, abs=0.03)


def test_the_gain_is_within_its_interval():
    for ratio in (-1.0, 0.1, 2.5):
        found = exposure_of(torch.tensor(-1.5), torch.tensor(ratio), torch.tensor(0.35))
        assert found.interval[0] <= found.log_gain <= found.interval[1]
