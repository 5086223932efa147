"""The training loop, whatever the objective."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from hsi_xr.errors import (
    DestinationExists,
    DestinationUnwritable,
    Diverged,
    Incomplete,
    InvalidCheckpoint,
    InvalidData,
    UsageError,
)
from hsi_xr.training import checkpoints
from hsi_xr.training.checkpoints import BEST, LAST
from hsi_xr.training.data import Data, Scenes, open_data
from hsi_xr.training.objectives import Regression
from hsi_xr.training.optimiser import Optimiser
from hsi_xr.training.patches import PatchBatch, Patches, read_ahead
from hsi_xr.training.seeds import Use, seeded
from hsi_xr.training.settings import Schedule
from tests.training.small import STEPS, SYSTEMS, Slopes, run_of, training_of, write_pairs


class Killed(BaseException):
    """No code catches it, as no code catches a kill."""


def killed_after(steps: int):
    def report(done, total, values):
        if done == steps:
            raise Killed

    return report


def same(first: Path, second: Path) -> bool:
    """True if two checkpoints are equal, bit for bit."""
    a, b = (checkpoints.read(path) for path in (first, second))
    return all(_same(a[key], b[key]) for key in a.keys() - {"run"})


def _same(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        return a.equal(b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    return a == b


@pytest.mark.parametrize("kind", SYSTEMS)
def test_the_same_run_has_the_same_weights(kind, tmp_path):
    """To the bit, closed forms included, whatever memory contained before."""
    found = []
    for name in ("one", "other"):
        run = run_of(kind, tmp_path / name)
        training = training_of(run, Slopes())
        for number in range(2):
            training.step([training.task.draw(number)])
        found.append(training.model.state_dict())
    assert all(value.equal(found[1][key]) for key, value in found[0].items())


@pytest.mark.parametrize("kind", SYSTEMS)
def test_a_killed_run_resumes_to_the_same_weights(kind, tmp_path):
    """Killed between two checkpoints, in any stage: steps after the last one are repeated."""
    run = run_of(kind, tmp_path / "killed")
    training_of(replace(run, out=tmp_path / "whole"), Slopes()).finish()
    with pytest.raises(Killed):
        training_of(run, Slopes()).finish(killed_after(2))
    with pytest.raises(Killed):
        training_of(run, Slopes(), resume=True).finish(killed_after(6))
    training_of(run, Slopes(), resume=True).finish()
    assert same(tmp_path / "whole" / LAST, tmp_path / "killed" / LAST)


@pytest.mark.parametrize("step", range(1, STEPS))
def test_a_run_may_be_killed_after_any_step(step, tmp_path):
    schedule = Schedule(steps=STEPS, validate=2, save=3, log=1)
    data = Data(name="slopes", folder=tmp_path, patch=16, batch=1)
    run = run_of("regression, RMSE", tmp_path / "whole", schedule=schedule, data=data)
    training_of(run, Slopes()).finish()
    run = replace(run, out=tmp_path / "killed")
    with pytest.raises(Killed):
        training_of(run, Slopes()).finish(killed_after(step))
    training_of(run, Slopes(), resume=True).finish()
    for name in (LAST, BEST):
        assert same(tmp_path / "whole" / name, tmp_path / "killed" / name)
    assert rows(tmp_path / "whole") == rows(tmp_path / "killed")


def rows(folder: Path) -> list[list[str]]:
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.reader(file))


def test_the_best_checkpoint_is_that_of_the_declared_split(tmp_path):
    schedule = Schedule(steps=STEPS, validate=3, save=4, log=1)
    training = training_of(run_of("regression", tmp_path, schedule=schedule), Slopes())
    training.finish()
    scores = {
        int(step): float(value)
        for step, name, value in rows(tmp_path)[1:]
        if "/mrae" in name and name.startswith("validation")
    }
    best = checkpoints.read(tmp_path / BEST)
    assert list(scores) == [3, 6, 9]
    assert best["done"] == min(scores, key=scores.__getitem__)
    assert best["scores"]["mrae"] == min(scores.values())


def test_the_test_split_is_used_neither_to_train_nor_to_select():
    with pytest.raises(UsageError, match="test"):
        Data(name="slopes", folder=Path(), validation="test")


def test_an_unknown_split_is_named_with_those_that_exist(tmp_path):
    data = Data(name="slopes", folder=tmp_path, patch=32, validation="val")
    run = run_of("regression", tmp_path, data=data, schedule=Schedule(steps=1))
    with pytest.raises(UsageError, match="'val'; it has 'train', 'validation'"):
        training_of(run, Slopes())


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_state(tmp_path):
    """Far too large a learning rate: weights grow until a loss is not finite."""
    wild = Optimiser(rate=1e30, accumulate=1)
    run = run_of("regression", tmp_path, optimiser=wild, schedule=Schedule(steps=9, save=1))
    with pytest.raises(Diverged, match=r"at step \d.*patches of .*a.*last good state"):
        training_of(run, Slopes()).finish()
    state = checkpoints.read(tmp_path / LAST)
    assert all(each.isfinite().all() for each in state["model"].values())


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    training = training_of(run_of("regression", tmp_path), Slopes())
    with pytest.raises(Killed):
        training.finish(killed_after(1))
    with torch.no_grad():
        next(iter(training.model.parameters()))[0] = torch.inf
    before = (tmp_path / LAST).read_bytes()
    with pytest.raises(Diverged, match="the weights are not finite"):
        training._save()
    assert (tmp_path / LAST).read_bytes() == before


def test_scenes_that_are_not_finite_are_refused_by_name(tmp_path):
    class Broken(Slopes):
        def read(self, name):
            pair = super().read(name)
            pair.rgb[0, 0, 0] = float("inf")
            return pair

    with pytest.raises(InvalidData, match=r"scene '[ab]'"):
        training_of(run_of("regression", tmp_path), Broken()).finish()


def test_a_full_disk_leaves_the_previous_checkpoint(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no device that is always full")
    training = training_of(run_of("regression", tmp_path), Slopes())
    with pytest.raises(Killed):
        training.finish(killed_after(5))
    (tmp_path / "last.pt.part").symlink_to("/dev/full")
    before = (tmp_path / LAST).read_bytes()
    with pytest.raises(Incomplete, match="the previous one is kept"):
        training_of(training.settings, Slopes(), resume=True).finish()
    assert (tmp_path / LAST).read_bytes() == before
    training_of(training.settings, Slopes(), resume=True).finish()  # now that there is room


def test_a_full_disk_while_logging_is_reported(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no device that is always full")
    run = run_of("regression", tmp_path, schedule=Schedule(steps=STEPS, validate=0, save=4, log=5))
    (tmp_path / "log.csv").symlink_to("/dev/full")
    with pytest.raises(Incomplete, match=r"log\.csv' .*No space.* continue with --resume"):
        training_of(run, Slopes()).finish()
    (tmp_path / "log.csv").unlink()
    training_of(run, Slopes(), resume=True).finish()  # now that there is room
    assert checkpoints.read(tmp_path / LAST)["done"] == STEPS


def test_without_a_checkpoint_nothing_is_resumed(tmp_path):
    """The first checkpoint does not fit: there is nothing to resume."""
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no device that is always full")
    (tmp_path / "last.pt.part").symlink_to("/dev/full")
    with pytest.raises(
        Incomplete, match=r"there is no previous one\. Free some disk space and start again"
    ):
        training_of(run_of("regression", tmp_path), Slopes()).finish()


def test_a_folder_that_cannot_be_created_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DestinationUnwritable, match="file' cannot be created"):
        training_of(run_of("regression", tmp_path / "file"), Slopes()).finish()


def test_weights_of_an_earlier_run_are_not_published(tmp_path):
    """Its last checkpoint was deleted, its best one was not."""
    validated = Schedule(steps=2, validate=1)
    training_of(run_of("regression", tmp_path, schedule=validated), Slopes()).finish()
    (tmp_path / LAST).unlink()
    training_of(run_of("regression", tmp_path, seed=9), Slopes()).finish()
    assert not (tmp_path / BEST).exists()


def test_a_run_does_not_overwrite_another(tmp_path):
    run = run_of("regression", tmp_path)
    with pytest.raises(Killed):
        training_of(run, Slopes()).finish(killed_after(1))
    with pytest.raises(DestinationExists, match="--resume"):
        training_of(run, Slopes())


def test_a_run_is_resumed_with_the_same_settings(tmp_path):
    run = run_of("regression", tmp_path)
    with pytest.raises(Killed):
        training_of(run, Slopes()).finish(killed_after(1))
    changed = replace(run, seed=4, optimiser=replace(run.optimiser, rate=1.0))
    with pytest.raises(
        UsageError, match=r"optimiser\.rate was 0\.002 and is 1\.0; seed was 3 and is 4"
    ):
        training_of(changed, Slopes(), resume=True)


def test_a_checkpoint_of_another_format_is_refused(tmp_path):
    """Checkpoints of version 0.2 and before state no format."""
    run = run_of("regression", tmp_path)
    with pytest.raises(Killed):
        training_of(run, Slopes()).finish(killed_after(1))
    state = dict(checkpoints.read(tmp_path / LAST))
    del state["format"]
    torch.save(state, tmp_path / LAST)
    with pytest.raises(InvalidCheckpoint, match=r"has format 1 and .* reads format 2; finish that"):
        training_of(run, Slopes(), resume=True)


def test_a_checkpoint_to_resume_must_exist(tmp_path):
    with pytest.raises(InvalidCheckpoint, match=r"no checkpoint '.*last\.pt' to resume from"):
        training_of(run_of("regression", tmp_path), Slopes(), resume=True)


def test_problems_with_the_data_are_reported_before_training(tmp_path):
    folder = write_pairs(tmp_path)
    (folder / "rgb/c.tif").unlink()
    cut = folder / "hsi/a.tif"
    cut.write_bytes(cut.read_bytes()[:200])
    with pytest.raises(InvalidData, match="2 problems") as found:
        open_data(Data(name="pairs", folder=folder))
    assert found.value.exit_code == 3
    assert "c.tif" in str(found.value) or "'c'" in str(found.value)


def test_unknown_ground_is_not_part_of_a_loss(tmp_path):
    class Holes(Slopes):
        def read(self, name):
            pair = super().read(name)
            pair.rgb[:, 2:9, 4:30] = np.nan
            return pair

    settings = Data(name="slopes", folder=tmp_path, patch=32, batch=2)
    patches = Patches(Scenes(Holes(), lambda rgb, weights: {}, kept=1), ["a"], settings, seed=0)
    batch = patches.draw(0)
    assert batch.rgb.isfinite().all() and not batch.known.all()
    assert (batch.cube[~batch.known] == 0).all()


@pytest.mark.parametrize("workers", [0, 3])
def test_batches_are_functions_of_seed_and_number(workers, tmp_path):
    settings = Data(name="slopes", folder=tmp_path, patch=32, batch=3, grid=2)
    scenes = Scenes(Slopes(), lambda rgb, weights: {"mean": rgb.mean().reshape(1)}, kept=1)
    patches = Patches(scenes, ["a", "b"], settings, seed=5)
    found = list(read_ahead(patches.draw, range(8), workers=workers))
    again = [patches.draw(number) for number in range(8)]
    for one, other in zip(found, again):
        assert one.names == other.names and one.cube.equal(other.cube)
        assert one.statistics["mean"].equal(other.statistics["mean"])
    assert not found[0].cube.equal(found[1].cube)


def test_patches_of_image_and_cube_cover_the_same_pixels(tmp_path):
    """Rotated and flipped alike: blue of these images is the first band of the cube."""
    settings = Data(name="slopes", folder=tmp_path, patch=32, batch=16)
    patches = Patches(
        Scenes(Slopes(), lambda rgb, weights: {}, kept=2), ["a", "b"], settings, seed=0
    )
    batch = patches.draw(0)
    order = batch.cube[:, 0].flatten(1).argsort(stable=True)
    assert batch.rgb[:, 2].flatten(1).gather(1, order).diff(dim=1).min() > -1e-6


def test_unknown_pixels_of_a_cube_do_not_affect_training(tmp_path):
    """Holes are NaN, and every objective trains around them."""
    for kind in SYSTEMS:
        training = training_of(run_of(kind, tmp_path / kind), Slopes(holes=True))
        training.finish()
        assert all(each.isfinite().all() for each in training.model.state_dict().values())


def test_a_batch_in_two_halves_is_the_batch(tmp_path):
    """L1 is a mean over equal patches, so two accumulated halves move weights as the whole does."""
    found = []
    for parts in (1, 2):
        run = run_of("regression", tmp_path, objective=Regression(loss="l1"))
        run = replace(run, optimiser=Optimiser(rate=1e-3, accumulate=parts))
        training = training_of(run, Slopes())
        whole = training.task.draw(0)
        training.step([part_of(whole, part, parts) for part in range(parts)])
        found.append(training.model.state_dict())
    for key, value in found[0].items():
        torch.testing.assert_close(found[1][key], value, atol=1e-5, rtol=0)


def part_of(batch: PatchBatch, part: int, parts: int) -> PatchBatch:
    size = len(batch.cube) // parts
    own = slice(part * size, (part + 1) * size)
    statistics = {key: value[own] for key, value in batch.statistics.items()}
    cube, known, rgb = (tensor[own] for tensor in (batch.cube, batch.known, batch.rgb))
    return PatchBatch(batch.names[own], cube, known, rgb, statistics)


def test_torchs_own_generator_is_seeded_within_the_run_and_restored_after():
    before = torch.random.get_rng_state()
    with seeded(1, Use.LOSSES, 2) as rng:
        first, own = torch.rand(3), torch.rand(3, generator=rng)
    assert torch.random.get_rng_state().equal(before)
    torch.rand(5)
    with seeded(1, Use.LOSSES, 2) as rng:
        assert torch.rand(3).equal(first) and torch.rand(3, generator=rng).equal(own)


def test_the_average_follows_faster_at_first(tmp_path):
    """After n steps it keeps n / (9 + n), until that exceeds the decay."""
    training = training_of(run_of("regression", tmp_path, ema=0.15), Slopes())
    name = next(key for key, _ in training.model.named_parameters())
    expected = training.model.state_dict()[name].clone()
    for number, keep in enumerate((1 / 10, 0.15, 0.15)):
        training.step([training.task.draw(number)])
        expected.lerp_(training.model.state_dict()[name], 1 - keep)
        assert training.averaged.state_dict()[name].equal(expected)
