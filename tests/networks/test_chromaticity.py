"""Chromaticity histograms describe the colours of a scene, whatever windows they come from."""

import torch

from hsi_xr.networks.chromaticity import SIDE, chromaticity_histogram, shares


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
