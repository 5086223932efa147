"""How a picture was made, told from its colours."""

import pytest
import torch

from hsi_xr.networks.chromaticity import chromaticity_histogram
from hsi_xr.networks.gaussian_mixture import SpectralMixture
from hsi_xr.reconstructors._photofinishing import Photofinishing, project_mixture

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
def development():
    at = torch.linspace(0, 1, BANDS)

    def curves(width, *, shift=0.0):
        found = torch.stack([(-((at - c - shift) ** 2) / width).exp() for c in (0.75, 0.5, 0.25)])
        return found / found.sum(1, keepdim=True)

    development = Photofinishing(BANDS, 4)
    development.cameras.data = torch.stack([curves(0.06, shift=s / 50) for s in range(-2, 2)])
    development.observer.data = curves(0.01)
    return development


def _picture(mixture, response, level=1.0):
    rng = torch.Generator().manual_seed(4)
    kinds = torch.randint(1, 6, (600,), generator=rng)
    noise = torch.randn(600, BANDS, 1, generator=rng)
    spectra = mixture.mean[kinds] + (mixture.cholesky[kinds] @ noise)[..., 0]
    spectra = spectra * (-2.5 + 0.3 * torch.randn(600, 1, generator=rng)).exp()
    return (level * spectra @ response.T).clamp(min=1e-4).T.reshape(1, 3, 20, 30)


def test_reflectance_seen_by_a_known_camera_is_taken_as_it_is(mixture, development):
    camera = development.cameras[1]
    facts = development(mixture, None, camera)
    torch.testing.assert_close(facts["response"], camera)
    assert facts["gain"].equal(torch.ones(1, 3))
    assert not facts["level_std"].any() and facts["colour_covariance"].abs().max() < 1e-9


def test_of_an_unknown_camera_the_mean_is_taken_with_doubt(mixture, development):
    facts = development(mixture, None, None)
    torch.testing.assert_close(facts["response"], development.cameras.mean(0))
    assert (facts["colour_covariance"].diagonal(dim1=1, dim2=2) > 0).all() and facts[
        "level_std"
    ] > 0


def test_pictures_through_a_colour_matrix_are_told_from_raw_ones(mixture, development):
    camera = development.cameras[2]
    developed = mixture.colour_corrected(camera, development.observer, torch.ones(1))
    raw, made = (
        development(mixture, chromaticity_histogram(_picture(mixture, response))[0], None)
        for response in (camera, developed)
    )
    for facts, right, wrong in ((raw, camera, developed), (made, developed, camera)):
        near, far = ((facts["response"] - each).norm() for each in (right, wrong))
        assert near < far


def test_a_picture_as_bright_as_its_ground_keeps_its_level(mixture, development):
    facts = development(
        mixture, chromaticity_histogram(_picture(mixture, development.cameras[0]))[0], None
    )
    assert facts["gain"].log().abs().max() < 0.1


def test_a_picture_far_brighter_than_ground_was_exposed(mixture, development):
    response = development.cameras[0]
    gains = [
        float(
            development(mixture, chromaticity_histogram(_picture(mixture, response, 8.0))[0], None)[
                "gain"
            ][0, 0]
        )
    ]
    gains += [
        float(
            development(mixture, chromaticity_histogram(_picture(mixture, response, 4.0))[0], None)[
                "gain"
            ][0, 0]
        )
    ]
    assert gains[0] > gains[1] > 1.5


def test_facts_serve_the_mixture(mixture, development):
    rgb = _picture(mixture, development.cameras[0])
    facts = development(mixture, chromaticity_histogram(rgb)[0], None)
    believed = project_mixture(mixture, facts).posterior(rgb, facts["level_std"])
    assert believed.mean.shape == (1, BANDS, 20, 30) and believed.mean.isfinite().all()
