"""Damaged images keep what is common to an image: brightness and colours."""

import pytest
import torch
import torch.nn.functional as F

from examples.picture_model.degrade import Damage, blur, degrade, random_damage, saturate
from examples.picture_model.textures import MARGIN, Textures, vary
from hsi_xr.camera.srgb import srgb_decode


def _rng(seed=0):
    return torch.Generator().manual_seed(seed)


def _texture(rows=58, columns=75, seed=1):
    """Smooth patches with grain, in linear RGB below full scale."""
    coarse = torch.randn(1, 3, 7, 9, generator=_rng(seed))
    smooth = F.interpolate(coarse, (rows, columns), mode="bicubic")[0]
    grain = 0.1 * torch.randn(1, rows, columns, generator=_rng(seed + 1))
    return (0.3 * (0.8 * smooth - 1 + grain).exp()).clamp(0.01, 0.9)


@pytest.mark.parametrize(
    "damage",
    [
        Damage(blur=0.7),
        Damage(shot=0.03, read=0.004),
        Damage(mosaic=True),
        Damage(sharpening=0.8, eight_bit=True),
        Damage(quality=75, eight_bit=True),
        Damage(quality=75, coarse_colours=True, eight_bit=True),
    ],
    ids=lambda damage: str(damage)[7:-1],
)
def test_damage_keeps_the_mean_and_changes_pixels(damage):
    texture = _texture()
    picture, clean = degrade(texture, damage, _rng(2))
    assert clean.equal(texture) and picture.shape == texture.shape
    # an unsharp mask keeps the mean of sRGB, not that of light
    rtol = 0.05 if damage.sharpening else 0.01
    torch.testing.assert_close(picture.mean((1, 2)), texture.mean((1, 2)), rtol=rtol, atol=0)
    assert (picture - texture).std() > 1e-3
    assert picture.min() >= 0 and picture.max() <= 1


def test_no_damage_changes_nothing_below_full_scale():
    picture, clean = degrade(2 * _texture(), Damage(), _rng())
    assert clean.equal(2 * _texture())
    assert picture.equal(clean.clamp(max=1)) and clean.max() > 1


def test_eight_bits_are_within_half_a_count():
    ramp = srgb_decode(torch.linspace(0, 1, 999)).expand(3, 2, 999)
    picture, _ = degrade(ramp, Damage(eight_bit=True), _rng())
    assert len(picture.unique()) == 256
    assert (picture - ramp).abs().max() <= 0.5 / 255 * 2.4  # the steepest slope of the sRGB curve


def test_saturation_keeps_luminance_and_greys():
    texture = torch.lerp(_texture(), _texture().mean(0, keepdim=True), 0.7)
    found = saturate(texture, 1.2)
    assert (found > 0).all()
    luminance = torch.tensor([0.2126, 0.7152, 0.0722])
    brightness = (torch.einsum("c,chw->hw", luminance, each) for each in (texture, found))
    torch.testing.assert_close(*brightness)
    grey = texture[:1].expand(3, -1, -1)
    torch.testing.assert_close(saturate(grey, 1.4), grey)
    assert found.std(0).mean() > texture.std(0).mean()


def test_the_clean_image_has_the_colours_of_the_damaged_one():
    picture, clean = degrade(_texture(), Damage(saturation=1.25), _rng())
    torch.testing.assert_close(picture, clean)


def test_blur_keeps_even_areas():
    even = torch.tensor([0.1, 0.5, 0.9])[:, None, None].expand(3, 9, 14)
    torch.testing.assert_close(blur(even, 0.8), even)


def test_some_images_are_undamaged_and_draws_repeat():
    drawn = [random_damage(_rng(seed)) for seed in range(400)]
    assert drawn == [random_damage(_rng(seed)) for seed in range(400)]
    undamaged = sum(each in (Damage(), Damage(eight_bit=True)) for each in drawn)
    assert 0.2 < undamaged / 400 < 0.3
    qualities = {each.quality for each in drawn}
    assert qualities <= {0, *range(65, 96)} and len(qualities) > 25


def test_exposures_are_between_forest_and_display():
    means = torch.stack([vary(_texture(), _rng(seed)).mean() for seed in range(200)])
    assert 0.02 < means.min() < 0.04 and 0.3 < means.max() < 0.5


def test_batches_are_crops_of_every_origin():
    """Two origins: one bright at the right of every red value, one without blue."""
    dark = _texture(70, 64) * torch.tensor([1.0, 1.0, 0.05])[:, None, None]
    batch = Textures([[_texture()], [dark]]).draw(_rng(3), count=24, side=58 - MARGIN - 10)
    assert batch.picture.shape == batch.clean.shape == (24, 3, 40, 40)
    assert batch.is_finite() and (batch.clean >= 0).all()
    blue = batch.clean[:, 2].mean((1, 2)) / batch.clean.mean((1, 2, 3))
    assert (blue < 0.5).any() and (blue > 0.5).any()
