"""Names, paths, and installed systems that are broken."""

from pathlib import Path

import pytest

import hsi_xr
from hsi_xr.checkpoints import registry
from hsi_xr.errors import InvalidCheckpoint, MissingWeights, UnknownName
from tests.scenes import scene


def _distribution(folder: Path, module: str) -> None:
    info = folder / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[hsi_xr.reconstructors]\nbroken = {module}\n")


def test_paths_and_names_are_not_confused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("default", "awan"):
        (tmp_path / name).mkdir()
    with pytest.raises(InvalidCheckpoint, match="no weights file"):
        hsi_xr.plan(scene(32, 40), Path("default"))
    assert registry.find("default").trained
    with pytest.raises(MissingWeights):
        registry.find("awan")
    with pytest.raises(InvalidCheckpoint):
        registry.find("./awan")


def test_a_torch_checkpoint_raises_with_a_repair():
    with pytest.raises(UnknownName, match="models import"):
        registry.find("mst_plus_plus.pth")


def test_a_package_that_cannot_be_imported_hides_no_other(tmp_path, monkeypatch):
    (tmp_path / "broken_package").mkdir()
    (tmp_path / "broken_package/__init__.py").write_text("raise RuntimeError('at import')")
    _distribution(tmp_path, "broken_package.system")
    monkeypatch.syspath_prepend(tmp_path)
    assert "broken" in registry.systems()
    assert {card.call for card in hsi_xr.models()} >= {"default", "awan"}


def test_an_installed_system_with_a_broken_card_is_left_out_with_a_warning(tmp_path, monkeypatch):
    (tmp_path / "broken_module.py").write_text("")
    (tmp_path / "broken_module.json").write_text("{}")
    _distribution(tmp_path, "broken_module")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.warns(UserWarning, match="'broken' is left out"):
        assert "broken" not in {card.call for card in hsi_xr.models()}


def test_options_of_other_functions_raise_by_name():
    with pytest.raises(TypeError, match="unexpected options: batch, samples"):
        hsi_xr.survey(scene(32, 40), samples=4, batch=2)
