"""A mixture of spectra in the colours of a camera: Gaussian conditioning and its properties."""

import math

import pytest
import torch

from hsi_xr.networks.gaussian_mixture import SpectralMixture

BANDS, COUNT = 9, 5
CERTAIN = torch.tensor(0.0)


def _mixture(count=COUNT, seed=0):
    rng = torch.Generator().manual_seed(seed)
    mixture = SpectralMixture(BANDS, count)
    shapes = (0.3 * torch.randn(count, BANDS, generator=rng)).exp()
    mixture.mean.data = shapes / shapes.mean(1, keepdim=True)
    mixture.cholesky.data = 0.05 * torch.randn(count, BANDS, BANDS, generator=rng).tril()
    mixture.log_weight.data = torch.rand(count, generator=rng).log()
    mixture.log_level.data = torch.randn(count, generator=rng) - 2
    return mixture


def _camera(seed=1):
    curves = torch.rand(3, BANDS, generator=torch.Generator().manual_seed(seed)) ** 2
    return curves / curves.sum(1, keepdim=True)


def _rgb(rows=7, columns=5, seed=2):
    rng = torch.Generator().manual_seed(seed)
    grey = torch.rand(2, 1, rows, columns, generator=rng) * 0.4 + 0.02
    return grey * (0.2 * torch.randn(2, 3, rows, columns, generator=rng)).exp()


def test_one_gaussian_is_conditioned_as_the_textbook_does():
    mixture, camera = _mixture(1), _camera()
    rgb = 0.2 + 0.02 * _rgb(1, 1)[:1]
    found = mixture.project(camera, noise=torch.tensor(0.01)).posterior(rgb, CERTAIN)
    # shapes over the camera's brightness, to first order: mean m and covariance J C J^T
    shape, factor = mixture.mean[0].double(), mixture.cholesky[0].double()
    through = camera.double().mean(0)
    m = shape / (shape @ through)
    turn = (torch.eye(BANDS) - torch.outer(m, through)) / (shape @ through)
    cov = turn @ factor @ factor.T @ turn.T
    two = camera.double()[[0, 2]]
    scatter = two @ cov @ two.T + 0.01**2 * torch.eye(2)
    pixel = rgb[0, :, 0, 0].double()
    level = pixel.mean()
    gain = cov @ two.T @ torch.linalg.inv(scatter)
    mean = m + gain @ (pixel[[0, 2]] / level - two @ m)
    variance = (cov - gain @ two @ cov).diagonal()
    torch.testing.assert_close(found.mean[0, :, 0, 0], (level * mean).float())
    torch.testing.assert_close(found.std[0, :, 0, 0], (level * variance.sqrt()).float())


def test_without_noise_the_mean_has_the_colours_of_the_image():
    camera, rgb = _camera(), 0.1 + 0.02 * _rgb()  # colours that spectra of the mixture can have
    found = _mixture().project(camera, noise=torch.tensor(1e-6)).posterior(rgb, CERTAIN)
    seen = torch.einsum("cb,nbhw->nchw", camera, found.mean)
    torch.testing.assert_close(seen, rgb, rtol=2e-4, atol=1e-5)


def test_without_a_known_level_twice_the_light_is_twice_the_spectrum():
    seen = _mixture().project(_camera(), noise=torch.tensor(0.01))
    one, two = (seen.posterior(k * _rgb(), torch.tensor(math.inf)) for k in (1, 2))
    torch.testing.assert_close(two.mean, 2 * one.mean)
    torch.testing.assert_close(two.std, 2 * one.std)


def test_the_mean_alone_is_that_of_the_posterior():
    seen, rgb = _mixture().project(_camera(), noise=torch.tensor(0.01)), _rgb()
    torch.testing.assert_close(seen.posterior_mean(rgb, CERTAIN), seen.posterior(rgb, CERTAIN).mean)


def test_a_pixel_depends_only_on_itself(monkeypatch):
    seen, rgb = _mixture().project(_camera(), noise=torch.tensor(0.01)), _rgb(13, 11)
    whole = seen.posterior(rgb, CERTAIN)
    monkeypatch.setattr("hsi_xr.networks.projected_mixture.STRIP", 20)
    for name, part in vars(seen.posterior(rgb[:, :, 2:9, 3:10], CERTAIN)).items():
        own = getattr(whole, name)[:, :, 2:9, 3:10]
        torch.testing.assert_close(part, own, rtol=1e-3, atol=1e-4)


def test_an_uncertain_camera_makes_spectra_less_certain():
    rgb, noise = _rgb(), torch.tensor(0.004)
    covariance = (0.1**2 * torch.eye(2)).expand(COUNT, 2, 2)
    mixture = _mixture(1)
    certain = mixture.project(_camera(), noise=noise).posterior(rgb, CERTAIN)
    uncertain = mixture.project(_camera(), noise=noise, covariance=covariance[:1]).posterior(
        rgb, CERTAIN
    )
    assert (uncertain.std > certain.std).all()


def test_colours_that_no_spectrum_has_are_novel():
    mixture, camera = _mixture(), _camera()
    mixture.cholesky.data[0] *= 20
    mixture.log_weight.data[0] -= 3
    seen = mixture.project(camera, noise=torch.tensor(0.004))
    own = 0.1 * torch.einsum("cb,b->c", camera, mixture.mean[2]).view(1, 3, 1, 1)
    green = torch.tensor([0.02, 0.5, 0.02]).view(1, 3, 1, 1)
    usual, odd = (float(seen.posterior(rgb, CERTAIN).novelty) for rgb in (own, green))
    assert usual < 0.2 and odd > 0.99


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_a_colour_matrix_keeps_white_white(strength):
    mixture, observer = _mixture(), _camera(5)
    cameras = torch.stack([_camera(), _camera(7)])
    found = mixture.colour_corrected(cameras, observer, torch.tensor([strength]))
    torch.testing.assert_close(found.sum(-1), torch.ones(2, 3), rtol=1e-4, atol=1e-4)
    if not strength:
        torch.testing.assert_close(found, cameras)
    else:
        apart = [(each - observer).norm() for each in (found[0], cameras[0])]
        assert apart[0] < apart[1]
