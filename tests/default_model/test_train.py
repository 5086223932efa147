"""The default model is trained by the training loop, on its own data."""

import json
import sys

import pytest
import torch
from msgspec.structs import replace

from examples.default_model import publish, train
from examples.default_model.train import chain_loss, new_task, settings_of
from hsi_xr.band_grid import Bands
from hsi_xr.errors import UsageError
from hsi_xr.reconstructors.guided_posterior import Config
from hsi_xr.training import checkpoints
from hsi_xr.training.checkpoints import LAST
from hsi_xr.training.loop import Training
from tests.default_model.small import BANDS, training_data

CONFIG = Config(bands=BANDS, gaussians=4, cameras=3, shapes=3, size="thin")
STEPS = 5


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(train, "PATCH", 24)
    monkeypatch.setattr(train, "SPECTRA", 1500)


@pytest.fixture(scope="module")
def data():
    return training_data()


def settings(out, *, steps=STEPS):
    run = settings_of(out, steps=steps)
    schedule = replace(run.schedule, save=2, log=1)
    optimiser = replace(run.optimiser, warm_up=1, rate=3e-3)
    return replace(run, schedule=schedule, optimiser=optimiser, device="cpu")


def start(data, run, *, resume=False):
    return Training(new_task(data, CONFIG, run), run, resume=resume)


class Killed(BaseException):
    """No code catches it, as no code catches a kill."""


def kill_after(steps):
    def report(done, total, values):
        if done == steps:
            raise Killed

    return report


def weights(out):
    state = checkpoints.read(out / LAST)
    return {**state["model"], **{f"average.{k}": v for k, v in state["average"].items()}}


def test_a_killed_training_resumes_to_the_same_weights(data, tmp_path):
    """Killed between two checkpoints; neither mixture nor directions are fitted again."""
    start(data, settings(tmp_path / "whole")).finish()
    with pytest.raises(Killed):
        start(data, settings(tmp_path / "killed")).finish(kill_after(3))
    resumed = start(data, settings(tmp_path / "killed"), resume=True)
    assert resumed.done == 2
    resumed.finish()
    whole, killed = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert [name for name, value in whole.items() if not value.equal(killed[name])] == []


def test_a_few_steps_lower_the_loss_and_move_the_network_alone(data, tmp_path):
    training = start(data, settings(tmp_path, steps=12))
    before = {name: value.clone() for name, value in training.model.state_dict().items()}
    batch = training.task.draw(1000)

    def loss():
        with torch.no_grad():
            return chain_loss(training.model, batch, torch.Generator().manual_seed(0))["loss"]

    first = loss()
    training.finish()
    assert loss() < 0.99 * first
    moved = {k for k, v in training.model.state_dict().items() if not v.equal(before[k])}
    assert moved and all(name.startswith("network.") for name in moved)


def test_batches_are_functions_of_seed_and_number(data, tmp_path):
    one, other = (new_task(data, CONFIG, settings(tmp_path)) for _ in range(2))
    torch.rand(5)
    assert one.draw(3).cube.equal(other.draw(3).cube)
    assert not one.draw(3).cube.equal(one.draw(4).cube)
    changed = new_task(data, CONFIG, replace(settings(tmp_path), seed=1))
    assert not changed.draw(3).cube.equal(one.draw(3).cube)


def test_no_steps_fit_the_mixture_alone(data, tmp_path):
    training = start(data, settings(tmp_path, steps=0))
    training.finish()
    model = new_task(data, CONFIG, settings(tmp_path)).model
    trained = training.model.state_dict()
    for name, value in model.state_dict().items():
        assert value.equal(trained[name]) == (not name.startswith(("mixture", "photo", "direc")))
    assert checkpoints.read(tmp_path / LAST)["run"]["network"] is False


def test_a_training_is_resumed_on_its_own_bands(data, tmp_path):
    run = settings(tmp_path)
    with pytest.raises(Killed):
        start(data, run).finish(kill_after(1))
    with pytest.raises(UsageError, match=r"bands was \[400,700,10\] and is \[400,1000,10\]"):
        start(data, replace(run, bands=(400, 1000, 10)), resume=True)


def test_the_command_leaves_what_publishing_reads(data, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "load_training_data", lambda folder, bands: data)
    monkeypatch.setattr(train, "Config", lambda bands, size: replace_config(bands))
    monkeypatch.setattr(publish, "Config", lambda bands, size: replace_config(bands))
    arguments = ["train", str(tmp_path), str(tmp_path / "run"), "--steps", "1"]
    monkeypatch.setattr(sys, "argv", arguments)
    train.main()
    model, trained = publish.load_trained(
        tmp_path / "run" / LAST, Bands.regular(400, 700, 10), data
    )
    assert trained and not model.training
    average = checkpoints.read(tmp_path / "run" / LAST)["average"]
    assert all(value.equal(average[name]) for name, value in model.state_dict().items())
    assert json.dumps(checkpoints.read(tmp_path / "run" / LAST)["run"])


def replace_config(bands):
    assert bands == BANDS
    return CONFIG
