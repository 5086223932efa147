"""The resumption of conversions in its true size: 500 pictures, killed five times. Minutes."""

import random
import signal
import time

import pytest

from tests.batch.killing import finish, killed, notes, tiles
from tests.batch.tiles import digests


@pytest.mark.parametrize("how", [(), ("--as-mosaic", "--vrt")], ids=["apart", "mosaic"])
def test_five_hundred_pictures_killed_five_times_are_those_of_one_run(tmp_path, capsys, how):
    """At any moment: while pictures are looked at, are converted, and the collection is made."""
    count, kills = 500, 5
    pictures = tiles(tmp_path / "tiles", 20, 25, side=64)
    once, stopped = tmp_path / "a" / "cubes", tmp_path / "b" / "cubes"
    begun = time.monotonic()
    finish(pictures, once, *how)
    seconds = time.monotonic() - begun
    moments = sorted(random.Random(len(how)).sample(range(count + 1), kills))
    killed(pictures, stopped, moments, [signal.SIGKILL] * kills, *how)
    found, expected = digests(stopped.parent), digests(once.parent)
    assert found == expected and notes(stopped) == notes(once)
    with capsys.disabled():
        print(
            f"\n{count} pictures of 64 x 64 px in {seconds:.0f} s ({60 * count / seconds:.0f} a "
            f"minute, with start); killed after {', '.join(map(str, moments))}: the same "
            f"{len(found)} files"
        )
