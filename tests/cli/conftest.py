import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.command_line import run, write_scene
from tests.third_party import install


@pytest.fixture(scope="session")
def installed(tmp_path_factory) -> Path:
    """The weights of a very cheap model, in a folder that is not on any search path yet."""
    return install(tmp_path_factory.mktemp("third_party"))


@pytest.fixture
def slope(installed, monkeypatch) -> Path:
    """The cheap model, importable here and in child processes."""
    monkeypatch.syspath_prepend(installed.parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(installed.parent), *sys.path]))
    return installed


@pytest.fixture
def reconstruct(slope) -> Callable[..., Result]:
    """Runs `hsi-xr reconstruct`, with the cheap model by default."""
    return lambda *arguments: run("reconstruct", "--model", slope, *arguments)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """An RGB scene in its own folder."""
    folder = tmp_path / "rgb"
    folder.mkdir()
    return write_scene(folder / "scene.tif")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder
