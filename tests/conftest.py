"""What tests of several folders stand on."""

import os
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

import pytest

from tests.stranger import install


@pytest.fixture
def slope(tmp_path, monkeypatch):
    """Installs models of the stranger's system; see `tests.stranger.install`."""
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("stranger_slope", None)  # another test's, in another folder
    return partial(install, tmp_path)


def pytest_configure(config):
    """Each process that runs tests has temporary files of its own, and so have those it starts."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is not None:
        folder = Path(tempfile.gettempdir()) / f"hsi_xr-tests-{os.getppid()}-{worker}"
        folder.mkdir(exist_ok=True)
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)


def pytest_unconfigure(config):
    if "PYTEST_XDIST_WORKER" in os.environ:
        shutil.rmtree(tempfile.gettempdir(), ignore_errors=True)
