"""The picture model is trained by the training loop of the package, on damaged textures."""

import pytest
import torch
from msgspec.structs import replace

from examples.picture_model import train
from examples.picture_model.objectives import denoising_loss
from examples.picture_model.textures import Textures
from examples.picture_model.train import new_task, settings_of
from hsi_xr.training import checkpoints
from hsi_xr.training.checkpoints import LAST
from hsi_xr.training.loop import Training
from tests.picture_model.test_model import CONFIG

STEPS = 5


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(train, "PATCH", 32)  # the smallest that the critic can judge
    monkeypatch.setattr(train, "BATCH", 3)
    monkeypatch.setattr(train, "CRITIC", 4)


@pytest.fixture(scope="module")
def textures():
    rng = torch.Generator().manual_seed(0)
    return Textures([[0.02 + 0.4 * torch.rand(3, 44, 61, generator=rng)] for _ in range(2)])


@pytest.fixture
def chain(textures, tmp_path):
    """The checkpoint of a short run."""
    start(textures, settings(tmp_path / "chain", steps=2)).finish()
    return tmp_path / "chain" / LAST


def settings(out, *, steps=STEPS, start=None, gan=False):
    run = settings_of(out, steps=steps, start=start, gan=gan)
    schedule = replace(run.schedule, save=2, log=1)
    optimiser = replace(run.optimiser, warm_up=1, rate=3e-3)
    return replace(run, schedule=schedule, optimiser=optimiser, device="cpu")


def start(textures, run, *, resume=False):
    return Training(new_task(textures, CONFIG, run), run, resume=resume)


class Killed(BaseException):
    """No code catches it, as no code catches a kill."""


def kill_after(steps):
    def report(done, total, values):
        if done == steps:
            raise Killed

    return report


def weights(out):
    state = checkpoints.read(out / LAST)
    parts = ("model", "average", "auxiliary")
    return {f"{part}.{name}": value for part in parts for name, value in state[part].items()}


@pytest.mark.parametrize("generator", [False, True])
def test_a_killed_training_resumes_to_the_same_weights(textures, chain, tmp_path, generator):
    whole, killed = (
        settings(tmp_path / name, start=chain, gan=generator) for name in ("whole", "killed")
    )
    start(textures, whole).finish()
    with pytest.raises(Killed):
        start(textures, killed).finish(kill_after(3))
    resumed = start(textures, killed, resume=True)
    assert resumed.done == 2
    resumed.finish()
    whole, killed = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert [name for name, value in whole.items() if not value.equal(killed[name])] == []


def test_a_generator_starts_from_the_chain(textures, chain, tmp_path):
    task = new_task(textures, CONFIG, settings(tmp_path / "gan", start=chain, gan=True))
    average = checkpoints.read(chain)["average"]
    assert all(value.equal(average[name]) for name, value in task.model.state_dict().items())
    assert {update.name for update in task.objective.updates} == {"critic", "generator"}


def test_a_few_steps_lower_the_loss(textures, tmp_path):
    training = start(textures, settings(tmp_path, steps=30))
    batch = training.task.draw(1000)

    def loss():
        with torch.no_grad():
            return denoising_loss(training.model, batch, torch.Generator().manual_seed(0))["loss"]

    first = loss()
    training.finish()
    assert loss() < 0.99 * first


def test_batches_are_functions_of_seed_and_number(textures, tmp_path):
    one, other = (new_task(textures, CONFIG, settings(tmp_path)) for _ in range(2))
    torch.rand(5)
    assert one.draw(3).picture.equal(other.draw(3).picture)
    assert not one.draw(3).picture.equal(one.draw(4).picture)
    changed = new_task(textures, CONFIG, replace(settings(tmp_path), seed=1))
    assert not changed.draw(3).picture.equal(one.draw(3).picture)
