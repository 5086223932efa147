"""What tests of several folders stand on."""

import sys
from functools import partial

import pytest

from tests.stranger import install


@pytest.fixture
def slope(tmp_path, monkeypatch):
    """Installs models of the stranger's system; see `tests.stranger.install`."""
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("stranger_slope", None)  # another test's, in another folder
    return partial(install, tmp_path)
