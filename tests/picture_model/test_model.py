"""The picture model changes nothing before training, and draws from noise."""

import pytest
import torch

from examples.picture_model.model import PictureConfig, PictureModel, decode, encode
from hsi_xr.reconstructors._base import SceneWindows
from hsi_xr.reconstructors._whole_image import ground_noise

CONFIG = PictureConfig(widths=(8, 12), blocks=(1, 1), head=4, guide=4, step=8)


@pytest.fixture
def picture():
    return torch.rand(2, 3, 12, 18, generator=torch.Generator().manual_seed(0))


def trained():
    """A model whose last layer is not zero."""
    torch.manual_seed(0)
    model = PictureModel(CONFIG).eval()
    torch.nn.init.normal_(model.network.head.weight, std=0.05)
    return model


def scene(picture):
    return SceneWindows.entire(picture[:1])


@torch.no_grad()
def test_an_untrained_model_changes_nothing(picture):
    model, image = PictureModel(CONFIG).eval(), picture[:1]
    noise = ground_noise(image, bands=3, seed=1)
    drawn = (model.draw_once(image, noise), model.whole(scene(picture), noise)[0])
    for found in (model.mean(image), *drawn):
        torch.testing.assert_close(found, image)


def test_the_chain_encodes_the_ratio_to_the_picture(picture):
    clean = picture.flip(2)
    near = (clean + 0.02) / (picture + 0.02)
    inside = (near.log().abs() < 0.85).all(1, keepdim=True).expand_as(near)
    found = decode(encode(clean, picture), picture)
    torch.testing.assert_close(found[inside], clean[inside], rtol=1e-4, atol=1e-5)
    assert encode(picture, picture).count_nonzero() == 0
    assert (decode(torch.full_like(picture, -1e9), picture) >= 0).all()


@torch.no_grad()
def test_draws_follow_the_noise(picture):
    model, image = trained(), picture[:1]
    first, again, other = (
        model.whole(scene(picture), ground_noise(image, bands=3, seed=seed))[0]
        for seed in (1, 1, 2)
    )
    assert first.equal(again) and not first.equal(other)
    assert not first.equal(image) and (first >= 0).all()


@torch.no_grad()
def test_tiles_with_the_statistics_of_the_scene_are_the_scene(picture):
    model, image = trained(), picture[:1]
    noise = ground_noise(image, bands=3, seed=3)
    whole, statistics = model.whole(scene(picture), noise)
    torch.testing.assert_close(model(image, noise, statistics), whole)
