"""`hsi-xr convert` and `hsi-xr validate`; their results are tested with `hsi_xr.convert`."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio

import hsi_xr
from hsi_xr.stac.odc import odc_config
from tests.batch.tiles import stored
from tests.command_line import run, write_scene
from tests.scenes import DATA, real
from tests.stac_validation import SCHEMAS

TAKEN = ("--datetime", "2026-01-02T03:04:05Z")
INSTANT = ("-m", "root-polynomial")


@pytest.fixture
def images(tmp_path) -> Path:
    folder = tmp_path / "rgb"
    folder.mkdir()
    write_scene(folder / "a.tif")
    write_scene(folder / "b.tif", crs="EPSG:32634")
    return folder


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_path_of_the_collection_is_on_stdout_and_the_table_on_stderr(images, out):
    result = run("convert", images, out / "cubes", *INSTANT, *TAKEN)
    assert result.exit_code == 0
    assert result.stdout == f"{out / 'cubes/collection.json'}\n"
    assert "EPSG:32633" in result.stderr and "EPSG:32634" in result.stderr
    assert result.stderr.splitlines()[0].split()[:3] == ["CRS", "PIXEL", "TYPE"]
    result = run("validate", out / "cubes")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_it_writes_what_reconstruct_writes(images, out):
    options = (*INSTANT, *TAKEN, "--dtype", "float32", "--seed", 3, "-co", "COMPRESS=DEFLATE")
    run("convert", "-q", images / "a.tif", out / "cubes", *options)
    run("reconstruct", "-q", images / "a.tif", out / "a.tif", *options)
    np.testing.assert_array_equal(stored(out / "cubes/a/a.tif"), stored(out / "a.tif"))
    with rasterio.open(out / "cubes/a/a.tif") as many, rasterio.open(out / "a.tif") as one:
        assert str(many.profile) == str(one.profile)  # as text, since NaN is not equal to itself
        made, alone = (json.loads(src.tags(ns="HSI_XR")["CONFIG"]) for src in (many, one))
    assert {key: made[key] for key in alone} == alone


def test_it_fails_after_converting_the_rest(images, out):
    write_scene(images / "grey.tif", count=1)
    result = run("convert", images, out / "cubes", *INSTANT, *TAKEN)
    assert result.exit_code == 1
    assert "- grey: a reconstruction needs red, green and blue" in result.stderr
    assert result.stderr.splitlines()[-1] == "Error: 1 of 3 images failed"
    assert {"a/a.tif", "b/b.json", "collection.json"} <= names(out / "cubes")
    stopped = run("convert", images, out / "none", *INSTANT, *TAKEN, "--fail-fast")
    assert (stopped.exit_code, stopped.stderr.count("\n")) == (1, 1)
    assert "'grey' failed" in stopped.stderr
    assert not (out / "none").exists()


def test_a_dry_run_prints_only_the_table(images, out):
    write_scene(images / "deep.tif", dtype="uint16")
    result = run("convert", images, out / "cubes", *INSTANT, *TAKEN, "--dry-run")
    assert result.exit_code == 1
    head, *rows, meaning, failure = result.stdout.splitlines()
    assert head.split()[-2:] == ["PLANNED", "FAILED"] and len(rows) == 3
    assert "srgb, scale 0.00392157" in meaning
    assert failure.startswith("- deep: ") and "--radiometry uint16=" in failure
    meaning = ("--radiometry", "uint16=linear", "--input-scale", "uint16=1/65535")
    result = run("convert", images, out / "cubes", *INSTANT, *TAKEN, "--dry-run", *meaning)
    assert (result.exit_code, result.stderr) == (0, "")
    assert not (out / "cubes").exists()


def test_failures_and_summary_can_be_json(images, out):
    write_scene(images / "grey.tif", count=1)
    words = ("--log-format", "json", "convert", images, out / "cubes", *INSTANT, *TAKEN)
    lines = [json.loads(line) for line in run(*words, "--progress", "json").stderr.splitlines()]
    progress = [each["done"] for each in lines if each["event"] == "progress"]
    assert progress == sorted({*progress})
    failure, summary, error = lines[-3:]
    assert (failure["event"], failure["id"], error["event"]) == ("failure", "grey", "error")
    assert (summary["event"], summary["done"], summary["failed"]) == ("summary", 2, 1)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ((), 2, "--datetime"),
        ((*TAKEN, "--as-mosaic"), 2, "coordinate reference system"),
        ((*TAKEN, "--vrt"), 2, "omit --vrt"),
        ((*TAKEN, "-m", "no-such"), 2, "no-such"),
        ((*TAKEN, "--device", "cpu,cuda:99"), 2, "cuda:99"),
        ((*TAKEN, "--resume", "--overwrite"), 2, "mutually exclusive"),
        ((*TAKEN, "--radiometry", "byte=srgb"), 2, "uint8"),
        ((*TAKEN, "--tmp", "."), 2, "--tmp"),
        ((*TAKEN, "--input-scale", "much"), 2, "uint16=1e-4"),
        ((*TAKEN, "--input-scale", "2", "--input-scale", "3"), 2, "one for each data type"),
    ],
)
def test_invalid_requests_are_refused_before_work(images, out, options, code, words):
    result = run("convert", "-q", images, out / "cubes", *INSTANT, *options)
    assert (result.exit_code, result.stdout) == (code, "")
    assert words in result.stderr
    assert not (out / "cubes").exists()


def test_a_source_that_does_not_exist_is_invalid_data(out):
    result = run("convert", out / "*.tif", out / "cubes", *TAKEN)
    assert (result.exit_code, result.stderr.count("\n")) == (3, 1)


def test_resuming_with_other_settings_is_refused_with_the_difference(images, out):
    run("convert", "-q", images, out / "cubes", *INSTANT, *TAKEN)
    result = run("convert", images, out / "cubes", *INSTANT, *TAKEN, "--seed", 4, "--resume")
    assert result.exit_code == 2
    assert "options.seed was 0 and is 4" in result.stderr


def test_validate_lists_problems_and_exits_with_3(images, out):
    run("convert", "-q", images, out / "cubes", *INSTANT, *TAKEN)
    (out / "cubes/a/a.png").unlink()
    with (out / "cubes/b/b.tif").open("ab") as file:
        file.write(b"more")
    result = run("validate", out / "cubes/collection.json")
    assert result.exit_code == 3
    lines = result.stdout.splitlines()
    assert len(lines) == 2
    assert all(
        line.endswith("was described") or line.endswith("put the file there") for line in lines
    )
    assert all(line.startswith(str(out / "cubes")) for line in lines)
    assert result.stderr == ("Error: 2 problems in 2 of 9 files, listed on stdout\n")
    as_json = json.loads(run("validate", out / "cubes/collection.json", "--json").stdout)
    assert as_json["files"] == 9
    assert any("/eo/v2.0.0/" in name for name in as_json["not_looked_at"])
    found = [f"{each['path']}: {each['what']}; {each['repair']}" for each in as_json["findings"]]
    assert found == lines
    assert run("validate", out / "cubes/a/a.tif", out / "cubes/b/b.tif").exit_code == 0


def test_an_exported_model_is_linked_by_its_products(scene, out):
    result = run("models", "export", "root-polynomial", out / "models/rp")
    assert result.stdout == f"{out / 'models/rp/mlm-item.json'}\n"
    run("reconstruct", "-q", scene, out / "cube.tif", "-m", out / "models/rp", *TAKEN)
    item = json.loads((out / "cube.json").read_text())
    assert item["properties"]["processing:expression"] == {
        "format": "stac-mlm",
        "expression": "models/rp/mlm-item.json",
    }
    assert item["links"][-1]["mlm:name"] == "root-polynomial-visible"
    schemas = ("--schemas", SCHEMAS) if SCHEMAS.is_dir() else ()
    assert run("validate", out / "cube.json", *schemas).exit_code == 0
    again = run("models", "export", "root-polynomial", out / "models/rp")
    assert again.exit_code == 0
    other = run("models", "export", "default", out / "models/rp")
    assert (other.exit_code, "does not belong to model" in other.stderr) == (2, True)
    wrong = hsi_xr.errors.InvalidData
    (out / "other").mkdir()
    run("models", "export", "default", out / "other/d")
    with pytest.raises(wrong, match="describes weights other than"):
        hsi_xr.describe(out / "cube.tif", model=out / "other/d/mlm-item.json")


@pytest.mark.skipif(not real(), reason=f"no scenes in {DATA}; set HSI_XR_DATA")
def test_real_scenes_become_a_collection_that_odc_stac_loads_by_wavelength(tmp_path):
    """All georeferenced scenes of the folder, lazily, with the stored values of the products."""
    odc = pytest.importorskip("odc.stac")
    import pystac

    options = (*INSTANT, *TAKEN, "--radiometry", "srgb", "--input-scale", "uint16=1.5259e-5")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        result = run("convert", DATA / "scenes_rgb", tmp_path / "cubes", *options)
    assert result.exit_code == 1  # one scene has no georeference
    assert (
        "1 of 8 images failed" in result.stderr
        and "no coordinate reference system" in result.stderr
    )
    assert run("validate", tmp_path / "cubes").exit_code == 0
    collection = pystac.Collection.from_file(str(tmp_path / "cubes/collection.json"))
    item = collection.get_item("australia")
    loaded = odc.load(
        [item], bands=["550", "660"], chunks={}, stac_cfg=odc_config(collection.to_dict())
    )
    assert loaded["550"].chunks is not None
    with rasterio.open(tmp_path / "cubes/australia/australia.tif") as src:
        np.testing.assert_array_equal(loaded["550"].isel(time=0), src.read(16))
        np.testing.assert_array_equal(loaded["660"].isel(time=0), src.read(27))
        assert loaded["550"].attrs["nodata"] == src.nodata
