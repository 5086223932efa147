"""Memory depends on the blocks that wait to be written, not on the size of the scene."""

from pathlib import Path

import numpy as np
import pytest

from tests.memory import needs_proc, peak
from tests.scenes import rgb_image, save
from tests.third_party import install

_RUN = """
import sys
import hsi_xr
scene, model, cube = sys.argv[1:]
hsi_xr.write(hsi_xr.reconstruct(scene, model, tile=512), cube, overwrite=True)
"""


def _peak(folder: Path, model: Path, rows: int, columns: int) -> int:
    """Returns the peak memory of reading, reconstructing and writing a scene, in bytes."""
    strip = rgb_image(256, columns)
    pixels = np.concatenate([strip] * -(-rows // 256), axis=1)[:, :rows]
    path = save(folder / "scene.tif", pixels, tiled=True, blockxsize=256, blockysize=256)
    return peak(_RUN, path, model, folder / "cube.tif", path=[folder])


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("tall", [False, True], ids=["wide", "tall"])
def test_a_scene_three_times_as_long_needs_no_more_memory(tmp_path, tall):
    """The model has no network, because its memory would depend on the tile."""
    model = install(tmp_path)

    def peak_of(length: int) -> int:
        return _peak(tmp_path, model, *((length, 2048) if tall else (2048, length)))

    # the number of blocks that wait for the writer is random; a long scene has more chances
    short, long = max(peak_of(4096) for _ in range(2)), peak_of(12288)
    assert long <= 1.2 * short, f"{short / 1e6:.0f} MB, {long / 1e6:.0f} MB for the long one"
