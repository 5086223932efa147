"""`hsi-xr reconstruct` on small scenes; mostly with a very cheap model."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
import rasterio.shutil
from affine import Affine

import hsi_xr
from tests.command_line import TRANSFORM, run, write_scene
from tests.scenes import CAMERA, ground, photographed, save

TAKEN = ("--datetime", "2026-01-02T03:04:05Z")
FILES = {"cube.tif", "cube.qml", "cube.json", "cube.png"}


def pixels(path: Path) -> np.ndarray:
    with rasterio.open(path) as src:
        return src.read()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_cube_and_its_item_are_written_and_their_paths_printed(scene, out):
    result = run("reconstruct", scene, out / "cube.tif", *TAKEN)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [str(out / "cube.tif"), str(out / "cube.json")]
    assert names(out) == {*FILES, "models"}
    with rasterio.open(out / "cube.tif") as cube, rasterio.open(scene) as rgb:
        assert (cube.shape, cube.crs, cube.transform) == (rgb.shape, rgb.crs, rgb.transform)
        assert (cube.count, cube.dtypes[0]) == (31, "int16")
        assert cube.tags(ns="IMAGERY")["ACQUISITIONDATETIME"].startswith("2026-01-02 03:04:05")
    item = pystac.Item.from_file(str(out / "cube.json"))
    assert item.datetime.isoformat() == "2026-01-02T03:04:05+00:00"
    assert item.assets["reflectance"].href == "./cube.tif"
    (link,) = item.get_links("via")
    assert Path(link.get_absolute_href()).samefile(scene)
    (model,) = item.get_derived_from()  # pystac follows it, and finds an item
    weights = model.assets["weights"].extra_fields["file:checksum"]
    assert weights == f"1220{item.properties['hsi_xr:model_sha256']}"
    assert hsi_xr.validate(out).findings == []


def test_it_writes_what_the_library_returns(reconstruct, slope, scene, out):
    reconstruct(scene, out / "cli.tif", "--no-stac")
    hsi_xr.write(hsi_xr.reconstruct(hsi_xr.open(scene), slope), out / "library.tif")
    np.testing.assert_array_equal(pixels(out / "cli.tif"), pixels(out / "library.tif"))


def test_without_a_time_there_is_no_item_and_a_warning_with_a_repair(reconstruct, scene, out):
    result = reconstruct(scene, out / "cube.tif", "--dtype", "float32")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [str(out / "cube.tif")]
    assert result.stderr.count("\n") == 1
    assert "--datetime" in result.stderr
    assert "cube.json" not in names(out)


def test_options_reach_the_product(reconstruct, slope, scene, out):
    result = reconstruct(
        *("-q", scene, out / "cube.tif", "--bands", "3,2,1", "--dtype", "float32"),
        *("--radiometry", "linear", "--input-scale", 0.004, "--samples", 2, "--seed", 5),
        *("--format", "geotiff", "-co", "COMPRESS=DEFLATE", "--no-stac"),
    )
    assert (result.exit_code, result.stderr) == (0, "")
    assert names(out) >= {"cube.tif", "cube_std.tif"}
    with rasterio.open(out / "cube.tif") as cube:
        made = cube.tags(ns="HSI_XR")
        assert (cube.dtypes[0], cube.compression.name) == ("float32", "deflate")
        assert (made["RADIOMETRY"], made["SEED"], made["SAMPLES"]) == ("linear", "5", "2")
    expected = hsi_xr.reconstruct(
        hsi_xr.open(scene, rgb=(3, 2, 1)),
        slope,
        radiometry="linear",
        scale=0.004,
        samples=2,
        seed=5,
    )
    np.testing.assert_allclose(pixels(out / "cube.tif"), expected.reflectance, atol=1e-6)


@pytest.mark.parametrize("suffix", ["zarr", "nc", "img"])
def test_other_formats_are_chosen_by_suffix_and_described(reconstruct, scene, out, suffix):
    reconstruct(scene, out / "cube.tif", "--samples", 2, "--no-stac")
    path = out / "other" / f"cube.{suffix}"
    path.parent.mkdir()
    result = reconstruct("-q", scene, path, "--samples", 2, *TAKEN)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [str(path), str(path.with_suffix(".json"))]
    for variable in ("reflectance", "reflectance_std"):
        expected = hsi_xr.open(out / "cube.tif", variable=variable)
        np.testing.assert_array_equal(hsi_xr.open(path, variable=variable), expected)
    reported = json.loads(run("info", path).stdout)
    assert (reported["content"], reported["count"], reported["dtype"]) == (
        "reflectance",
        31,
        "int16",
    )
    assert reported["provenance"]["samples"] == 2
    result = reconstruct(scene, path, "--no-stac")
    assert result.exit_code == 2
    assert "set overwrite" in result.stderr
    assert reconstruct(scene, path, "--no-stac", "--overwrite").exit_code == 0


def test_a_format_that_contradicts_the_suffix_is_a_usage_error(reconstruct, scene, out):
    result = reconstruct(scene, out / "cube.tif", "--format", "zarr", "--no-stac")
    assert result.exit_code == 2
    assert "'cube.zarr'" in result.stderr
    assert names(out) == set()


def test_a_part_has_the_pixels_of_the_whole(reconstruct, scene, out):
    x, y = TRANSFORM.c, TRANSFORM.f
    reconstruct(scene, out / "whole.tif", "--no-stac", "--tile", 64)
    bounds = (x + 5, y - 25, x + 35, y - 4)
    reconstruct(scene, out / "part.tif", "--no-stac", "--tile", 64, "--bounds", *bounds)
    np.testing.assert_array_equal(
        pixels(out / "part.tif"), pixels(out / "whole.tif")[:, 8:50, 10:70]
    )
    with rasterio.open(out / "part.tif") as part:
        assert tuple(part.bounds) == (bounds[0], bounds[1], bounds[2], bounds[3])


@pytest.mark.parametrize("scale", [1, 1e-4])
def test_pixels_of_the_given_nodata_are_left_out(reconstruct, tmp_path, out, scale):
    """It is a stored value, whatever scale the file states."""
    scene = write_scene(tmp_path / "scene.tif")
    with rasterio.open(scene, "r+") as dst:
        dst.scales = (scale,) * 3
        values = dst.read()
        values[:, 20:30, 40:60] = 7
        dst.write(values)
    reconstruct(scene, out / "cube.tif", "--no-stac", "--src-nodata", 7)
    with rasterio.open(out / "cube.tif") as cube:
        empty = (cube.read() == cube.nodata).all(0)
        assert float(cube.tags(ns="HSI_XR")["SOURCE_NODATA"]) == 7
    assert np.array_equal(empty, (values == 7).all(0))
    assert empty[20:30, 40:60].all()


def test_a_dry_run_prints_the_plan_and_writes_nothing(reconstruct, scene, out):
    result = reconstruct(scene, out / "cube.tif", "--dry-run", "--no-stac", "--tile", 64)
    assert result.exit_code == 0
    assert "61 x 83 px" in result.stdout
    assert "2 of 64 px" in result.stdout
    assert "area" not in result.stdout
    assert names(out) == set()


def test_a_dry_run_prints_the_size_of_the_requested_part(reconstruct, scene, out):
    x, y = TRANSFORM.c, TRANSFORM.f
    options = ("--no-stac", "--samples", 2, "--bounds", x + 5, y - 25, x + 35, y - 4)
    result = reconstruct(scene, out / "cube.tif", *options, "--dry-run")
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("area"))
    assert "42 x 60 px from row 8, column 10" in line
    assert f"{2 * 31 * 42 * 60 * 2:,} bytes as int16" in line
    assert reconstruct(scene, out / "cube.tif", *options, "-co", "COMPRESS=NONE").exit_code == 0
    written = sum(path.stat().st_size for path in out.glob("*.tif"))
    assert pixels(out / "cube.tif").nbytes + pixels(out / "cube_std.tif").nbytes <= written


@pytest.mark.parametrize("before", [(), ("-v",)])
def test_quiet_may_precede_or_follow_the_command(slope, scene, out, before):
    arguments = (scene, out / "cube.tif", "--model", slope)
    result = run(*before, "reconstruct", "-q", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "--datetime" in run(*before, "reconstruct", *arguments, "--overwrite").stderr


def test_progress_can_be_json_lines(reconstruct, scene, out):
    result = reconstruct("-q", scene, out / "a.tif", "--no-stac", "--progress", "json")
    reported = [json.loads(line) for line in result.stderr.splitlines()]
    assert {line["event"] for line in reported} == {"progress"}
    assert (reported[-1]["done"], reported[-1]["total"]) == (61 * 83, 61 * 83)
    assert [line["done"] for line in reported] == sorted(line["done"] for line in reported)


# errors


def refused(result, code: int, words: str) -> None:
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--model", "no_such_model"), "no_such_model"),
        (("--device", "tpu"), "tpu"),
        (("--device", "cuda:99"), "cuda:99"),
        (("--radiometry", "logarithmic"), "logarithmic"),
        (("--input-scale", "-1"), "-1"),
        (("--tile", "50"), "50"),
        (("--halo", "-3"), "-3"),
        (("--batch", "0"), "0"),
        (("--dtype", "uint8"), "uint8"),
        (("--scale", "0"), "scale"),
        (("--bounds", "15", "46.9", "15.1", "47"), "500000 5199969.5 500041.5 5200000"),
        (("--datetime", "2026-01-02"), "time of day"),
    ],
)
def test_an_invalid_request_leaves_no_files(reconstruct, scene, out, options, words):
    refused(reconstruct("-q", scene, out / "cube.tif", *options), 2, words)
    assert names(out) == set()


@pytest.mark.parametrize(
    "options", [("--bands", "1,2"), ("--bands", "0,1,2"), ("-co", "COMPRESS"), ("--tile", "big")]
)
def test_malformed_options_are_usage_errors(reconstruct, scene, out, options):
    result = reconstruct(scene, out / "cube.tif", *options)
    assert result.exit_code == 2
    assert names(out) == set()


def test_a_requested_item_requires_a_time(reconstruct, scene, out):
    refused(reconstruct(scene, out / "cube.tif", "--stac"), 2, "--datetime")
    assert names(out) == set()


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ({"crs": None, "transform": Affine.identity()}, "--allow-ungeoreferenced"),
        ({"transform": Affine.identity()}, "no transform"),
        ({"count": 1}, "1 band"),
        ({"count": 2}, "2 bands"),
        ({"count": 5}, "5 bands"),
        ({"dtype": "complex64"}, "complex64"),
    ],
)
def test_files_that_are_not_rgb_scenes_are_invalid_data(reconstruct, tmp_path, out, profile, words):
    scene = write_scene(tmp_path / "scene.tif", **profile)
    refused(reconstruct("-q", scene, out / "cube.tif"), 3, words)
    assert names(out) == set()


def test_numbers_of_pixels_are_no_bounds(reconstruct, tmp_path, out):
    scene = write_scene(tmp_path / "scene.tif", transform=Affine.identity())
    options = ("--bounds", 5, 7, 30, 40, "--allow-ungeoreferenced")
    refused(reconstruct("-q", scene, out / "cube.tif", *options), 3, "write_transform")
    assert names(out) == set()


def test_a_site_grid_is_warned_about_once_and_described_without_geometry(
    reconstruct, tmp_path, out
):
    site = 'LOCAL_CS["Site",UNIT["metre",1],AXIS["X",EAST],AXIS["Y",NORTH]]'
    scene = write_scene(tmp_path / "scene.tif", crs=site)
    result = reconstruct(scene, out / "cube.tif", *TAKEN)
    assert (result.exit_code, names(out)) == (0, FILES)
    assert result.stderr.count("no geometry") == 1 and "--no-stac" in result.stderr
    assert json.loads((out / "cube.json").read_text())["geometry"] is None
    assert hsi_xr.validate(out).findings == []
    assert run("validate", out / "cube.tif").exit_code == 0


@pytest.mark.parametrize("content", [None, b"", b"no raster", "truncated"])
def test_files_that_cannot_be_read_are_invalid_data(reconstruct, scene, tmp_path, out, content):
    path = tmp_path / "broken.tif"
    if content is not None:
        whole = scene.read_bytes()
        path.write_bytes(whole[: len(whole) // 2] if content == "truncated" else content)
    refused(reconstruct("-q", path, out / "cube.tif"), 3, "broken.tif")
    assert names(out) == set()


@pytest.mark.parametrize(
    ("given", "missing"),
    [((), "(--radiometry)"), (("--radiometry", "linear"), "(--input-scale 1e-4)")],
)
def test_the_meaning_of_16_bit_values_must_be_given(reconstruct, tmp_path, out, given, missing):
    scene = write_scene(tmp_path / "scene.tif", dtype="uint16")
    refused(reconstruct("-q", scene, out / "cube.tif", *given), 2, missing)


def test_a_scene_without_valid_pixels_is_invalid_data(reconstruct, tmp_path, out):
    scene = write_scene(tmp_path / "scene.tif", nodata=0)
    with rasterio.open(scene, "r+") as dst:
        dst.write(np.zeros(dst.read().shape, "uint8"))
    result = reconstruct("-q", scene, out / "cube.tif")
    refused(result, 3, "")
    assert names(out) == set()


@pytest.mark.parametrize("there", ["cube.tif", "cube.json", "cube.png"])
def test_existing_files_are_not_replaced_by_default(reconstruct, scene, out, there):
    (out / there).write_text("mine")
    refused(reconstruct(scene, out / "cube.tif", *TAKEN), 2, there)
    assert (out / there).read_text() == "mine"
    assert names(out) == {there}
    assert reconstruct(scene, out / "cube.tif", *TAKEN, "--overwrite").exit_code == 0
    assert names(out) == FILES
    assert json.loads((out / "cube.json").read_text())["id"] == "cube"


def test_a_stale_item_is_reported(reconstruct, scene, out):
    (out / "cube.json").write_text("of an earlier cube")
    result = reconstruct(scene, out / "cube.tif", "--no-stac")
    assert result.exit_code == 0
    assert "cube.json' is kept" in result.stderr


@pytest.mark.parametrize("suffix", [".tif", ".img", ".zarr"])
def test_the_scene_is_never_its_own_destination(reconstruct, scene, suffix):
    before = scene.read_bytes()
    result = reconstruct("-q", scene, scene.with_suffix(suffix), "--overwrite")
    refused(result, 2, "the file that is being read")
    assert scene.read_bytes() == before
    assert names(scene.parent) == {scene.name}


def test_a_scene_is_not_replaced_by_the_preview_of_its_cube(reconstruct, scene, out):
    picture = out / "scene.png"
    rasterio.shutil.copy(scene, picture, driver="PNG", WORLDFILE="YES")
    before = picture.read_bytes()
    result = reconstruct(picture, out / "scene.tif", *TAKEN, "--overwrite")
    refused(result, 2, "choose another name")
    assert picture.read_bytes() == before


def test_companion_files_do_not_replace_the_scene(reconstruct, scene, out):
    before = scene.rename(out / "cube_std.tif").read_bytes()
    result = run("reconstruct", out / "cube_std.tif", out / "cube.tif", *TAKEN, "--overwrite")
    refused(result, 2, "the file that is being read")
    assert (out / "cube_std.tif").read_bytes() == before


def test_products_of_one_name_do_not_share_an_item(reconstruct, scene, out):
    reconstruct(scene, out / "cube.tif", *TAKEN)
    before = (out / "cube.json").read_bytes()
    for name in ("cube.zarr", "cube.img"):
        refused(reconstruct(scene, out / name, *TAKEN, "--overwrite"), 2, "'cube.tif'")
    assert names(out) == FILES
    assert (out / "cube.json").read_bytes() == before
    assert reconstruct(scene, out / "cube.zarr", "--no-stac").exit_code == 0


def test_a_missing_folder_is_named(reconstruct, scene, out):
    refused(reconstruct("-q", scene, out / "a" / "cube.tif"), 2, str(out / "a"))


def test_a_scene_without_a_crs_can_be_accepted_and_the_product_states_it(
    reconstruct, tmp_path, out
):
    scene = write_scene(tmp_path / "scene.tif", crs=None, transform=Affine.identity())
    result = reconstruct("-q", scene, out / "cube.tif", "--allow-ungeoreferenced", *TAKEN)
    assert (result.exit_code, result.stderr) == (0, "")
    with rasterio.open(out / "cube.tif") as cube:
        assert cube.crs is None
        assert cube.tags(ns="HSI_XR")["GEOREFERENCED"] == "no"
    assert json.loads((out / "cube.json").read_text())["geometry"] is None


# on a terminal


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "hsi_xr", *map(str, arguments)]


def test_a_bar_is_shown_on_a_terminal_and_not_in_a_pipe(slope, scene, out):
    ours, theirs = pty.openpty()
    arguments = command("reconstruct", "-m", slope, scene, out / "cube.tif", "--no-stac")
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 4096):
                shown += chunk
        except OSError:  # Linux: the other end of the terminal is closed
            pass
        assert process.stdout.read().decode().split() == [str(out / "cube.tif")]
    os.close(ours)
    assert b"preparing" in shown
    assert b"100 %  0.01 Mpx in" in shown


def test_ctrl_c_ends_with_130_and_resume_gives_the_same_cube(reconstruct, slope, tmp_path, out):
    scene = write_scene(tmp_path / "scene.tif", repeat=(17, 7))
    options = ("--no-stac", "--tile", 256, "--model", slope)
    arguments = command("--log-format", "json", "reconstruct", scene, out / "cube.tif", *options)
    with subprocess.Popen(
        [*arguments, "--progress", "json"],
        stderr=subprocess.PIPE,
        text=True,
        # background jobs ignore the signal, and their children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        lines = map(json.loads, process.stderr)
        first = next(line for line in lines if line["event"] == "progress")
        process.send_signal(signal.SIGINT)
        *_, last = lines
    assert first["done"] < first["total"]
    assert process.returncode == 130
    assert last["event"] == "interrupted"
    assert "--resume" in last["msg"]
    assert "cube.tif" not in names(out)
    assert reconstruct(scene, out / "cube.tif", *options, "--resume").exit_code == 0
    assert reconstruct(scene, out / "once.tif", *options).exit_code == 0
    assert names(out) == {"cube.tif", "cube.qml", "once.tif", "once.qml"}
    np.testing.assert_array_equal(pixels(out / "cube.tif"), pixels(out / "once.tif"))


# consistency with a camera


def reflectance_scene(path: Path) -> Path:
    """Write the image that a known camera records of smooth spectra."""
    image = photographed(ground(61, 83), chunks=None).values
    return save(path, image, transform=TRANSFORM)


HELD = ("--radiometry", "reflectance", "--camera", CAMERA, "--consistency", "exact", "--residual")


def test_a_known_camera_would_record_the_scene_from_the_cube(reconstruct, tmp_path, out):
    scene = reflectance_scene(tmp_path / "scene.tif")
    result = reconstruct("-q", scene, out / "cube.tif", *HELD, *TAKEN)
    assert (result.exit_code, result.stderr) == (0, "")
    assert names(out) == {*FILES, "cube_residual.tif"}
    assert 0 <= pixels(out / "cube_residual.tif").max() <= 0.5 / 255
    with rasterio.open(out / "cube.tif") as cube:
        made = cube.tags(ns="HSI_XR")
        assert (made["CAMERA"], made["CONSISTENCY"]) == (CAMERA, "exact")
        assert len(made["CAMERA_SHA256"]) == 64
    item = pystac.Item.from_file(str(out / "cube.json"))
    assert item.assets["residual"].href == "./cube_residual.tif"
    assert f"camera {CAMERA}" in item.properties["processing:lineage"]


def test_a_dry_run_prints_the_camera_and_the_size_of_the_residual(reconstruct, tmp_path, out):
    scene = reflectance_scene(tmp_path / "scene.tif")
    x, y = TRANSFORM.c, TRANSFORM.f
    bounds = ("--bounds", x + 5, y - 25, x + 35, y - 4)
    result = reconstruct(scene, out / "cube.tif", *HELD, *bounds, "--no-stac", "--dry-run")
    assert f"{CAMERA}, consistency exact" in result.stdout
    assert f"{(31 * 2 + 4) * 42 * 60:,} bytes as int16" in result.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--camera", "hasselblad-l2d"), "did you mean 'hasselblad-l2d-20c'"),
        (("--camera", "nowhere.json"), "nowhere.json"),
        (("--residual",), "--camera NAME"),
        (("--residual", "--camera", CAMERA), "--radiometry reflectance"),
        (("--consistency", "strict"), "exact or soft"),
    ],
)
def test_consistency_without_reflectance_or_camera_is_refused(
    reconstruct, scene, out, options, words
):
    result = reconstruct("-q", scene, out / "cube.tif", *options)
    refused(result, 3 if "nowhere.json" in options else 2, words)
    assert names(out) == set()


def test_steps_std_and_out_of_domain_score_are_written(scene, out):
    asked = ("--steps", 1, "--samples", 2, "--out-of-domain")
    result = run("reconstruct", scene, out / "cube.tif", *asked, *TAKEN)
    assert (result.exit_code, result.stderr) == (0, "")
    assert names(out) == {*FILES, "models", "cube_std.tif", "cube_domain.tif"}
    strange = pixels(out / "cube_domain.tif")
    assert strange.shape[0] == 1 and 0 <= strange.min() <= strange.max() <= 1
    with rasterio.open(out / "cube.tif") as cube:
        assert cube.tags(ns="HSI_XR")["STEPS"] == "1"
    item = pystac.Item.from_file(str(out / "cube.json"))
    assert item.assets["quality"].href == "./cube_domain.tif"
    refused = run("reconstruct", scene, out / "other.tif", "--steps", 4, *TAKEN)
    assert refused.exit_code == 2 and "runs in 0, 1, 2, 5 steps" in refused.stderr
    assert not (out / "other.tif").exists()


def test_draws_are_written_next_to_their_mean(scene, out):
    result = run("reconstruct", "-q", scene, out / "cube.tif", "--draws", 2, "--no-stac")
    assert result.exit_code == 0
    assert names(out) >= {"cube.tif", "cube_draw01.tif", "cube_draw02.tif", "cube_std.tif"}
    expected = hsi_xr.reconstruct(hsi_xr.open(scene), samples=2, draws=True)
    np.testing.assert_allclose(
        hsi_xr.open(out / "cube_draw02.tif"), expected.reflectance[1], atol=6e-5
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--draws", 3, "--samples", 4), "omit --samples"),
        (("--draws", 1), "2<=x<=1024"),
        (("--draws", 3, "--model", "root-polynomial"), "no posterior"),
    ],
)
def test_draws_that_cannot_be_made_are_refused(scene, out, options, message):
    result = run("reconstruct", scene, out / "cube.tif", "--no-stac", *options)
    assert result.exit_code == 2
    assert message in result.stderr
