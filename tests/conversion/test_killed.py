"""Conversions that are killed at random, as by a machine that goes down, and begun again."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hsi_xr.conversion.manifest import NAME
from tests.conversion.tiles import TAKEN, cut, digests
from tests.scenes import picture

SIDE = 48
ENVIRONMENT = {**os.environ, "SOURCE_DATE_EPOCH": "1780000000"}


def command(tiles: Path, out: Path, *options: str) -> list[str]:
    call = [sys.executable, "-m", "hsi_xr", "-q", "convert", str(tiles), str(out)]
    return [*call, "-m", "root-polynomial", "--datetime", TAKEN, *options]


def begin(tiles: Path, out: Path, *options: str) -> subprocess.Popen:
    arguments = command(tiles, out, "--resume", *options)
    return subprocess.Popen(
        arguments,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # a run in the background ignores it, and its children would, too
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def noted(out: Path) -> int:
    return (out / NAME).read_bytes().count(b"\n") if (out / NAME).exists() else 0


@pytest.mark.slow
@pytest.mark.parametrize("how", [(), ("--as-mosaic", "--vrt")], ids=["apart", "mosaic"])
def test_killed_again_and_again_it_ends_with_the_same_bytes(tmp_path, how):
    """Each time some tiles further, in the middle of one."""
    rows, columns = 5, 8
    grid = [SIDE * i for i in range(rows)], [SIDE * j for j in range(columns)]
    cut(tmp_path / "tiles", picture(rows * SIDE, columns * SIDE), *grid)
    once, killed = tmp_path / "a" / "cubes", tmp_path / "b" / "cubes"
    call = command(tmp_path / "tiles", once, *how)
    subprocess.run(call, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
    chance = random.Random(len(how))
    for signalled in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL, signal.SIGKILL):
        further = noted(killed) + chance.randint(1, 9)
        with begin(tmp_path / "tiles", killed, *how) as run:
            while noted(killed) < further and run.poll() is None:
                time.sleep(0.002)
            time.sleep(chance.uniform(0, 0.1))
            run.send_signal(signalled)
            assert run.wait() in (-signal.SIGKILL, 130)
    assert noted(killed) < rows * columns
    with begin(tmp_path / "tiles", killed, *how) as run:
        assert run.wait() == 0
    assert digests(tmp_path / "b") == digests(tmp_path / "a")
    assert noted(killed) == noted(once)
