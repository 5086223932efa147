from functools import partial

import pytest

import hsi_xr
from tests.batch.tiles import TAKEN, cut
from tests.scenes import rgb_image


@pytest.fixture
def tiles(tmp_path):
    """Six tiles of uneven sizes in a folder, and nothing else in it."""
    cut(tmp_path / "tiles", rgb_image(150, 203), [0, 47], [0, 64, 131])
    return tmp_path / "tiles"


@pytest.fixture
def instant():
    """Settings of a conversion with a very cheap model."""
    return partial(hsi_xr.Conversion, model="root-polynomial", datetime=TAKEN)
