"""Pictures of held-out ground, and what the mixture is given of them."""

import torch

from examples.picture_model.degrade import Damage
from examples.picture_model.model import PictureModel
from examples.picture_model.score import DISPLAYED, cleaned, pairs, told
from hsi_xr.networks.projected_mixture import colours
from tests.picture_model.test_model import CONFIG


def _cube(rows=17, columns=23, bands=31):
    rng = torch.Generator().manual_seed(0)
    level = 0.05 + 0.3 * torch.rand(1, rows, columns, generator=rng)
    return level * (1 + 0.2 * torch.rand(bands, rows, columns, generator=rng))


def _responses():
    responses = torch.rand(2, 3, 31, generator=torch.Generator().manual_seed(1))
    return list(responses / responses.sum(-1, keepdim=True))


def test_every_camera_takes_every_cube_at_the_exposure_for_display():
    cubes = [_cube(), _cube(9, 12)]
    found = pairs(cubes, _responses(), Damage(shot=0.02, eight_bit=True))
    assert [pair.truth.shape[1:] for pair in found] == [(17, 23)] * 2 + [(9, 12)] * 2
    for pair in found:
        torch.testing.assert_close(pair.clean.mean(), torch.tensor(DISPLAYED))
        error = pair.picture - pair.clean
        assert 0 < error.std() < 0.03 and error.mean().abs() < 0.005


def test_images_of_any_size_are_cleaned_and_an_untrained_model_keeps_them():
    picture = pairs([_cube()], _responses(), Damage(quality=75, eight_bit=True))[0].picture
    found = cleaned(PictureModel(CONFIG).eval(), picture)
    torch.testing.assert_close(found, picture)


def test_the_noise_that_is_told_is_that_of_colours_not_of_brightness():
    clean = pairs([_cube()], _responses(), Damage())[0].clean
    assert told(1.3 * clean, clean).noise < 1e-6
    tinted = clean * torch.tensor([1.1, 1.0, 0.9])[:, None, None]
    error = colours(tinted[None])[1] - colours(clean[None])[1]
    assert abs(told(tinted, clean).noise - error.square().mean().sqrt()) < 1e-6
    assert told(tinted, clean).rgb is tinted
