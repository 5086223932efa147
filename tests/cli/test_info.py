import json

import pytest
from affine import Affine

from tests.command_line import TRANSFORM, run, write_scene


def info(path) -> dict:
    result = run("info", path)
    assert result.exit_code == 0
    return json.loads(result.stdout)


def test_the_grid_of_a_scene_is_shown(scene):
    facts = info(scene)
    assert (facts["width"], facts["height"], facts["count"]) == (83, 61, 3)
    assert (facts["dtype"], facts["crs"]) == ("uint8", "EPSG:32633")
    assert facts["transform"] == list(TRANSFORM)[:6]
    assert facts["bounds"] == [500_000, 5_199_969.5, 500_041.5, 5_200_000]
    assert [band["number"] for band in facts["bands"]] == [1, 2, 3]
    assert "provenance" not in facts


def test_what_reconstruct_would_assume_is_shown(tmp_path):
    facts = info(write_scene(tmp_path / "scene.tif", dtype="uint8"))
    assert facts["colours"] == {"bands": [1, 2, 3], "origin": "by colour interpretation"}
    assert facts["radiometry"] == {
        "kind": "srgb",
        "scale": 1 / 255,
        "offset": 0,
        "origin": "as usual for 8-bit values",
    }


def test_what_must_be_stated_is_shown_with_the_repair(tmp_path):
    facts = info(write_scene(tmp_path / "scene.tif", dtype="uint16"))
    assert facts["radiometry"] is None and "--radiometry" in facts["unclear"]


def test_wavelengths_and_provenance_of_a_product_are_shown(reconstruct, scene, out):
    cube = out / "cube.tif"
    assert reconstruct(scene, cube, "--datetime", "2026-01-02T03:04Z").exit_code == 0
    facts = info(cube)
    assert [band["wavelength_nm"] for band in facts["bands"]] == list(range(400, 701, 10))
    assert {band["fwhm_nm"] for band in facts["bands"]} == {10}
    assert facts["datetime"] == "2026-01-02T03:04:00Z"
    made = facts["provenance"]
    assert (made["reconstructed"], made["seed"], made["source"]) == ("YES", 0, "scene.tif")
    assert "radiometry" not in facts


def test_level_and_other_variables_of_a_product_are_shown(scene, out):
    cube = out / "cube.tif"
    options = ("-m", "default", "--quantiles", "0.05,0.95", "--samples", "2", "--no-stac")
    assert run("reconstruct", scene, cube, *options).exit_code == 0
    facts = info(cube)
    names = ["reflectance", "reflectance_std", "reflectance_q05", "reflectance_q95"]
    assert facts["variables"] == names
    made = facts["provenance"]
    assert facts["level"].startswith("estimated") and "90 % interval" in facts["level"]
    assert f"{made['level_factor_low']:.2g} to {made['level_factor_high']:.2g}" in facts["level"]
    assert info(out / "cube_q05.tif")["variables"] == ["reflectance_q05"]


@pytest.mark.parametrize("crs", [None, "EPSG:32633"])
def test_without_a_location_none_is_shown(tmp_path, crs):
    facts = info(write_scene(tmp_path / "a.tif", crs=crs, transform=Affine.identity()))
    assert (facts["crs"], facts["transform"], facts["bounds"]) == (None, None, None)


def test_a_file_that_is_not_a_raster_is_invalid(tmp_path):
    path = tmp_path / "a.tif"
    path.write_text("no raster")
    result = run("info", path)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("Error: ")
