"""Conversions in a process of their own, which is killed at random and begun again."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from hsi_xr.batch.names import MANIFEST
from tests.batch.tiles import TAKEN, cut
from tests.scenes import rgb_image

ENVIRONMENT = {**os.environ, "SOURCE_DATE_EPOCH": "1780000000"}
_HELD_BACK = 0.15
"""Seconds up to which a signal comes after the line that it waited for: a tile or two."""


def tiles(folder: Path, rows: int, columns: int, side: int) -> Path:
    """So many small pictures of one ground, no two alike."""
    grid = [side * i for i in range(rows)], [side * j for j in range(columns)]
    cut(folder, rgb_image(rows * side, columns * side), *grid)
    return folder


def begin(tiles: Path, out: Path, *options: str) -> subprocess.Popen:
    """A conversion with a model that costs next to nothing, in a group of processes of its own."""
    call = [sys.executable, "-m", "hsi_xr", "-q", "convert", str(tiles), str(out), "--resume"]
    return subprocess.Popen(
        [*call, "-m", "root-polynomial", "--datetime", TAKEN, *options],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a run in the background ignores it, and its children would, too
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def finish(tiles: Path, out: Path, *options: str) -> None:
    with begin(tiles, out, *options) as run:
        told = run.communicate()[1]
        assert run.returncode == 0, told


def kill(
    run: subprocess.Popen, out: Path, after: int, signalled: int, chance: random.Random
) -> None:
    """Send a signal to all of its processes some moment after so many lines are noted."""
    if signalled != signal.SIGKILL:  # one that Python can answer only when it has begun
        after = max(after, noted(out) + 1)
    while noted(out) < after and run.poll() is None:
        time.sleep(0.002)
    time.sleep(chance.uniform(0, _HELD_BACK))
    os.killpg(run.pid, signalled)
    told = run.communicate()[1]
    if signalled != signal.SIGKILL:
        assert told == "Interrupted. Finished images are kept; continue with --resume.\n"
    assert run.returncode == (-signal.SIGKILL if signalled == signal.SIGKILL else 130), told


def killed(
    tiles: Path, out: Path, moments: Sequence[int], signals: Sequence[int], *options: str
) -> None:
    """A conversion that is stopped after so many lines each time, and finished in the end."""
    chance = random.Random(len(moments))
    for after, signalled in zip(moments, signals, strict=True):
        with begin(tiles, out, *options) as run:
            kill(run, out, after, signalled, chance)
    finish(tiles, out, *options)


def noted(out: Path) -> int:
    """Lines of the manifest, the first of which is its head."""
    return (out / MANIFEST).read_bytes().count(b"\n") if (out / MANIFEST).exists() else 0


def notes(out: Path) -> list[dict]:
    """What a manifest says, but in which order and how fast pictures were made."""
    head, *lines = map(json.loads, (out / MANIFEST).read_text("utf-8").splitlines())
    for line in lines:
        del line["seconds"]
    return [head, *sorted(lines, key=lambda line: line["id"])]
