"""Contract of every reconstructor, built-in or installed; new modules are tested automatically."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch

import hsi_xr
from hsi_xr.checkpoints import registry
from hsi_xr.checkpoints.card import read
from hsi_xr.checkpoints.weights import load_model
from hsi_xr.errors import InvalidCheckpoint
from hsi_xr.reconstructors._base import SceneWindows
from hsi_xr.reconstructors._whole_image import ground_noise
from tests.scenes import CAMERA, ground, photographed, scene
from tests.small_models import model_of
from tests.third_party import install

INSTALLED = "slope"


@pytest.fixture(scope="module", params=[*registry.built_in(), INSTALLED])
def weights(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    if request.param != INSTALLED:
        yield model_of(request.param, folder)
        return
    sys.path.insert(0, str(folder))
    try:
        yield install(folder)
    finally:
        sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def card(weights):
    return read(weights)


@pytest.fixture(scope="module")
def model(card):
    return load_model(card)


def _cube(weights, image, **options) -> np.ndarray:
    return hsi_xr.reconstruct(image, weights, **options)["reflectance"].compute().values


def _pair(model, card, rows=64, columns=96):
    """Two different images at one location, their scene statistics, and the noise."""
    rgb = torch.rand(2, 3, rows, columns, generator=torch.Generator().manual_seed(1))
    rgb[1] = rgb[1] ** 2
    one = ground_noise(rgb, bands=len(card.bands))

    def noise(step):
        return one(step).expand(2, -1, -1, -1)

    with torch.inference_mode():
        statistics = model.whole(SceneWindows.entire(rgb), noise)[1]
    return rgb, statistics, noise


@pytest.mark.parametrize("size", [(33, 31), (97, 58)])
def test_any_size_comes_back_with_its_bands(weights, card, size):
    """Sizes that are not multiples of the stride are padded."""
    cube = hsi_xr.reconstruct(scene(*size), weights)
    found = cube["reflectance"]
    assert found.dtype == "float32" and found.shape == (len(card.bands), *size)
    assert tuple(cube["wavelength"].values) == card.bands.centres
    assert np.isfinite(found.values).all()


def test_it_is_repeatable_and_the_seed_is_in_the_name(weights):
    image = scene(40, 52)
    first, again = (hsi_xr.reconstruct(image, weights, seed=3) for _ in range(2))
    other = hsi_xr.reconstruct(image, weights, seed=4)
    assert first["reflectance"].data.name == again["reflectance"].data.name
    assert first["reflectance"].data.name != other["reflectance"].data.name
    np.testing.assert_array_equal(first["reflectance"].values, again["reflectance"].values)


def test_images_of_a_batch_do_not_mix(model, card):
    rgb, statistics, noise = _pair(model, card)
    with torch.inference_mode():
        both = model(rgb, noise, statistics, stochastic=False)
        each = [
            model(image[None], lambda step: noise(step)[:1], statistics, stochastic=False)
            for image in rgb
        ]
    assert (both - torch.cat(each)).abs().max() <= 3e-5 * max(1.0, float(both.abs().max()))


def test_tiles_are_the_scene(weights, card):
    """Exactly with the halo of the card, or nearly and without seams if tiles are blended."""
    image = scene(150, 203)
    whole = _cube(weights, image)
    survey = hsi_xr.survey(image, weights, exact=True)
    tiled = _cube(weights, image, tile=64, survey=survey)
    spread = max(1.0, float(np.abs(whole).max()))
    if not card.needs_blending:
        np.testing.assert_allclose(tiled, whole, atol=1e-4 * spread, rtol=0)
        return
    at_edges, before = (np.abs(np.diff(cube[:, :, 127:129])).mean() for cube in (tiled, whole))
    assert at_edges <= 1.1 * before


def test_half_precision_is_near(model, card):
    rgb, statistics, noise = _pair(model, card)
    with torch.inference_mode():
        exact = model(rgb, noise, statistics, stochastic=False)
        with torch.autocast("cpu", torch.bfloat16):
            half = model(rgb, noise, statistics, stochastic=False).float()
    assert half.isfinite().all()
    assert (half - exact).abs().mean() <= 0.05 * exact.abs().mean() + 1e-3


def test_samples_spread_only_if_the_seed_matters(weights, card):
    """A system without noise gives the same result for every seed, and equal samples.

    The exception is a system that computes its own uncertainty.
    """
    image = scene(33, 40)
    one, two = (hsi_xr.reconstruct(image, weights, samples=2, seed=s).compute() for s in (1, 2))
    spread = one["reflectance_std"].values
    assert np.isfinite(spread).all() and (spread >= 0).all()
    differs = not np.array_equal(one["reflectance"].values, two["reflectance"].values)
    assert (differs or card.has_uncertainty) == bool((spread > 1e-6).any())


def test_a_card_that_contradicts_its_tensors_raises(weights, tmp_path):
    for path in (weights, weights.with_suffix(".json")):
        shutil.copy(path, tmp_path)
    card = tmp_path / f"{weights.stem}.json"
    said = json.loads(card.read_text())
    card.write_text(json.dumps({**said, "parameters": said["parameters"] + 1}))
    with pytest.raises(InvalidCheckpoint, match="parameters"):
        _cube(tmp_path / weights.name, scene(32, 40))
    card.write_text(json.dumps({**said, "sha256": "0" * 64}))
    with pytest.raises(InvalidCheckpoint, match="sha256"):
        _cube(tmp_path / weights.name, scene(32, 40))


def test_a_consistent_estimate_has_the_colours_of_the_scene(weights):
    image = photographed(ground(70, 101))
    options = {"radiometry": "reflectance", "camera": CAMERA, "residual": True, "tile": 64}
    held = hsi_xr.reconstruct(image, weights, consistency="exact", **options).compute()
    assert float(held["rgb_residual"].max()) <= 0.5 / 255 and held["reflectance"].min() >= 0


def test_invalid_pixels_stay_invalid(weights):
    image = scene(48, 64, chunks=None)
    holes = np.zeros((48, 64), bool)
    holes[::7, ::5] = holes[:9, :11] = True
    found = _cube(weights, image.where(~holes), radiometry="srgb", scale=1 / 255)
    np.testing.assert_array_equal(np.isnan(found).any(axis=0), holes)
