"""Fixtures of several folders of tests."""

import os
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

import hypothesis
import pytest

from tests.third_party import install

# a deadline would be a timed assertion, which a busy machine fails
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture
def slope(tmp_path, monkeypatch):
    """Returns a function that installs a third-party model; see `tests.third_party.install`."""
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("third_party_slope", None)  # imported by another test from another folder
    return partial(install, tmp_path)


def pytest_configure(config):
    """Gives each process that runs tests, and its child processes, a temporary folder."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is not None:
        folder = Path(tempfile.gettempdir()) / f"hsi_xr-tests-{os.getppid()}-{worker}"
        folder.mkdir(exist_ok=True)
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)


def pytest_unconfigure(config):
    if "PYTEST_XDIST_WORKER" in os.environ:
        shutil.rmtree(tempfile.gettempdir(), ignore_errors=True)
