"""Processes that train together."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import torch

from hsi_xr.training import checkpoints
from hsi_xr.training.config import Optimiser, Schedule
from hsi_xr.training.loop import LAST, Training
from tests.training.small import Slopes, run_of

ROOT = Path(__file__).parents[2]

CODE = """
import sys
from pathlib import Path
from tests.training.test_ranks import train
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
    training = Training(run, Slopes())
    for part in (training.model, training.objective.beside):
        for each in part.modules():
            if isinstance(each, torch.nn.BatchNorm2d):
                each.momentum = 0.0  # statistics of two batches are not the mean of each
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
    for part in ("model", "beside"):
        for key, value in one[part].items():
            if value.is_floating_point():  # the others count batches
                torch.testing.assert_close(two[part][key], value, atol=1e-4, rtol=0)
