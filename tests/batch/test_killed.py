"""Conversions that are killed at random, as by a power failure, and restarted."""

import random
import signal

import pytest

from tests.batch.killing import convert_with_kills, finish, manifest_entries, tiles
from tests.batch.tiles import digests

KILL = signal.SIGKILL
"""A process cannot handle this signal."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stops", "how"),
    [
        ((KILL, signal.SIGINT, KILL, signal.SIGTERM, KILL), ()),
        ((KILL, KILL), ("--as-mosaic", "--vrt")),
    ],
    ids=["apart", "mosaic"],
)
def test_a_repeatedly_killed_conversion_ends_with_the_same_bytes(tmp_path, stops, how):
    """Each kill is a few tiles later, in the middle of one; `make bench` does this with 500."""
    images = tiles(tmp_path / "tiles", 5, 8, side=48)
    once, stopped = tmp_path / "a" / "cubes", tmp_path / "b" / "cubes"
    finish(images, once, *how)
    moments = sorted(random.Random(len(how)).sample(range(2, 36), len(stops)))
    convert_with_kills(images, stopped, moments, stops, *how)
    assert digests(stopped.parent) == digests(once.parent)
    assert manifest_entries(stopped) == manifest_entries(once)
