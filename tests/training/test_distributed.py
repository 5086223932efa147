"""Training in several processes."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hsi_xr.errors import UsageError
from hsi_xr.training import checkpoints
from hsi_xr.training.checkpoints import LAST
from hsi_xr.training.distributed import Ranks
from hsi_xr.training.optimiser import Optimiser
from hsi_xr.training.settings import Schedule
from tests.training.small import Slopes, run_of, training_of

ROOT = Path(__file__).parents[2]

CODE = """
import sys
from pathlib import Path
from tests.training.test_distributed import train
train(Path(sys.argv[1]), accumulate=1)
"""


def train(out: Path, *, accumulate: int) -> None:
    run = run_of(
        "adversarial",
        out,
        optimiser=Optimiser(rate=1e-3, accumulate=accumulate),
        schedule=Schedule(steps=3, validate=0, log=1),
        device="cpu",
    )
    training = training_of(run, Slopes())
    for part in (training.model, training.auxiliary):
        for each in part.modules():
            if isinstance(each, torch.nn.BatchNorm2d):
                each.momentum = 0.0  # statistics of two batches are not the mean of those of each
    training.finish()


def test_two_processes_train_as_one_with_two_batches(tmp_path):
    train(tmp_path / "one", accumulate=2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    world = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    world |= {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    each = [
        subprocess.Popen(
            [sys.executable, "-c", CODE, str(tmp_path / "two")],
            env={**os.environ, **world, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]
    assert [process.wait(timeout=60) for process in each] == [0, 0]
    one, two = (checkpoints.read(tmp_path / name / LAST) for name in ("one", "two"))
    for part in ("model", "auxiliary"):
        for key, value in one[part].items():
            if value.is_floating_point():  # the others count batches
                torch.testing.assert_close(two[part][key], value, atol=1e-4, rtol=0)


class Overflow(Ranks):
    """One of two processes, where the other one has an overflow in all its gradients."""

    def average(self, tensors):
        for each in tensors:
            each.fill_(torch.inf)


def test_an_overflow_in_one_process_is_found_in_all(tmp_path):
    """In half precision all processes skip the step and halve the scale, or none does."""
    run = run_of("regression", tmp_path, precision="float16", device="cpu")
    training = training_of(run, Slopes())
    training.ranks = Overflow()
    before = {key: value.clone() for key, value in training.model.state_dict().items()}
    scale = training.scaler.get_scale()
    training.step([training.task.draw(number) for number in range(2)])
    assert training.scaler.get_scale() == scale / 2
    assert all(value.equal(before[key]) for key, value in training.model.state_dict().items())


def test_a_run_of_two_processes_is_not_resumed_by_one(tmp_path):
    """Each process draws batches of its own, so that their number determines the batches."""
    run = run_of("regression", tmp_path, device="cpu")
    training = training_of(run, Slopes())
    training.ranks = Ranks(rank=0, count=2)
    checkpoints.write(training.state(), tmp_path / LAST)
    with pytest.raises(UsageError, match="was started with 2 processes, not 1"):
        training_of(run, Slopes(), resume=True)
