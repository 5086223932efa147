"""Patches that are larger than their scene, and pixels of them that are unknown."""

import dataclasses

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from torch import Generator

from hsi_xr.errors import InvalidData
from hsi_xr.evaluation.metrics import Tally
from hsi_xr.training import losses
from hsi_xr.training.data import Data, Scenes
from hsi_xr.training.objectives.two_stage import band_statistics
from hsi_xr.training.patches import Patches, extend
from hsi_xr.training.settings import Schedule
from tests.training.small import SYSTEMS, Slopes, run_of, training_of

SIZES = [(36, 50), (64, 50), (36, 72), (7, 3), (1, 2)]


@pytest.mark.parametrize("size", SIZES)
def test_beyond_a_scene_the_image_is_mirrored_and_the_cube_unknown(size):
    numbers = Generator().manual_seed(0)
    cube, rgb = (torch.rand(count, *size, generator=numbers) for count in (4, 3))
    larger, image = extend(cube, rgb, (64, 72))
    missing = [(0, 0), *((0, to - each) for to, each in zip((64, 72), size))]
    np.testing.assert_array_equal(image, np.pad(rgb, missing, mode="reflect"))
    np.testing.assert_array_equal(larger, np.pad(cube, missing, constant_values=np.nan))


def test_a_scene_as_large_as_the_patch_is_not_copied():
    cube, rgb = torch.rand(4, 8, 8), torch.rand(3, 8, 8)
    larger, image = extend(cube, rgb, (8, 8))
    assert larger is cube and image is rgb


@pytest.mark.parametrize(("side", "grid"), [(40, 1), (40, 8), (200, 8)])
def test_a_patch_is_known_where_it_covers_its_scene(side, grid, tmp_path):
    """36 x 50 px, rotated or not: pixels within the scene are known, and no others."""
    settings = Data(name="slopes", folder=tmp_path, patch=side, batch=8, grid=grid)
    patches = Patches(Scenes(Slopes(), lambda rgb, weights: {}, kept=1), ["a"], settings, seed=0)
    batch = patches.draw(0)
    assert batch.rgb.shape == (8, 3, side, side) and batch.rgb.isfinite().all()
    assert (batch.known.sum((2, 3)) == min(36, side) * min(50, side)).all()


@pytest.mark.parametrize("kind", SYSTEMS)
def test_every_objective_trains_on_patches_larger_than_scenes(kind, tmp_path):
    run = run_of(kind, tmp_path)
    run = replace(run, data=replace(run.data, patch=64, batch=1))
    training = training_of(run, Slopes())
    values = training.step([training.task.draw(0), training.task.draw(1)])
    assert all(np.isfinite(value) for value in values.values())
    assert all(each.isfinite().all() for each in training.model.state_dict().values())


@pytest.mark.parametrize("distance", ["mrae", "l1", "l2", "rmse", "gradients"])
def test_estimates_of_unknown_values_have_no_loss(distance):
    numbers = Generator().manual_seed(0)
    found, truth = (torch.rand(2, 4, 9, 7, generator=numbers) for _ in range(2))
    known = torch.zeros_like(truth, dtype=torch.bool)
    known[..., :6, :5] = True
    measure = getattr(losses, distance)
    expected = measure(*(each[..., :6, :5] for each in (found, truth, known)))
    found[~known], truth[~known] = 1e3, 0.0
    assert float(measure(found, truth, known)) == pytest.approx(float(expected), rel=1e-5)


def test_statistics_of_bands_are_those_of_known_values():
    """With the zeros of unknown values a cube would be darker and vary more."""
    numbers = Generator().manual_seed(0)
    cube = 0.5 + torch.rand(2, 3, 9, 7, generator=numbers)
    known = torch.rand(cube.shape, generator=numbers) > 0.4
    expected = [
        [*(band[k].mean() for band, k in pairs), *(band[k].std() for band, k in pairs)]
        for pairs in (list(zip(*each)) for each in zip(cube, known))
    ]
    found, exist = band_statistics(cube * known, known)
    torch.testing.assert_close(found, torch.tensor(expected))
    assert exist.all()


def test_no_pixels_have_no_mean_and_one_pixel_has_no_standard_deviation():
    known = torch.zeros(1, 2, 4, 4, dtype=torch.bool)
    known[0, 1, 0, 0] = True
    found, exist = band_statistics(known.float(), known)
    assert found.tolist() == [[0, 1, 0, 0]]
    assert exist.tolist() == [[False, True, False, False]]


class Narrow(Slopes):
    """Scenes of 36 x 5 px: narrower than half the stride of a network."""

    def read(self, name):
        pair = super().read(name)
        return dataclasses.replace(pair, cube=pair.cube[..., :5], rgb=pair.rgb[..., :5])


def test_scenes_narrower_than_a_stride_are_scored(tmp_path):
    run = run_of("adversarial", tmp_path, schedule=Schedule(steps=1, validate=1))
    training_of(run, Narrow()).finish()
    assert (tmp_path / "best.pt").is_file()


class Unmeasured(Slopes):
    """The first band was never measured, like 400 nm in scenes of Harvard."""

    def read(self, name):
        pair = super().read(name)
        cube = pair.cube.copy()
        cube[0] = np.nan
        return dataclasses.replace(pair, cube=cube)


def test_a_band_that_was_not_measured_is_not_scored(tmp_path):
    training = training_of(run_of("regression", tmp_path, schedule=Schedule(steps=1)), Unmeasured())
    model = training.averaged
    scores, _ = training.task.validation(model, "cpu")
    scene = training.task.validation.scenes.read("c")
    guess = training.task.validation.reconstruct(model, scene, "cpu")[0]
    rest = Tally.of(guess[1:].numpy(), scene.cube[1:].numpy())
    assert scores == {"mrae": rest.mrae, "rmse": rest.rmse, "psnr": rest.psnr, "sam": rest.sam}


def test_a_scene_with_nothing_to_score_is_named(tmp_path):
    run = run_of("regression", tmp_path, schedule=Schedule(steps=1, validate=1))
    run = replace(run, data=replace(run.data, crop=18))  # of 36 rows
    with pytest.raises(InvalidData, match=r"'c' has nothing to score within data\.crop = 18"):
        training_of(run, Slopes()).finish()


def test_batches_in_which_nothing_is_known_are_not_fitted(tmp_path):
    """Every other scene has no truth at all, and a batch contains one scene."""

    class Half(Slopes):
        def read(self, name):
            pair = super().read(name)
            return (
                dataclasses.replace(pair, cube=np.full_like(pair.cube, np.nan))
                if name == "a"
                else pair
            )

    run = run_of("x0", tmp_path)
    run = replace(run, data=replace(run.data, batch=1))
    model = training_of(run, Half()).model
    known = training_of(replace(run, out=tmp_path / "known"), Slopes()).model
    assert model.base.any() and not model.base.equal(known.base)

    class Nothing(Half):
        splits = {"train": ["a"], "validation": ["c"]}  # noqa: RUF012 - of a test

        def __init__(self):
            self.wrong = []
            self.holes = False

    with pytest.raises(InvalidData, match=r"no pixel .* known in all bands"):
        training_of(run, Nothing())
