"""Draws of spectra through draws of the clean image."""

import pytest
import torch

from examples.picture_model.model import PictureModel
from examples.picture_model.score_draws import (
    DRAWS,
    draw_images,
    draw_spectra,
    energy_score,
    repeat,
    score_draws,
)
from tests.default_model.small import BANDS, fitted_model, project, training_data
from tests.picture_model.test_model import CONFIG, trained


@pytest.fixture(scope="module")
def data():
    return training_data()


@pytest.fixture
def cube(data):
    return data.plots[0].cube[:, :13, :18]


@pytest.fixture
def picture(data, cube):
    return project(data.simulator.cameras[0], cube)


@pytest.mark.parametrize("one_pass", [False, True])
def test_images_are_drawn_at_their_own_size(picture, one_pass):
    drawn = draw_images(trained(), picture, one_pass=one_pass)
    assert drawn.shape == (DRAWS, *picture.shape) and (drawn.std(0) > 0).all()
    kept = draw_images(PictureModel(CONFIG).eval(), picture, one_pass=one_pass)
    torch.testing.assert_close(kept, repeat(picture))


def test_each_draw_of_spectra_reads_its_own_image(data, cube, picture):
    spectra, images = fitted_model(data), repeat(picture).clone()
    before = draw_spectra(spectra, images)
    assert before.shape == (DRAWS, BANDS, 13, 18)
    # the colours of two draws change, their mean does not, and neither do the statistics
    tint = 0.1 * picture.mean() * torch.tensor([1.0, 0.0, -1.0])[:, None, None]
    images[3], images[7] = images[3] + tint, images[7] - tint
    changed = (draw_spectra(spectra, images) - before).abs().flatten(1).amax(
        1
    ) > 0.1 * before.mean()
    assert changed.nonzero().flatten().tolist() == [3, 7]


def test_scores_do_not_depend_on_the_level(data, cube, picture):
    draws = draw_spectra(fitted_model(data), repeat(picture))
    first, other = (score_draws(factor * draws, cube) for factor in (1.0, 2.5))
    assert first == pytest.approx(other, rel=1e-4)
    assert all(0 <= value <= 1 for key, value in first.items() if key.startswith("90"))


def test_the_energy_score_is_lowest_for_draws_from_the_distribution_of_the_truth():
    rng = torch.Generator().manual_seed(0)
    truth = 5 + torch.randn(4, 3000, generator=rng)
    noise = torch.randn(DRAWS, 4, 3000, generator=rng)
    scores = [energy_score(5 + width * noise, truth) for width in (0.6, 1.0, 1.5)]
    assert min(scores) == scores[1] < energy_score(5.5 + noise, truth)
    assert energy_score(truth.expand(DRAWS, -1, -1), truth) == pytest.approx(0, abs=1e-6)
