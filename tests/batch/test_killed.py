"""Conversions that are killed at random, as by a machine that goes down, and begun again."""

import random
import signal

import pytest

from tests.batch.killing import finish, killed, notes, tiles
from tests.batch.tiles import digests

KILL = signal.SIGKILL
"""A process cannot notice it."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stops", "how"),
    [
        ((KILL, signal.SIGINT, KILL, signal.SIGTERM, KILL), ()),
        ((KILL, KILL), ("--as-mosaic", "--vrt")),
    ],
    ids=["apart", "mosaic"],
)
def test_killed_again_and_again_it_ends_with_the_same_bytes(tmp_path, stops, how):
    """Each time some tiles further, in the middle of one; `make bench` does it with 500."""
    pictures = tiles(tmp_path / "tiles", 5, 8, side=48)
    once, stopped = tmp_path / "a" / "cubes", tmp_path / "b" / "cubes"
    finish(pictures, once, *how)
    moments = sorted(random.Random(len(how)).sample(range(2, 36), len(stops)))
    killed(pictures, stopped, moments, stops, *how)
    assert digests(stopped.parent) == digests(once.parent)
    assert notes(stopped) == notes(once)
