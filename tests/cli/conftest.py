from pathlib import Path

import pytest

from tests.command_line import write_scene


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
