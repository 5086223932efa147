"""A folder of results is replaced completely or not at all."""

import os
from pathlib import Path

import pytest

from hsi_xr.errors import DestinationExists, DestinationUnwritable
from hsi_xr.evaluation.protocol import Protocol, Settings
from hsi_xr.evaluation.report_files import OWN, figure_path, staging_folder, write
from hsi_xr.evaluation.result import Evaluation, Image

PROTOCOL = Protocol(settings=Settings(), models=(), data=())


def fill(part: Path, text: str, *, figures: bool = True) -> None:
    for name in OWN[:3]:
        (part / name).write_text(text)
    if figures:
        figure_path(Image("toy", "slope", text, (), {}), part).write_text(text)


def fail(folder: Path) -> None:
    with staging_folder(folder, overwrite=True) as part:
        fill(part, "new")
        raise KeyboardInterrupt


def content(folder: Path) -> dict[str, str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in paths}


def test_a_block_that_succeeds_leaves_all_files_and_no_temporary_ones(tmp_path):
    with staging_folder(tmp_path / "a" / "b") as part:
        fill(part, "new")
        assert not (tmp_path / "a" / "b" / "scores.json").exists()
    expected = {*OWN[:3], "pictures/toy/slope/new.png"}
    assert content(tmp_path / "a" / "b") == dict.fromkeys(expected, "new")


@pytest.mark.parametrize("exists", [False, True])
def test_a_block_that_fails_changes_nothing(tmp_path, exists):
    folder = tmp_path / "a" / "b"
    if exists:
        with staging_folder(folder) as part:
            fill(part, "old")
    before = content(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fail(folder)
    assert content(tmp_path) == before
    assert (tmp_path / "a").exists() == exists


def test_an_earlier_evaluation_is_replaced_only_with_overwrite(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with staging_folder(tmp_path) as part:
        fill(part, "old")
    with pytest.raises(DestinationExists, match="--overwrite"), staging_folder(tmp_path):
        pass
    with staging_folder(tmp_path, overwrite=True) as part:
        fill(part, "new", figures=False)
    assert content(tmp_path) == {"mine.txt": "mine", **dict.fromkeys(OWN[:3], "new")}
    assert not (tmp_path / "pictures").exists()  # they belong to the earlier scores


@pytest.mark.parametrize("target", ["elsewhere", "nowhere"])
def test_a_link_to_figures_is_replaced_and_its_target_is_kept(tmp_path, target):
    folder, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (elsewhere / "mine.txt").write_text("mine")
    (folder / "pictures").symlink_to(tmp_path / target)
    with pytest.raises(DestinationExists, match="pictures"), staging_folder(folder):
        pass
    with staging_folder(folder, overwrite=True) as part:
        fill(part, "new")
    assert not (folder / "pictures").is_symlink()
    assert content(folder) == dict.fromkeys({*OWN[:3], "pictures/toy/slope/new.png"}, "new")
    assert content(elsewhere) == {"mine.txt": "mine"}


@pytest.mark.parametrize("failure", [OSError(28, "No space left"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", range(8))
def test_the_old_files_are_restored_if_a_move_fails(tmp_path, monkeypatch, failure, step):
    with staging_folder(tmp_path) as part:
        fill(part, "old")
    before, replace, moved = content(tmp_path), os.replace, []

    def failing(old, new):
        moved.append(new)
        if len(moved) == step + 1:
            raise failure
        replace(old, new)

    monkeypatch.setattr(os, "replace", failing)
    error = DestinationUnwritable if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(error), staging_folder(tmp_path, overwrite=True) as part:
        fill(part, "new")
    assert content(tmp_path) == before
    assert {path.name for path in tmp_path.iterdir()} == {*OWN}


def publish_scores(folder: Path) -> None:
    with staging_folder(folder) as part:
        write(Evaluation(PROTOCOL, ()), part)


def publish_a_figure(folder: Path) -> None:
    with staging_folder(folder) as part:
        figure_path(Image("toy", "slope", "b", (), {}), part)


@pytest.mark.parametrize(
    ("verb", "publish"), [("write_text", publish_scores), ("mkdir", publish_a_figure)]
)
def test_a_write_error_names_the_folder(tmp_path, monkeypatch, verb, publish):
    def full(path: Path, *_, **__):
        if path != tmp_path:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, verb, full)
    with pytest.raises(DestinationUnwritable, match="No space left") as refused:
        publish(tmp_path)
    assert repr(str(tmp_path)) in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_a_file_instead_of_a_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DestinationUnwritable), staging_folder(tmp_path / "file" / "out"):
        pass


def test_names_of_scenes_create_no_folders(tmp_path):
    path = figure_path(Image("toy", "..", "../../a/b", (), {}), tmp_path)
    assert path.resolve().is_relative_to((tmp_path / "pictures").resolve())
    assert len(path.relative_to(tmp_path).parts) == 4
