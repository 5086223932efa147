import h5py
import numpy as np
import pytest

from hsi_xr.datasets import _mat, _scenes
from hsi_xr.errors import InvalidData, UnreadableFile, UsageError
from tests.mat_files import cut, texture, write_v5, write_v73

WRITERS = [write_v5, write_v73]


@pytest.mark.parametrize("write", WRITERS)
def test_both_versions_have_the_axes_of_matlab(tmp_path, write):
    cube = texture(5, 7, 3)
    path = write(tmp_path / "a.mat", other=texture(2, 2), cube=cube)
    assert _mat.shape(path, "cube") == (5, 7, 3)
    np.testing.assert_array_equal(_mat.read(path, "cube"), cube)
    np.testing.assert_array_equal(_mat.read_cube(path, "cube"), cube.transpose(2, 0, 1))


@pytest.mark.parametrize("write", WRITERS)
def test_the_first_variable_that_exists_is_read(tmp_path, write):
    path = write(tmp_path / "a.mat", img=texture(2, 3))
    assert _mat.shape(path, "img_expand", "img") == (2, 3)


@pytest.mark.parametrize("write", WRITERS)
def test_a_missing_variable_is_reported_with_those_that_exist(tmp_path, write):
    path = write(tmp_path / "a.mat", img=texture(2, 3))
    for function in (_mat.shape, _mat.read):
        with pytest.raises(InvalidData, match="no variable 'cube'; it has img"):
            function(path, "cube")


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.999])
def test_a_truncated_file_is_recognised_by_its_header(tmp_path, write, share):
    path = write(tmp_path / "a.mat", cube=texture(40, 50, 3))
    cut(path, share)
    for function in (_mat.shape, _mat.read):
        with pytest.raises(UnreadableFile, match=r"a\.mat"):
            function(path, "cube")


@pytest.mark.parametrize("write", WRITERS)
def test_a_two_dimensional_array_is_not_a_cube(tmp_path, write):
    path = write(tmp_path / "a.mat", cube=texture(5, 7))
    with pytest.raises(InvalidData, match=r"a\.mat' does not contain a cube"):
        _mat.read_cube(path, "cube")
    assert "5 x 7" in _scenes.shape_problems(path, lambda p: _mat.shape(p, "cube"), (5, 7, 3))[0]


def not_numeric(folder):
    """Write files in which `cube` is a struct, a cell array or text."""
    cells = np.empty((5, 7, 3), object)
    cells[...] = 1.0
    yield write_v5(folder / "struct.mat", cube={"data": texture(5, 7, 3)})
    yield write_v5(folder / "cell.mat", cube=cells)
    yield write_v5(folder / "text.mat", cube="cube")
    path = write_v73(folder / "group.mat", other=texture(5, 7, 3))
    with h5py.File(path, "r+") as file:
        file.create_group("cube")["data"] = texture(5, 7, 3)
    yield path
    path = write_v73(folder / "chars.mat", cube=np.ones((5, 7, 3), "uint16"))
    with h5py.File(path, "r+") as file:
        file["cube"].attrs["MATLAB_class"] = np.bytes_("char")
    yield path


def test_variables_that_are_not_numeric_are_refused_and_reported(tmp_path):
    for path in not_numeric(tmp_path):
        for function in (_mat.shape, _mat.read, _mat.read_cube):
            with pytest.raises(InvalidData, match=r"'cube' of .* is not a numeric array"):
                function(path, "cube")
        lines = _scenes.shape_problems(path, lambda p: _mat.shape(p, "cube"), (5, 7, 3))
        assert len(lines) == 1 and path.name in lines[0]


def test_complex_values_are_refused(tmp_path):
    path = write_v5(tmp_path / "a.mat", cube=texture(5, 7, 3) * 1j)
    with pytest.raises(InvalidData, match="not a numeric array"):
        _mat.read_cube(path, "cube")


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "a.mat"
    path.write_bytes(b"<html>not found</html>" * 20)
    with pytest.raises(UnreadableFile, match="not a MATLAB file"):
        _mat.shape(path, "cube")
    with pytest.raises(UnreadableFile, match="check the path"):
        _mat.shape(tmp_path / "b.mat", "cube")


def test_without_the_reader_the_error_names_the_extra_to_install(tmp_path, monkeypatch):
    path = write_v73(tmp_path / "a.mat", cube=texture(2, 2))
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(UsageError, match=r"pip install .hsi-xr\[train\]"):
        _mat.shape(path, "cube")
