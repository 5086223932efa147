"""What holds of every training, whatever its objective."""

import csv
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hsi_xr.errors import (
    DestinationExists,
    DestinationUnwritable,
    Diverged,
    Incomplete,
    InvalidData,
    UsageError,
)
from hsi_xr.training import checkpoints
from hsi_xr.training.config import SHAPES, Data, Optimiser, Regression, Schedule
from hsi_xr.training.loop import BEST, LAST, Training
from hsi_xr.training.patches import Batch, Patches, Scenes, Use
from hsi_xr.training.setup import open_data, seeded
from tests.training.small import STEPS, SYSTEMS, Slopes, run_of, write_pairs


class Killed(BaseException):
    """Nothing expects it, as nothing expects a kill."""


def killed_after(steps: int):
    def report(done, total, values):
        if done == steps:
            raise Killed

    return report


def same(first: Path, second: Path) -> bool:
    """Whether two checkpoints hold the same numbers, bit for bit."""
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
    """Begun anew, with whatever memory holds by then: closed forms are the same to the bit, too."""
    found = []
    for name in ("one", "other"):
        run = run_of(kind, tmp_path / name)
        training = Training(run, Slopes())
        for number in range(2):
            training.step([training.patches.draw(number)])
        found.append(training.model.state_dict())
    assert all(value.equal(found[1][key]) for key, value in found[0].items())


@pytest.mark.parametrize("kind", SYSTEMS)
def test_a_killed_run_goes_on_to_the_same_weights(kind, tmp_path):
    """Killed between two checkpoints, in any stage: steps are taken again, as they were taken."""
    run = run_of(kind, tmp_path / "killed")
    Training(replace(run, out=tmp_path / "whole"), Slopes()).finish()
    with pytest.raises(Killed):
        Training(run, Slopes()).finish(killed_after(2))
    with pytest.raises(Killed):
        Training(run, Slopes(), resume=True).finish(killed_after(6))
    Training(run, Slopes(), resume=True).finish()
    assert same(tmp_path / "whole" / LAST, tmp_path / "killed" / LAST)


@pytest.mark.parametrize("step", range(1, STEPS))
def test_a_run_may_be_killed_after_any_step(step, tmp_path):
    schedule = Schedule(steps=STEPS, validate=2, save=3, log=1)
    data = Data(name="slopes", folder=tmp_path, patch=16, batch=1)
    run = run_of("regression, RMSE", tmp_path / "whole", schedule=schedule, data=data)
    Training(run, Slopes()).finish()
    run = replace(run, out=tmp_path / "killed")
    with pytest.raises(Killed):
        Training(run, Slopes()).finish(killed_after(step))
    Training(run, Slopes(), resume=True).finish()
    for name in (LAST, BEST):
        assert same(tmp_path / "whole" / name, tmp_path / "killed" / name)
    assert rows(tmp_path / "whole") == rows(tmp_path / "killed")


def rows(folder: Path) -> list[list[str]]:
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.reader(file))


def test_the_best_checkpoint_is_that_of_the_declared_split(tmp_path):
    schedule = Schedule(steps=STEPS, validate=3, save=4, log=1)
    training = Training(run_of("regression", tmp_path, schedule=schedule), Slopes())
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


def test_the_test_split_neither_trains_nor_chooses():
    with pytest.raises(UsageError, match="test"):
        Data(name="slopes", folder=Path(), validation="test")


def test_a_split_that_is_not_there_is_named_with_those_that_are(tmp_path):
    data = Data(name="slopes", folder=tmp_path, patch=32, validation="val")
    run = run_of("regression", tmp_path, data=data, schedule=Schedule(steps=1))
    with pytest.raises(UsageError, match="'val'; it has 'train', 'validation'"):
        Training(run, Slopes())


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_state(tmp_path):
    """A rate beyond all measure: weights grow until a loss is no number."""
    wild = Optimiser(rate=1e30, accumulate=1)
    run = run_of("regression", tmp_path, optimiser=wild, schedule=Schedule(steps=9, save=1))
    with pytest.raises(Diverged, match=r"at step \d.*patches of .*a.*last good state"):
        Training(run, Slopes()).finish()
    state = checkpoints.read(tmp_path / LAST)
    assert all(each.isfinite().all() for each in state["model"].values())


def test_weights_that_are_no_numbers_are_not_saved(tmp_path):
    training = Training(run_of("regression", tmp_path), Slopes())
    with pytest.raises(Killed):
        training.finish(killed_after(1))
    with torch.no_grad():
        next(iter(training.model.parameters()))[0] = torch.inf
    before = (tmp_path / LAST).read_bytes()
    with pytest.raises(Diverged, match="the weights are no numbers"):
        training._save()
    assert (tmp_path / LAST).read_bytes() == before


def test_scenes_without_numbers_are_refused_by_name(tmp_path):
    class Broken(Slopes):
        def read(self, name):
            pair = super().read(name)
            pair.rgb[0, 0, 0] = float("inf")
            return pair

    with pytest.raises(InvalidData, match=r"scene '[ab]'"):
        Training(run_of("regression", tmp_path), Broken()).finish()


def test_a_disk_that_fills_up_leaves_the_checkpoint_before(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no device that is always full")
    training = Training(run_of("regression", tmp_path), Slopes())
    with pytest.raises(Killed):
        training.finish(killed_after(5))
    (tmp_path / "last.pt.part").symlink_to("/dev/full")
    before = (tmp_path / LAST).read_bytes()
    with pytest.raises(Incomplete, match="the one before it is kept"):
        Training(training.run, Slopes(), resume=True).finish()
    assert (tmp_path / LAST).read_bytes() == before
    Training(training.run, Slopes(), resume=True).finish()  # there is room again


def test_a_disk_that_fills_up_under_the_log_is_told(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no device that is always full")
    run = run_of("regression", tmp_path, schedule=Schedule(steps=STEPS, validate=0, save=4, log=5))
    (tmp_path / "log.csv").symlink_to("/dev/full")
    with pytest.raises(Incomplete, match=r"log\.csv' .*No space.* go on with --resume"):
        Training(run, Slopes()).finish()
    (tmp_path / "log.csv").unlink()
    Training(run, Slopes(), resume=True).finish()  # there is room again
    assert checkpoints.read(tmp_path / LAST)["done"] == STEPS


def test_without_a_checkpoint_nothing_is_resumed(tmp_path):
    """The first one does not fit: what helps is another disk, and no --resume."""
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no device that is always full")
    (tmp_path / "last.pt.part").symlink_to("/dev/full")
    with pytest.raises(Incomplete, match=r"there is none before it\. Make room, and begin anew"):
        Training(run_of("regression", tmp_path), Slopes()).finish()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DestinationUnwritable, match="file' cannot be made"):
        Training(run_of("regression", tmp_path / "file"), Slopes()).finish()


def test_weights_of_an_earlier_run_are_not_published(tmp_path):
    """Its last checkpoint is gone, its best is not."""
    validated = Schedule(steps=2, validate=1)
    Training(run_of("regression", tmp_path, schedule=validated), Slopes()).finish()
    (tmp_path / LAST).unlink()
    Training(run_of("regression", tmp_path, seed=9), Slopes()).finish()
    assert not (tmp_path / BEST).exists()


def test_a_run_is_not_begun_over_another(tmp_path):
    run = run_of("regression", tmp_path)
    with pytest.raises(Killed):
        Training(run, Slopes()).finish(killed_after(1))
    with pytest.raises(DestinationExists, match="--resume"):
        Training(run, Slopes())


def test_a_run_is_resumed_as_it_was(tmp_path):
    run = run_of("regression", tmp_path)
    with pytest.raises(Killed):
        Training(run, Slopes()).finish(killed_after(1))
    changed = replace(run, seed=4, optimiser=replace(run.optimiser, rate=1.0))
    with pytest.raises(UsageError, match=r"optimiser\.rate, seed"):
        Training(changed, Slopes(), resume=True)


def test_a_run_of_before_there_were_schedules_is_resumed(tmp_path):
    run = run_of("regression", tmp_path)
    with pytest.raises(Killed):
        Training(run, Slopes()).finish(killed_after(1))
    state = dict(checkpoints.read(tmp_path / LAST))
    for key in ("schedule", *(key for keys in SHAPES.values() for key in keys)):
        del state["run"]["optimiser"][key]
    checkpoints.write(state, tmp_path / LAST)
    Training(run, Slopes(), resume=True)
    constant = replace(run, optimiser=replace(run.optimiser, schedule="constant"))
    with pytest.raises(UsageError, match=r"another optimiser\.schedule"):
        Training(constant, Slopes(), resume=True)


def test_problems_with_the_data_are_told_before_anything_is_trained(tmp_path):
    folder = write_pairs(tmp_path)
    (folder / "rgb/c.tif").unlink()
    cut = folder / "hsi/a.tif"
    cut.write_bytes(cut.read_bytes()[:200])
    with pytest.raises(InvalidData, match="2 problems") as found:
        open_data(Data(name="pairs", folder=folder))
    assert found.value.exit_code == 3
    assert "c.tif" in str(found.value) or "'c'" in str(found.value)


def test_ground_that_is_not_known_is_no_part_of_a_loss(tmp_path):
    class Holes(Slopes):
        def read(self, name):
            pair = super().read(name)
            pair.rgb[:, 2:9, 4:30] = np.nan
            return pair

    wanted = Data(name="slopes", folder=tmp_path, patch=32, batch=2)
    patches = Patches(Scenes(Holes(), lambda rgb, weights: {}, kept=1), ["a"], wanted, seed=0)
    batch = patches.draw(0)
    assert batch.rgb.isfinite().all() and not batch.known.all()
    assert (batch.cube[~batch.known] == 0).all()


@pytest.mark.parametrize("workers", [0, 3])
def test_patches_follow_from_seed_and_number(workers, tmp_path):
    wanted = Data(name="slopes", folder=tmp_path, patch=32, batch=3, grid=2, workers=workers)
    scenes = Scenes(Slopes(), lambda rgb, weights: {"mean": rgb.mean().reshape(1)}, kept=1)
    patches = Patches(scenes, ["a", "b"], wanted, seed=5)
    found = list(patches.run(range(8)))
    again = [patches.draw(number) for number in range(8)]
    for one, other in zip(found, again):
        assert one.names == other.names and one.cube.equal(other.cube)
        assert one.facts["mean"].equal(other.facts["mean"])
    assert not found[0].cube.equal(found[1].cube)


def test_a_patch_of_the_picture_is_that_of_the_cube(tmp_path):
    """Turned and flipped alike: the blue of these pictures is their first band."""
    wanted = Data(name="slopes", folder=tmp_path, patch=32, batch=16)
    patches = Patches(Scenes(Slopes(), lambda rgb, weights: {}, kept=2), ["a", "b"], wanted, seed=0)
    batch = patches.draw(0)
    order = batch.cube[:, 0].flatten(1).argsort(stable=True)
    assert batch.rgb[:, 2].flatten(1).gather(1, order).diff(dim=1).min() > -1e-6


def test_what_is_not_known_of_a_cube_teaches_nothing(tmp_path):
    """Holes are NaN; every objective trains around them."""
    for kind in SYSTEMS:
        training = Training(run_of(kind, tmp_path / kind), Slopes(holes=True))
        training.finish()
        assert all(each.isfinite().all() for each in training.model.state_dict().values())


def test_a_batch_in_two_halves_is_the_batch(tmp_path):
    """L1 is a mean over patches alike: accumulated, halves move weights as the whole does."""
    found = []
    for parts in (1, 2):
        run = run_of("regression", tmp_path, objective=Regression(loss="l1"))
        run = replace(run, optimiser=Optimiser(rate=1e-3, accumulate=parts))
        training = Training(run, Slopes())
        whole = training.patches.draw(0)
        training.step([part_of(whole, part, parts) for part in range(parts)])
        found.append(training.model.state_dict())
    for key, value in found[0].items():
        torch.testing.assert_close(found[1][key], value, atol=1e-5, rtol=0)


def part_of(batch: Batch, part: int, parts: int) -> Batch:
    size = len(batch.cube) // parts
    own = slice(part * size, (part + 1) * size)
    facts = {key: value[own] for key, value in batch.facts.items()}
    return Batch(batch.names[own], batch.cube[own], batch.known[own], batch.rgb[own], facts)


def test_layers_that_draw_by_themselves_draw_from_the_run():
    with seeded(1, Use.LOSSES, 2):
        first = torch.rand(3)
    torch.rand(5)
    with seeded(1, Use.LOSSES, 2):
        assert torch.rand(3).equal(first)
