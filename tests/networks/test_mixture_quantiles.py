"""Quantiles of a mixture's spectra, against samples and a search without approximations."""

import pytest
import torch

from hsi_xr.networks import mixture_quantiles
from hsi_xr.networks.mixture_quantiles import (
    posterior_quantiles,
    quantiles_of_normals,
    simplex,
    spread_about_median,
)
from tests.networks.test_gaussian_mixture import _camera, _mixture, _rgb

BANDS = 9
LEVELS = (0.03, 0.2, 0.5, 0.9)
P = torch.tensor(LEVELS)
STD = torch.tensor(0.3)


def _normals(mixtures=5, components=7, seed=0):
    rng = torch.Generator().manual_seed(seed)
    share = torch.rand(mixtures, components, 1, generator=rng) ** 3
    mean = torch.rand(mixtures, components, BANDS, generator=rng) ** 2
    std = 0.01 + 0.2 * torch.rand(1, components, BANDS, generator=rng)
    return share / share.sum(1, keepdim=True), mean, std


def test_the_distribution_function_at_a_quantile_is_its_probability():
    share, mean, std = (each.double() for each in _normals())
    found = quantiles_of_normals(share, mean, std, P)

    def mass(x):
        return (
            share[:, None] * torch.special.ndtr((x[:, :, None] - mean[:, None]) / std[:, None])
        ).sum(2)

    below = mass(torch.zeros_like(found))
    reached = (mass(found) - below) / (1 - below)
    torch.testing.assert_close(reached, P.double()[:, None].expand_as(reached), atol=5e-3, rtol=0)


def test_one_normal_distribution_far_from_zero_has_the_quantiles_of_the_textbook():
    mean, std = 3 + torch.rand(4, 1, BANDS), 0.1 + torch.rand(1, 1, BANDS) / 10
    found = quantiles_of_normals(torch.ones(4, 1, 1), mean, std, P)
    torch.testing.assert_close(found, mean + std * torch.special.ndtri(P)[:, None])


def test_quantiles_are_never_negative_even_of_distributions_around_zero():
    share, mean, std = _normals()
    found = quantiles_of_normals(share, mean - 0.4, std, P)
    assert (found >= 0).all() and (found.diff(dim=1) >= -1e-5).all() and found.isfinite().all()


def _found(rgb, mixture=None):
    seen = (mixture or _mixture()).project(_camera(), noise=torch.tensor(0.03))
    return posterior_quantiles(seen, seen.posterior(rgb, STD), rgb, STD, P)


def test_quantiles_of_a_table_are_near_those_of_a_fine_one(monkeypatch):
    rgb = _rgb(9, 14)
    coarse = _found(rgb)
    monkeypatch.setattr(mixture_quantiles, "CELL", 1e-3)
    monkeypatch.setattr(mixture_quantiles, "LEVEL_CELL", 1e-3)
    fine = _found(rgb)
    assert coarse.shape == (2, len(LEVELS), BANDS, 9, 14)
    error = (coarse - fine).abs() / fine.amax(1, keepdim=True)
    assert error.mean() < 0.02 and error.flatten().quantile(0.99) < 0.25


def test_the_gaussians_that_are_left_out_hardly_matter(monkeypatch):
    rgb, mixture = _rgb(5, 6), _mixture(90, seed=3)
    some = _found(rgb, mixture)
    monkeypatch.setattr(mixture_quantiles, "OF_NODE", 90)
    every = _found(rgb, mixture)
    error = (some - every).abs() / every.amax(1, keepdim=True)
    assert error.mean() < 0.01 and error.max() < 0.2


def test_corners_of_a_simplex_have_their_point_as_weighted_mean():
    points = 5 * torch.randn(40, 4, generator=torch.Generator().manual_seed(5))
    corners, weights = simplex(points)
    torch.testing.assert_close((weights[..., None] * corners).sum(1), points)
    assert (weights >= 0).all() and ((corners - points[:, None]).abs() <= 1).all()


def test_quantiles_are_continuous_in_colour():
    """Pixels along a line through many cells change by small steps, also across their borders."""
    ends = torch.tensor([[0.1, 0.3, 0.25], [0.5, 0.2, 0.3]])
    way = torch.linspace(0, 1, 2000)[:, None]
    rgb = (ends[0] + way * (ends[1] - ends[0])).T[None, :, None]
    found = _found(rgb)[0, :, :, 0]
    step = found.diff(dim=-1).abs().amax(-1)
    assert (step <= 0.02 * (found.amax(-1) - found.amin(-1)) + 1e-4).all()


def test_a_pixel_depends_only_on_itself():
    rgb = _rgb(13, 11)
    torch.testing.assert_close(_found(rgb[1:, :, 2:9, 3:10]), _found(rgb)[1:, :, :, 2:9, 3:10])


def test_samples_of_the_mixture_are_covered_as_stated():
    """Spectra are drawn, photographed and compared with the quantiles of their colour."""
    mixture, camera, noise = _mixture(seed=4), _camera(), 0.03
    mixture.cholesky.data *= 0.4  # to first order, the mixture is exact
    rng = torch.Generator().manual_seed(7)
    n = 4000
    chosen = mixture.log_weight.softmax(0).multinomial(n, replacement=True, generator=rng)
    mixture.log_weight.data = mixture.log_weight.log_softmax(0)
    draws = torch.randn(n, BANDS, 1, generator=rng)
    shape = mixture.mean[chosen] + (mixture.cholesky[chosen] @ draws)[..., 0]
    level = (mixture.log_level[chosen] + torch.randn(n, generator=rng)).exp()
    bright = shape @ camera.mean(0)
    rgb = shape @ camera.T / bright[:, None]
    red, blue = (rgb[:, [0, 2]] + noise * torch.randn(n, 2, generator=rng)).T
    seen = (level * bright)[:, None] * torch.stack([red, 3 - red - blue, blue], dim=1)
    truth = shape * level[:, None]
    certain = torch.tensor(0.0)
    projected = mixture.project(camera, noise=torch.tensor(noise))
    image = seen.T[None, :, None]
    posterior = projected.posterior(image, certain)
    found = posterior_quantiles(projected, posterior, image, certain, P)[0, :, :, 0]
    for probability, quantile in zip(LEVELS, found):
        share = (quantile >= truth.T).float().mean()
        assert share == pytest.approx(probability, abs=0.03)


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0])
def test_scaling_keeps_quantiles_in_order_and_positive(scale):
    rng = torch.Generator().manual_seed(2)
    quantiles = torch.rand(2, 5, BANDS, 3, 4, generator=rng).sort(1).values
    median = quantiles[:, 2:3]
    found = spread_about_median(quantiles, median, torch.full((BANDS, 1, 1), scale))
    assert (found >= 0).all() and (found.diff(dim=1) >= 0).all()
    torch.testing.assert_close(found[:, 2:3], median)
    if scale == 1:
        torch.testing.assert_close(found, quantiles)
