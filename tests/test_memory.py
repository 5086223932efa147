"""Memory is bounded by blocks on their way, not by the scene."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.scenes import picture, save
from tests.stranger import install

_RUN = """
import resource, sys
import hsi_xr
scene, model, cube = sys.argv[1:]
hsi_xr.write(hsi_xr.reconstruct(scene, model, tile=512), cube, overwrite=True)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def _peak(folder: Path, model: Path, rows: int, columns: int) -> int:
    """KiB of resident memory at its peak: reading, reconstructing and writing a scene."""
    strip = picture(256, columns)
    pixels = np.concatenate([strip] * -(-rows // 256), axis=1)[:, :rows]
    path = save(folder / "scene.tif", pixels, tiled=True, blockxsize=256, blockysize=256)
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(path), str(model), str(folder / "cube.tif")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])},
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("turned", [False, True], ids=["wide", "tall"])
def test_a_scene_five_times_as_long_needs_no_more_memory(tmp_path, turned):
    """The scene's own part, without a network: that one's memory is a tile's."""
    model = install(tmp_path)
    short, long = (
        _peak(tmp_path, model, *((length, 2048) if turned else (2048, length)))
        for length in (4096, 20480)
    )
    assert long <= 1.15 * short, f"{short} KiB, {long} KiB for the long one"
