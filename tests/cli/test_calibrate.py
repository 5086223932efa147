"""`hsi-xr calibrate` on a small cube of known ground."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio

import hsi_xr
from tests.calibration.ground import CENTRES, GRID, SMOOTH, cube, points
from tests.command_line import run, write_scene


@pytest.fixture
def estimate(tmp_path: Path) -> Path:
    """A written cube and its standard deviation."""
    dataset = cube()
    dataset["reflectance_std"] = 0.1 * dataset["reflectance"]
    return hsi_xr.write(dataset, tmp_path / "cube.tif")


@pytest.fixture
def panels(tmp_path: Path) -> Path:
    rows = [f"{x},{y}," + ",".join(map(str, known.values)) for x, y, known in points(cube())]
    path = tmp_path / "panels.csv"
    path.write_text("\n".join(["x,y," + ",".join(map(str, CENTRES)), *rows]))
    return path


def pixels(path: Path) -> np.ndarray:
    with rasterio.open(path) as src:
        return src.read()


def test_the_calibrated_cube_its_std_and_its_item_are_written(estimate, panels, out):
    result = run("calibrate", estimate, panels, out / "cube.tif")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [str(out / "cube.tif"), str(out / "cube.json")]
    assert {path.name for path in out.iterdir()} == {
        *("cube.tif", "cube.qml", "cube.json", "cube.png", "cube_std.tif")
    }
    for name in ("cube.tif", "cube_std.tif"):
        before = hsi_xr.open(estimate.with_name(name)).values
        expected = before * SMOOTH[:, None, None]
        after = hsi_xr.open(out / name).values
        np.testing.assert_allclose(after, expected, rtol=0.004, atol=2e-4)
    item = json.loads((out / "cube.json").read_text())
    assert item["properties"]["hsi_xr:calibration_source"] == "panels.csv"
    assert item["properties"]["datetime"] == "2026-01-02T03:04:05Z"
    assert "uncertainty" in item["assets"]


def test_it_writes_what_the_library_returns(estimate, panels, out):
    run("calibrate", estimate, panels, out / "cli.tif", "--no-stac")
    hsi_xr.write(hsi_xr.open(estimate).hsi.calibrate(panels), out / "library.tif")
    np.testing.assert_array_equal(pixels(out / "cli.tif"), pixels(out / "library.tif"))


@pytest.mark.parametrize(("source", "target"), [("zarr", "nc"), ("nc", "img"), ("img", "zarr")])
def test_a_cube_of_any_format_can_be_calibrated(estimate, panels, out, source, target):
    cube = hsi_xr.open(estimate).to_dataset(name="reflectance")
    cube["reflectance_std"] = hsi_xr.open(estimate, variable="reflectance_std").variable
    cube.attrs = cube.reflectance.attrs
    path = hsi_xr.write(cube, out / f"cube.{source}")
    result = run("calibrate", path, panels, out / f"new.{target}")
    assert (result.exit_code, result.stderr) == (0, "")
    run("calibrate", estimate, panels, out / "expected.tif", "--no-stac")
    for variable in ("reflectance", "reflectance_std"):
        found = hsi_xr.open(out / f"new.{target}", variable=variable)
        expected = hsi_xr.open(out / "expected.tif", variable=variable)
        np.testing.assert_array_equal(found, expected)
        assert found.attrs["hsi_xr_level"] == "calibrated"


def test_info_shows_the_calibration(estimate, panels, out):
    run("calibrate", estimate, panels, out / "cube.tif", "--smooth", "inf")
    made = json.loads(run("info", out / "cube.tif").stdout)["provenance"]
    assert (made["calibration"], made["calibration_points"]) == ("one gain", 5)
    assert made["level"] == "calibrated"


def test_a_dry_run_prints_gains_and_points_and_writes_nothing(estimate, panels, out):
    result = run("calibrate", estimate, panels, out / "cube.tif", "--dry-run")
    assert result.exit_code == 0
    assert "at 550 nm" in result.stdout
    assert "panels.csv, point 4: " in result.stdout
    assert not list(out.iterdir())


def test_bands_and_scale_of_a_raster_can_be_given(estimate, tmp_path, out):
    """Two bands of 100 m^2 pixels, stored times 10,000."""
    known = cube()["reflectance"].isel(band=[5, 25]) * 1.2
    coarse = known[:, :56, :80].fillna(0.2).values.reshape(2, 7, 8, 4, 20).mean((2, 4))
    path = tmp_path / "s2.tif"
    profile = {"driver": "GTiff", "count": 2, "height": 7, "width": 4, "dtype": "uint16"}
    grid = GRID @ GRID.scale(20, 8)
    with rasterio.open(path, "w", crs="EPSG:32633", transform=grid, **profile) as dst:
        dst.write((1e4 * coarse).astype("uint16"))
    bands = ("--known-bands", "450/10,650/10", "--known-scale", 1e-4)
    result = run("calibrate", estimate, path, out / "cube.tif", "--no-stac", *bands)
    assert (result.exit_code, result.stderr) == (0, "")
    gains = json.loads(run("info", out / "cube.tif").stdout)["provenance"]["calibration_gains"]
    assert gains == pytest.approx([1.2] * 31, abs=0.03)


def test_invalid_requests_are_refused_in_one_line(estimate, panels, tmp_path, out):
    def refused(code: int, words: str, *arguments: object) -> None:
        result = run("calibrate", *arguments)
        assert (result.exit_code, result.stdout) == (code, "")
        assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1
        assert words in result.stderr, result.stderr
        assert not list(out.iterdir())

    dst = out / "cube.tif"
    scene = write_scene(tmp_path / "scene.tif")
    refused(3, "is not a product of hsi_xr", scene, panels, dst)
    refused(3, "cannot read a table", estimate, tmp_path / "none.csv", dst)
    refused(2, "the file that is being read", estimate, panels, estimate, "--overwrite")
    refused(2, "--known-bands", estimate, scene, dst)
    refused(3, "has 3 bands", estimate, scene, dst, "--known-bands", "450,550")
    refused(3, "is not a wavelength", estimate, scene, dst, "--known-bands", "B2,B3,B4")
    refused(2, "its own wavelengths", estimate, panels, dst, "--known-bands", "450")
    refused(2, "smooth", estimate, panels, dst, "--smooth", 0)
    refused(2, "none of the 5 points", estimate, panels, dst, "--known-crs", "EPSG:32632")


def test_existing_files_are_not_replaced_by_default(estimate, panels, out):
    dst = out / "cube.tif"
    assert run("calibrate", estimate, panels, dst, "--no-stac").exit_code == 0
    before = dst.read_bytes()
    assert run("calibrate", estimate, panels, dst, "--no-stac").exit_code == 2
    assert dst.read_bytes() == before
    assert run("calibrate", estimate, panels, dst, "--no-stac", "--overwrite").exit_code == 0
