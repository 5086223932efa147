"""Simulated ground and images obey the physics that they imitate."""

import io

import numpy as np
import pytest
import torch

from examples.default_model import jpeg
from examples.default_model.simulate_ground import (
    add_metamer,
    sample_spectra,
    simulate_scene,
    weather,
)
from examples.default_model.simulate_images import (
    ImageSimulator,
    bayer_sensor,
    colour_matrix,
    display_response,
    record_linear,
)
from hsi_xr.camera.srgb import srgb_decode, srgb_encode


def _rng(seed=0):
    return torch.Generator().manual_seed(seed)


def _simulator():
    bands = torch.linspace(-1, 1, 31)
    peaks = torch.tensor([0.6, 0.0, -0.6])[None, :, None]
    peaks = peaks + 0.05 * torch.randn(4, 3, 1, generator=_rng())
    cameras = torch.exp(-((bands - peaks) ** 2) / 0.1)
    cameras = cameras / cameras.sum(-1, keepdim=True)
    palette = 0.05 + torch.rand(50, 31, generator=_rng(1))
    return ImageSimulator(cameras, display_response(cameras.mean(0)), palette)


def _cube(rows=12, columns=21):
    return 0.02 + 0.3 * torch.rand(31, rows, columns, generator=_rng(3))


def test_srgb_coding_and_decoding_are_inverse():
    light = torch.linspace(0, 1, 4001)
    torch.testing.assert_close(srgb_decode(srgb_encode(light)), light, atol=1e-5, rtol=0)


def test_the_same_generator_takes_the_same_image():
    for seed in range(9):  # of either kind
        first, again = (_simulator().photograph(_cube(), _rng(seed)) for _ in "ab")
        assert torch.equal(first.rgb, again.rgb) and first.level_known == again.level_known
        assert first.rgb.shape == (3, 12, 21) and (first.rgb >= 0).all()


def test_linear_images_are_projections_with_a_little_noise():
    camera, cube = _simulator().random_camera(_rng(2)), _cube()
    image = record_linear(cube, camera, _rng(5), camera_known=True)
    torch.testing.assert_close(camera.sum(1), torch.ones(3))
    projected = torch.einsum("cb,bhw->chw", camera, cube)
    assert ((image.rgb / projected - 1).abs() < 0.03).all() and image.response is camera
    assert record_linear(cube, camera, _rng(5), camera_known=False).response is None


def test_metamers_are_other_spectra_of_the_same_colour():
    camera, cube = _simulator().cameras[1], 0.2 + _cube()
    other = add_metamer(cube, camera, _rng(6), strength=0.05)
    colours, again = (torch.einsum("cb,bhw->chw", camera, each) for each in (cube, other))
    torch.testing.assert_close(again, colours, rtol=1e-4, atol=1e-6)
    assert (other / cube - 1).abs().mean() > 0.01


def test_a_colour_matrix_brings_a_camera_closer_to_a_display():
    simulator = _simulator()
    camera = simulator.cameras[0]
    matrix = colour_matrix(camera, simulator.display, simulator.palette)
    torch.testing.assert_close(matrix.sum(1), torch.ones(3))
    target = simulator.palette @ simulator.display.T
    before, after = (
        (simulator.palette @ each.T - target).square().mean() for each in (camera, matrix @ camera)
    )
    assert after < 0.3 * before


def test_a_mosaic_sensor_keeps_even_colours_and_blurs_detail():
    even = torch.tensor([0.1, 0.3, 0.2])[:, None, None].expand(3, 9, 14)
    torch.testing.assert_close(bayer_sensor(even, noise=0, rng=_rng()), even)
    fine = torch.rand(3, 15, 22, generator=_rng())
    assert bayer_sensor(fine, noise=0, rng=_rng()).std() < fine.std()


@pytest.mark.parametrize("coarse", [False, True], ids=["4:4:4", "4:2:0"])
@pytest.mark.parametrize("quality", [65, 80, 95])
def test_jpeg_agrees_with_the_library(quality, coarse):
    image = pytest.importorskip("PIL.Image")
    smooth = torch.rand(1, 3, 6, 8, generator=_rng(8)) * 255
    values = torch.nn.functional.interpolate(smooth, (45, 61), mode="bicubic")[0]
    values = values.clamp(0, 255).round()
    file = io.BytesIO()
    array = values.permute(1, 2, 0).numpy().astype("uint8")
    image.fromarray(array).save(file, "JPEG", quality=quality, subsampling=2 * coarse)
    theirs = torch.from_numpy(np.array(image.open(file))).permute(2, 0, 1).float()
    found = jpeg.compress(values, quality=quality, coarse_colours=coarse)
    assert (found - theirs).abs().mean() < 1


def test_scenes_and_pixels_are_reflectances_of_every_group():
    groups = [0.05 + 0.5 * torch.rand(9, 31, generator=_rng(i)) for i in range(3)]
    cube = simulate_scene(groups, 48, _rng(2))
    assert cube.shape == (31, 48, 48) and (cube >= 0).all() and torch.isfinite(cube).all()
    assert cube.std(dim=(1, 2)).min() > 0
    drawn = sample_spectra(groups, 500, _rng(3))
    assert drawn.shape == (500, 31) and (drawn > 0).all() and (drawn <= 1.2).all()


def test_samples_on_the_ground_are_darker_with_the_same_shape():
    samples = 0.05 + 0.5 * torch.rand(40, 31, generator=_rng())
    found = weather(samples, _rng(1))
    ratio = found / samples.repeat(4, 1)
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio))
    assert 0.5 < ratio.mean() < 0.8
