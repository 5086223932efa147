"""Conversions in separate processes, which are killed at random and restarted."""

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
_LONGEST_DELAY = 0.15
"""Longest delay in seconds of a signal after a manifest entry: the time of a tile or two."""


def tiles(folder: Path, rows: int, columns: int, side: int) -> Path:
    """Write a grid of small images, no two alike."""
    grid = [side * i for i in range(rows)], [side * j for j in range(columns)]
    cut(folder, rgb_image(rows * side, columns * side), *grid)
    return folder


def start(tiles: Path, out: Path, *options: str) -> subprocess.Popen:
    """Start a conversion with a very cheap model, in its own process group."""
    call = [sys.executable, "-m", "hsi_xr", "-q", "convert", str(tiles), str(out), "--resume"]
    return subprocess.Popen(
        [*call, "-m", "root-polynomial", "--datetime", TAKEN, *options],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # background jobs ignore the signal, and their children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def finish(tiles: Path, out: Path, *options: str) -> None:
    with start(tiles, out, *options) as run:
        stderr = run.communicate()[1]
        assert run.returncode == 0, stderr


def kill(
    run: subprocess.Popen, out: Path, after: int, signalled: int, chance: random.Random
) -> None:
    """Signal all processes of a run, shortly after its manifest has `after` lines."""
    if signalled != signal.SIGKILL:  # Python handles it only after it has started up
        after = max(after, manifest_length(out) + 1)
    while manifest_length(out) < after and run.poll() is None:
        time.sleep(0.002)
    time.sleep(chance.uniform(0, _LONGEST_DELAY))
    os.killpg(run.pid, signalled)
    stderr = run.communicate()[1]
    if signalled != signal.SIGKILL:
        assert stderr == "Interrupted. Finished images are kept; continue with --resume.\n"
    assert run.returncode == (-signal.SIGKILL if signalled == signal.SIGKILL else 130), stderr


def convert_with_kills(
    tiles: Path, out: Path, moments: Sequence[int], signals: Sequence[int], *options: str
) -> None:
    """Stop a conversion after each of these numbers of manifest lines, then let it finish."""
    chance = random.Random(len(moments))
    for after, signalled in zip(moments, signals, strict=True):
        with start(tiles, out, *options) as run:
            kill(run, out, after, signalled, chance)
    finish(tiles, out, *options)


def manifest_length(out: Path) -> int:
    """Returns the number of lines in the manifest, including its header."""
    return (out / MANIFEST).read_bytes().count(b"\n") if (out / MANIFEST).exists() else 0


def manifest_entries(out: Path) -> list[dict]:
    """Returns the manifest without the order and duration of conversions."""
    head, *lines = map(json.loads, (out / MANIFEST).read_text("utf-8").splitlines())
    for line in lines:
        del line["seconds"]
    return [head, *sorted(lines, key=lambda line: line["id"])]
