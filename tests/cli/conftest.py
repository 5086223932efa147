import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.command_line import run, write_scene
from tests.stranger import install


@pytest.fixture(scope="session")
def installed(tmp_path_factory) -> Path:
    """Weights of a model that costs next to nothing; its folder is not on any path yet."""
    return install(tmp_path_factory.mktemp("stranger"))


@pytest.fixture
def slope(installed, monkeypatch) -> Path:
    """The cheap model, found from here and by processes that are started here."""
    monkeypatch.syspath_prepend(installed.parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(installed.parent), *sys.path]))
    return installed


@pytest.fixture
def reconstruct(slope) -> Callable[..., Result]:
    """The command of that name, with the cheap model unless it is given another."""
    return lambda *arguments: run("reconstruct", "--model", slope, *arguments)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """An RGB scene in a folder of its own."""
    folder = tmp_path / "rgb"
    folder.mkdir()
    return write_scene(folder / "scene.tif")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder
