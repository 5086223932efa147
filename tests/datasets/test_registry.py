import json
import subprocess
import sys

import numpy as np
import pytest

from hsi_xr import datasets
from hsi_xr.band_grid import Bands
from hsi_xr.datasets._camera import response
from hsi_xr.errors import InvalidData, UnknownName, UnreadableFile, UsageError


def test_every_public_module_is_a_data_set():
    known = ["cave", "cubes", "harvard", "icvl", "kaist", "ntire2020", "ntire2022", "pairs"]
    assert datasets.names() == known


def test_an_unknown_data_set_is_refused_with_a_hint(tmp_path):
    with pytest.raises(UnknownName, match="did you mean 'ntire2022'"):
        datasets.load("ntire-2022", tmp_path)


def test_an_unknown_option_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(UsageError, match="no option colour; known options: coding, size"):
        datasets.load("ntire2022", tmp_path, colour="linear")


@pytest.mark.parametrize("name", datasets.names())
def test_a_folder_that_does_not_exist_is_refused(tmp_path, name):
    options = {} if name in ("ntire2020", "ntire2022", "pairs") else {"camera": np.ones((3, 31))}
    if name == "kaist":
        options = {}
    with pytest.raises(UnreadableFile, match="does not exist"):
        datasets.load(name, tmp_path / "nowhere", **options)


def test_names_are_listed_without_torch_or_gdal():
    code = "import sys; from hsi_xr import datasets; datasets.names(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "rasterio", "h5py", "scipy"} & {*done.stdout.split()}


@pytest.fixture
def curves(tmp_path):
    """380 to 780 nm in steps of 200, in the layout of rawtoaces-data."""
    table = {"380": [0, 1, 2], "580": [1, 1, 0], "780": [3, 1, 0]}
    path = tmp_path / "camera.json"
    path.write_text(json.dumps({"spectral_data": {"data": {"main": table}}}))
    return path


def test_a_camera_file_is_interpolated_between_its_wavelengths(curves):
    sensitivities = response(curves, Bands((430.0, 580.0, 680.0)))
    np.testing.assert_allclose(sensitivities, [[0.25, 1, 2], [1, 1, 1], [1.5, 0, 0]])
    np.testing.assert_array_equal(
        response(str(curves), Bands((480.0, 580.0))), [[0.5, 1], [1, 1], [1, 0]]
    )


def test_a_camera_that_does_not_cover_the_bands_is_refused(curves, tmp_path):
    with pytest.raises(InvalidData, match="the bands need 370 to 580 nm"):
        response(curves, Bands((370.0, 580.0)))
    (tmp_path / "b.json").write_text('{"spectral_data": []}')
    with pytest.raises(InvalidData, match="not a table of sensitivities"):
        response(tmp_path / "b.json", Bands((580.0,)))
    with pytest.raises(UnreadableFile, match="check the path"):
        response(tmp_path / "c.json", Bands((580.0,)))
    with pytest.raises(UsageError, match=r"got \(3, 30\)"):
        response(np.ones((3, 30)), Bands.regular(400, 700, 10))


def test_curves_are_sorted_by_their_wavelength(curves):
    text = json.loads(curves.read_text())
    main = text["spectral_data"]["data"]["main"]
    text["spectral_data"]["data"]["main"] = dict(sorted(main.items(), reverse=True))
    ordered = response(curves, Bands((430.0, 680.0)))
    curves.write_text(json.dumps(text))
    np.testing.assert_array_equal(response(curves, Bands((430.0, 680.0))), ordered)


@pytest.mark.parametrize(
    "main",
    [
        '{"380": [1, 1, 1], "780": [1, 1, 1], "380.0": [2, 2, 2]}',
        '{"380": [1, 1, 1], "380": [2, 2, 2], "780": [1, 1, 1]}',
        '{"380": [1, 1, 1], "NaN": [2, 2, 2], "780": [1, 1, 1]}',
        '{"380": [1, 1, NaN], "780": [1, 1, 1]}',
        '{"380": [0, 1, 1], "780": [0, 1, 1]}',
        '{"380": [1, 1], "780": [1, 1]}',
        '{"380": [1, 1, 1], "780": [1, 1]}',
        '{"380": 1, "780": 1}',
        "{}",
        "[]",
        "7",
        "{",
    ],
)
def test_an_invalid_camera_file_is_refused(tmp_path, main):
    path = tmp_path / "camera.json"
    path.write_text(f'{{"spectral_data": {{"data": {{"main": {main}}}}}}}')
    with pytest.raises(InvalidData, match=r"camera\.json'"):
        response(path, Bands((580.0,)))


@pytest.mark.parametrize(
    "camera", [((1, 2), (3,)), ((1, 2), (3, 4)), {"a": 1}, 7, [[10**400]], np.full((3, 31), np.nan)]
)
def test_an_invalid_camera_is_refused(camera):
    with pytest.raises(UsageError, match=r"\(3, 31\) sensitivities"):
        response(camera, Bands.regular(400, 700, 10))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ntire2022", {"coding": "rec709"}),
        ("ntire2020", {"coding": ("srgb",)}),
        ("ntire2020", {"track": ("clean",)}),
        ("ntire2022", {"size": 482}),
        ("ntire2020", {"size": (482, -512)}),
        ("ntire2020", {"size": "482"}),
        ("cave", {"rgb": "display", "size": (1.5, 2)}),
        ("cave", {"camera": ((1, 2), (3,))}),
        ("harvard", {"camera": np.ones((3, 31)), "scale": "abc"}),
        ("harvard", {"camera": np.ones((3, 31)), "scale": None}),
        ("harvard", {"camera": np.ones((3, 31)), "resampled": "COMMON"}),
        ("kaist", {"test_size": (256,)}),
        ("pairs", {"bands": "COMMON"}),
        ("pairs", {"bands": "400:700:10"}),
        ("pairs", {"bands": (400, 700)}),
        ("pairs", {"bands": (400, 700, 0)}),
        ("pairs", {"bands": (400, 700, True)}),
        ("pairs", {"bands": (400, float("inf"), 10)}),
        ("pairs", {"bands": (700, 400, 10)}),
        ("pairs", {"bands": (400, 705, 10)}),
        ("pairs", {"bands": {400, 700, 10}}),
        ("pairs", {"scale": "abc"}),
        ("pairs", {"scale": 0}),
        ("pairs", {"rgb_scale": float("nan")}),
        ("pairs", {"crs": "abc"}),
        ("pairs", {"crs": (1, 2)}),
        ("pairs", {"radiometry": {"a": 1}}),
        ("cubes", {"camera": np.ones((3, 31)), "bands": "COMMON"}),
        ("cubes", {"camera": np.ones((3, 31)), "scale": True}),
    ],
)
def test_invalid_options_are_refused_when_the_data_set_is_opened(tmp_path, name, options):
    for part in ("hsi", "rgb"):
        (tmp_path / part).mkdir()
    with pytest.raises(UsageError):
        datasets.load(name, tmp_path, **options)


@pytest.mark.parametrize("numbers", [(400, 700, 10), [400.0, 700.0, 10.0], (400, 400, 10)])
def test_bands_may_be_given_as_numbers(tmp_path, numbers):
    for part in ("hsi", "rgb"):
        (tmp_path / part).mkdir()
    expected = Bands.regular(*numbers)
    assert datasets.load("pairs", tmp_path, bands=numbers).bands == expected
    assert datasets.load("pairs", tmp_path, bands=expected).bands == expected


def test_steps_that_are_not_binary_fractions_are_counted_correctly(tmp_path):
    for part in ("hsi", "rgb"):
        (tmp_path / part).mkdir()
    assert len(datasets.load("pairs", tmp_path, bands=(400.1, 402.2, 0.7)).bands) == 4


def test_the_error_about_bands_shows_the_value(tmp_path):
    for part in ("hsi", "rgb"):
        (tmp_path / part).mkdir()
    with pytest.raises(
        UsageError, match=r"bands must be \[first, last, step\].*got \(400, 705, 10\)"
    ):
        datasets.load("pairs", tmp_path, bands=(400, 705, 10))
