"""Files and folders that are replaced in one step."""

import pytest

from hsi_xr.io import atomic


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "a.json"
    with atomic.replacing(path) as part:
        part.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_keeps_the_old_file_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "a.json"
    atomic.write_text(path, "Größe")
    with pytest.raises(UnicodeEncodeError), atomic.replacing(path) as part:
        part.write_text("half ü", encoding="ascii")
    assert path.read_text("utf-8") == "Größe"
    assert list(tmp_path.iterdir()) == [path]


def test_bytes_are_written_as_they_are(tmp_path):
    atomic.write_bytes(tmp_path / "a", b"\r\n\x00")
    assert (tmp_path / "a").read_bytes() == b"\r\n\x00"


@pytest.mark.parametrize("exists", [False, True])
def test_a_folder_is_replaced_as_a_whole(tmp_path, exists):
    folder = tmp_path / "above" / "model"
    if exists:
        folder.mkdir(parents=True)
        (folder / "old").touch()
    with atomic.replacing_folder(folder) as new:
        (new / "card").touch()
        assert (folder / "old").exists() == exists
    assert [path.name for path in folder.iterdir()] == ["card"]
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_that_cannot_be_replaced_is_kept(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "old").touch()
    with pytest.raises(FileNotFoundError), atomic.replacing_folder(folder) as new:
        new.rmdir()  # so that it cannot be renamed
    assert [path.name for path in folder.iterdir()] == ["old"]
