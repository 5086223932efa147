"""The level of images on the command line, and in conversions of many images."""

import json

import numpy as np
import pytest
from affine import Affine

import hsi_xr
from hsi_xr.errors import UsageError
from tests.command_line import TRANSFORM, run, write_scene
from tests.scenes import save

ROWS, COLUMNS = 61, 83


@pytest.fixture
def image(tmp_path):
    return write_scene(tmp_path / "image.tif", photometric="RGB")


@pytest.fixture
def reference(tmp_path):
    """Integers of 5 x 5 pixels of the image, whose scale is not stated."""
    values = np.full((3, 12, 16), 2_000, "uint16")
    grid = TRANSFORM @ Affine.scale(5)
    return save(tmp_path / "reference.tif", values, transform=grid, photometric="RGB")


def _level(path) -> dict[str, object]:
    attrs = hsi_xr.open(path).attrs
    return {key: attrs[f"hsi_xr_level{key}"] for key in ("", "_gain", "_origin")}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--level", "3/2"], {"": "stated", "_gain": 1.5, "_origin": "as given"}),
        (
            ["--white", "255"],
            {"": "stated", "_gain": 1.0, "_origin": "a white reflector reads 255"},
        ),
    ],
)
def test_a_level_is_stated_by_an_option(tmp_path, image, options, expected):
    done = run("reconstruct", image, tmp_path / "cube.tif", "--no-stac", *options)
    assert done.exit_code == 0, done.output
    assert _level(tmp_path / "cube.tif") == pytest.approx(expected)


def test_a_level_comes_from_a_reference(tmp_path, image, reference):
    options = ["--level-from", reference, "--level-radiometry", "planet-sr", "--no-stac"]
    plan = run("reconstruct", image, tmp_path / "cube.tif", *options, "--dry-run").output
    assert "level    from reference.tif, when it runs" in plan
    assert run("reconstruct", image, tmp_path / "cube.tif", *options).exit_code == 0
    found = _level(tmp_path / "cube.tif")
    assert found[""] == "from reference" and str(found["_origin"]).startswith("reference.tif, ")
    expected = hsi_xr.reconstruct(image, level_from=reference, level_radiometry="planet-sr")
    assert found["_gain"] == pytest.approx(expected.attrs["hsi_xr_level_gain"])


def test_errors_name_the_option(tmp_path, image, reference):
    for options, message in (
        (["--level", "0"], "--level"),
        (["--white", "300"], "--white"),
        (["--level", "1", "--white", "255"], "--level"),
        (["--level-from", str(reference)], "--level-radiometry"),
        (["--level-from", str(tmp_path / "absent.tif")], "absent.tif"),
        (["--level-radiometry", "planet-sr"], "--level-from"),
    ):
        done = run("reconstruct", image, tmp_path / "cube.tif", "--no-stac", *options)
        assert done.exit_code in (2, 3) and message in done.output, (options, done.output)
        assert not (tmp_path / "cube.tif").exists()


@pytest.mark.parametrize("mosaic", [[], ["--as-mosaic"]])
def test_conversions_take_a_level(tmp_path, image, reference, mosaic):
    tiles = tmp_path / "tiles"
    tiles.mkdir()
    pixels = hsi_xr.open(image).values.astype("uint8")
    for name, left, right in (("west", 0, 40), ("east", 40, COLUMNS)):
        grid = TRANSFORM @ Affine.translation(left, 0)
        save(tiles / f"{name}.tif", pixels[:, :, left:right], transform=grid, photometric="RGB")
    options = ["--level-from", reference, "--level-radiometry", "planet-sr", "--no-stac", *mosaic]
    done = run("convert", tiles, tmp_path / "cubes", *options)
    assert done.exit_code == 0, done.output
    west, east = (_level(tmp_path / f"cubes/{name}/{name}.tif") for name in ("west", "east"))
    assert west[""] == east[""] == "from reference"
    assert (west["_gain"] == east["_gain"]) == bool(mosaic)
    settings = json.loads((tmp_path / "cubes/manifest.jsonl").read_text().splitlines()[0])
    assert str(reference) in json.dumps(settings)
    assert run("convert", tiles, tmp_path / "cubes", *options, "--resume").exit_code == 0


def test_a_conversion_records_the_path_of_its_reference(reference):
    with pytest.raises(UsageError, match="level_from must be a path"):
        hsi_xr.Conversion(options={"level_from": hsi_xr.open(reference)})
