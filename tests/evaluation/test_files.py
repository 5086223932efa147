"""A folder of results is complete, or as it was."""

from pathlib import Path

import pytest

from hsi_xr.errors import DestinationExists, DestinationUnwritable
from hsi_xr.evaluation.files import OWN, picture_of, publishing
from hsi_xr.evaluation.result import Image


def fill(part: Path, text: str, *, pictures: bool = True) -> None:
    for name in OWN[:3]:
        (part / name).write_text(text)
    if pictures:
        picture_of(Image("toy", "slope", text, (), {}), part).write_text(text)


def fail(folder: Path) -> None:
    with publishing(folder, overwrite=True) as part:
        fill(part, "new")
        raise KeyboardInterrupt


def content(folder: Path) -> dict[str, str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in paths}


def test_a_block_that_ends_well_leaves_all_files_and_nothing_passing(tmp_path):
    with publishing(tmp_path / "a" / "b") as part:
        fill(part, "new")
        assert not (tmp_path / "a" / "b" / "scores.json").exists()
    expected = {*OWN[:3], "pictures/toy/slope/new.png"}
    assert content(tmp_path / "a" / "b") == dict.fromkeys(expected, "new")


@pytest.mark.parametrize("there", [False, True])
def test_a_block_that_fails_leaves_everything_as_it_was(tmp_path, there):
    folder = tmp_path / "a" / "b"
    if there:
        with publishing(folder) as part:
            fill(part, "old")
    before = content(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fail(folder)
    assert content(tmp_path) == before
    assert (tmp_path / "a").exists() == there


def test_an_earlier_evaluation_is_replaced_only_when_told_so(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with publishing(tmp_path) as part:
        fill(part, "old")
    with pytest.raises(DestinationExists, match="--overwrite"), publishing(tmp_path):
        pass
    with publishing(tmp_path, overwrite=True) as part:
        fill(part, "new", pictures=False)
    assert content(tmp_path) == {"mine.txt": "mine", **dict.fromkeys(OWN[:3], "new")}
    assert not (tmp_path / "pictures").exists()  # of numbers that are gone


def test_a_file_in_the_way_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DestinationUnwritable), publishing(tmp_path / "file" / "out"):
        pass


def test_names_of_scenes_make_no_folders(tmp_path):
    path = picture_of(Image("toy", "..", "../../a/b", (), {}), tmp_path)
    assert path.resolve().is_relative_to((tmp_path / "pictures").resolve())
    assert len(path.relative_to(tmp_path).parts) == 4
