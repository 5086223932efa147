"""Photofinishing is estimated from the colours of a scene."""

import pytest
import torch

from hsi_xr.networks.chromaticity import chromaticity_histogram
from hsi_xr.networks.gaussian_mixture import SpectralMixture
from hsi_xr.reconstructors._level import Level
from hsi_xr.reconstructors._photofinishing import (
    HAZE_COLOUR,
    Photofinishing,
    project_mixture,
)

BANDS = 9


@pytest.fixture(scope="module")
def mixture():
    rng = torch.Generator().manual_seed(0)
    mixture = SpectralMixture(BANDS, 6)
    shapes = (0.4 * torch.randn(6, BANDS, generator=rng)).exp()
    mixture.mean.data = shapes / shapes.mean(1, keepdim=True)
    mixture.cholesky.data = 0.02 * torch.randn(6, BANDS, BANDS, generator=rng).tril()
    mixture.cholesky.data[0] *= 10
    mixture.log_weight.data = torch.tensor([0.02, 0.2, 0.2, 0.2, 0.2, 0.18]).log()
    mixture.log_level.data.fill_(-2.5)
    mixture.log_level_std.data.fill_(0.3)
    return mixture


@pytest.fixture(scope="module")
def photofinishing():
    at = torch.linspace(0, 1, BANDS)

    def curves(width, *, shift=0.0):
        found = torch.stack([(-((at - c - shift) ** 2) / width).exp() for c in (0.75, 0.5, 0.25)])
        return found / found.sum(1, keepdim=True)

    photofinishing = Photofinishing(BANDS, 4)
    photofinishing.cameras.data = torch.stack([curves(0.06, shift=s / 50) for s in range(-2, 2)])
    photofinishing.observer.data = curves(0.01)
    return photofinishing


def _image(mixture, response, level=1.0):
    rng = torch.Generator().manual_seed(4)
    kinds = torch.randint(1, 6, (600,), generator=rng)
    noise = torch.randn(600, BANDS, 1, generator=rng)
    spectra = mixture.mean[kinds] + (mixture.cholesky[kinds] @ noise)[..., 0]
    spectra = spectra * (-2.5 + 0.3 * torch.randn(600, 1, generator=rng)).exp()
    return (level * spectra @ response.T).clamp(min=1e-4).T.reshape(1, 3, 20, 30)


def _statistics(mixture, photofinishing, rgb):
    return photofinishing(mixture, chromaticity_histogram(rgb)[0], None)


def test_reflectance_of_a_known_camera_is_kept(mixture, photofinishing):
    camera = photofinishing.cameras[1]
    statistics = photofinishing(mixture, None, camera)
    torch.testing.assert_close(statistics["response"], camera)
    assert statistics["gain"].equal(torch.ones(1, 3))
    assert not statistics["level_std"].any() and statistics["colour_covariance"].abs().max() < 1e-9


def test_an_unknown_camera_is_the_mean_with_a_covariance(mixture, photofinishing):
    statistics = photofinishing(mixture, None, None)
    torch.testing.assert_close(statistics["response"], photofinishing.cameras.mean(0))
    assert (statistics["colour_covariance"].diagonal(dim1=1, dim2=2) > 0).all()
    assert statistics["level_std"] > 0


def test_colour_corrected_images_are_distinguished_from_raw_ones(mixture, photofinishing):
    camera = photofinishing.cameras[2]
    corrected = mixture.colour_corrected(camera, photofinishing.observer, torch.ones(1))
    raw, displayed = (
        photofinishing(mixture, chromaticity_histogram(_image(mixture, response))[0], None)
        for response in (camera, corrected)
    )
    for statistics, right, wrong in ((raw, camera, corrected), (displayed, corrected, camera)):
        near, far = ((statistics["response"] - each).norm() for each in (right, wrong))
        assert near < far


def test_an_image_as_bright_as_its_ground_keeps_its_level(mixture, photofinishing):
    statistics = photofinishing(
        mixture, chromaticity_histogram(_image(mixture, photofinishing.cameras[0]))[0], None
    )
    assert statistics["gain"].log().abs().max() < 0.1


def test_an_image_exposed_for_display_gets_a_gain_that_follows_the_exposure(
    mixture, photofinishing
):
    image = _image(mixture, photofinishing.cameras[0])
    found = [_statistics(mixture, photofinishing, exposure * image) for exposure in (3.0, 6.0)]
    (once, _), (twice, interval) = ((s["gain"][0, 0], s["level_interval"][0]) for s in found)
    assert float(twice / once) == pytest.approx(2, rel=0.1)
    assert interval[0] < 6 < interval[1]


def test_haze_is_subtracted(mixture, photofinishing):
    image = 4 * _image(mixture, photofinishing.cameras[0])
    dark = image * torch.linspace(0.02, 1, 30)  # shadows
    offset = 0.05 * torch.tensor(HAZE_COLOUR)[:, None, None]
    clear, hazy = (_statistics(mixture, photofinishing, each) for each in (dark, dark + offset))
    assert clear["haze"].max() < 0.01
    torch.testing.assert_close(hazy["haze"][0], offset[:, 0, 0], rtol=0.4, atol=0)
    low, high = clear["level_interval"][0]
    assert low < hazy["gain"][0, 0] < high


def test_the_statistics_project_the_mixture(mixture, photofinishing):
    rgb = _image(mixture, photofinishing.cameras[0])
    statistics = photofinishing(mixture, chromaticity_histogram(rgb)[0], None)
    posterior = project_mixture(mixture, statistics).posterior(rgb, statistics["level_std"])
    assert posterior.mean.shape == (1, BANDS, 20, 30) and posterior.mean.isfinite().all()


def test_a_stated_level_leaves_the_colour_matrix_to_the_colours(mixture, photofinishing):
    colours = chromaticity_histogram(_image(mixture, photofinishing.cameras[2]))[0]
    free = photofinishing(mixture, colours, None)
    stated = photofinishing(mixture, colours, None, Level(2.5, 0.125))
    assert stated["gain"].tolist() == [[2.5] * 3] and stated["level_std"].tolist() == [0.125]
    assert not stated["haze"].any()
    interval = stated["level_interval"][0] / 2.5
    torch.testing.assert_close(interval.log(), 1.645 * torch.tensor([-0.125, 0.125]))
    for name in free.keys() - {"haze", "gain", "level_interval", "level_std"}:
        assert torch.equal(free[name], stated[name])
