"""Joint draws from a mixture: the posterior of each pixel, and what the pixels of a scene share."""

import pytest
import torch

from hsi_xr.networks.gaussian_mixture import SpectralMixture
from hsi_xr.networks.mixture_draws import OWN, DrawNoise, MixtureDraw

BANDS, DRAWS = 7, 3000
CERTAIN = torch.tensor(0.0)


def _project(count, seed=0, spread=0.03):
    rng = torch.Generator().manual_seed(seed)
    mixture = SpectralMixture(BANDS, count)
    shapes = (0.1 * torch.randn(count, BANDS, generator=rng)).exp()
    mixture.mean.data = shapes / shapes.mean(1, keepdim=True)
    mixture.cholesky.data = spread * torch.randn(count, BANDS, BANDS, generator=rng).tril()
    mixture.log_weight.data = torch.rand(count, generator=rng).log()
    curves = torch.rand(3, BANDS, generator=rng) ** 2
    return mixture.project(curves / curves.sum(1, keepdim=True), noise=torch.tensor(0.03))


def _noise(count, rng):
    return DrawNoise(
        torch.rand(count, generator=rng),
        torch.randn(count, BANDS, generator=rng),
        torch.randn(OWN // 2, BANDS, generator=rng),
    )


def _rgb(rows, columns):
    rng = torch.Generator().manual_seed(3)
    return 0.2 * (0.03 * torch.randn(1, 3, rows, columns, generator=rng)).exp()


def _draws(mixture, rgb, *, shared):
    rng = torch.Generator().manual_seed(4)
    found = []
    for _ in range(DRAWS):
        tables = MixtureDraw.of(mixture, CERTAIN, _noise(len(mixture.mean), rng), shared=shared)
        words = torch.randint(2**32, rgb.shape[:1] + rgb.shape[2:], generator=rng)
        found.append(tables.reflectance(rgb, words))
    return torch.stack(found)


@pytest.mark.parametrize("shared", [0.0, 0.4, 1.0])
def test_each_pixel_has_the_mean_and_deviation_of_its_posterior(shared):
    mixture, rgb = _project(4), _rgb(2, 3)
    posterior, draws = mixture.posterior(rgb, CERTAIN), _draws(mixture, rgb, shared=shared)
    error = (draws.mean(0) - posterior.mean) / posterior.std
    assert error.abs().max() < 4.5 / DRAWS**0.5
    torch.testing.assert_close(draws.std(0), posterior.std, rtol=0.08, atol=0)


@pytest.mark.parametrize("shared", [0.0, 0.4, 1.0])
def test_pixels_of_a_gaussian_share_the_stated_part_of_the_variance(shared):
    mixture, rgb = _project(1), _rgb(1, 2)
    draws = _draws(mixture, rgb, shared=shared)[:, 0, :, 0] / rgb.mean(1)[0, 0]
    errors = draws - draws.mean(0)
    found = (errors[..., 0].T @ errors[..., 1]) / DRAWS
    scale = mixture.variance[0].max().float()
    expected = shared * mixture.covariance[0].float()
    torch.testing.assert_close(found / scale, expected / scale, rtol=0, atol=0.08)


def test_bands_of_a_pixel_vary_together_as_in_the_posterior():
    mixture, rgb = _project(1), _rgb(1, 1)
    draws = _draws(mixture, rgb, shared=0.5)[:, 0, :, 0, 0] / rgb.mean()
    scale = mixture.variance[0].max().float()
    found, expected = torch.cov(draws.T) / scale, mixture.covariance[0].float() / scale
    torch.testing.assert_close(found, expected, rtol=0, atol=0.08)


def test_a_pixel_depends_only_on_itself(monkeypatch):
    mixture, rgb = _project(5), _rgb(13, 11)
    rng = torch.Generator().manual_seed(6)
    tables = MixtureDraw.of(mixture, CERTAIN, _noise(5, rng), shared=0.5)
    words = torch.randint(2**32, (1, 13, 11), generator=rng)
    whole = tables.reflectance(rgb, words)
    monkeypatch.setattr("hsi_xr.networks.mixture_draws.STRIP", 17)
    part = tables.reflectance(rgb[:, :, 2:9, 3:10], words[:, 2:9, 3:10])
    torch.testing.assert_close(part, whole[:, :, 2:9, 3:10])


def test_pixels_of_one_colour_are_of_one_gaussian():
    mixture, rng = _project(6), torch.Generator().manual_seed(7)
    rgb = _rgb(1, 1) * torch.tensor([0.5, 1.0, 1.7])  # the same colour in three lights
    for _ in range(20):
        tables = MixtureDraw.of(mixture, torch.tensor(torch.inf), _noise(6, rng), shared=1.0)
        shapes = tables.reflectance(rgb, torch.zeros(1, 1, 3, dtype=torch.int64)) / rgb.mean(1)
        torch.testing.assert_close(shapes, shapes[..., :1].expand_as(shapes))
