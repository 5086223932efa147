"""Chromaticity histograms describe the colours of a scene, whatever windows they come from."""

import pytest
import torch

from hsi_xr.networks.chromaticity import (
    FAINTEST,
    SIDE,
    STEPS,
    chromaticity_histogram,
    scene_colours,
    shares,
)


def _rgb(columns=23):
    rng = torch.Generator().manual_seed(3)
    return torch.rand(2, 3, 17, columns, generator=rng) ** 2


def test_histograms_of_windows_average_to_that_of_the_scene():
    rgb = _rgb()
    left, right = chromaticity_histogram(rgb[..., :9]), chromaticity_histogram(rgb[..., 9:])
    torch.testing.assert_close((9 * left + 14 * right) / 23, chromaticity_histogram(rgb))


def test_pixels_without_weight_do_not_count():
    rgb = _rgb()
    weights = torch.ones(2, 1, 17, 23)
    weights[..., 15:] = 0
    torch.testing.assert_close(
        chromaticity_histogram(rgb, weights), chromaticity_histogram(rgb[..., :15])
    )


def test_shares_sum_to_one_and_keep_the_mean_colour():
    rgb = _rgb()
    share, colours = shares(chromaticity_histogram(rgb))
    assert share.shape == (2, SIDE**2)
    torch.testing.assert_close(share.sum(1), torch.ones(2))
    mean = rgb.mean((2, 3))
    torch.testing.assert_close((share[:, None] * colours).sum(2), mean)


def test_colours_keep_the_moments_of_brightness():
    rgb = _rgb()[:1].clamp(min=0.01)
    colours = scene_colours(chromaticity_histogram(rgb)[0])
    log = rgb.mean(1).log()
    torch.testing.assert_close(colours.share @ colours.log_level, log.mean())
    square = colours.log_level_var + colours.log_level.square()
    torch.testing.assert_close(colours.share @ square, log.square().mean())


@pytest.mark.parametrize("share", [0.005, 0.1, 0.6])
def test_a_share_of_the_pixels_is_darker_than_the_darkest_value(share):
    rgb = _rgb(900)[:1]
    dark = scene_colours(chromaticity_histogram(rgb)[0]).darkest(share)
    below = (rgb[0] < dark[:, None, None]).float().mean((1, 2))
    assert (below <= share).all()
    step_up = (dark * FAINTEST ** (-1 / STEPS)).clamp(min=FAINTEST * 1.12)
    assert ((rgb[0] <= step_up[:, None, None]).float().mean((1, 2)) >= share).all()


def test_subtracting_an_offset_from_colours_is_subtracting_it_from_pixels():
    rgb, offset = 0.3 + 0.2 * _rgb()[:1], torch.tensor([0.02, 0.03, 0.06])
    before = scene_colours(chromaticity_histogram(rgb)[0]).without(offset)
    pixels = rgb - offset[:, None, None]
    torch.testing.assert_close(before.share @ before.rgb, pixels.mean((0, 2, 3)))
    mean = pixels.mean(1).log().mean()
    torch.testing.assert_close(before.share @ before.log_level, mean, atol=2e-3, rtol=0)
