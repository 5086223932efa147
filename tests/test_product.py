"""`hsi_xr.write_product` writes what `hsi-xr reconstruct` writes, and refuses before any work."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import hsi_xr
from hsi_xr.errors import DestinationExists, HsiError, MissingFact, UnknownName, UsageError
from hsi_xr.product.checks import check_product
from tests.command_line import run, write_scene

TIME = "2026-01-02T03:04:05Z"
MODEL = "root-polynomial"


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    (tmp_path / "rgb").mkdir()
    return write_scene(tmp_path / "rgb" / "scene.tif")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def cube(scene) -> xr.Dataset:
    return hsi_xr.reconstruct(hsi_xr.open(scene), MODEL)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("name", ["cube.tif", "cube.zarr", "cube.img"])
def test_python_and_the_command_line_write_the_same_bytes(scene, tmp_path, monkeypatch, name):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1780000000")
    for folder in ("shell", "python"):
        (tmp_path / folder).mkdir()
    options = ("-q", "--model", MODEL, "--datetime", TIME, "--dtype", "float32")
    assert run("reconstruct", scene, tmp_path / "shell" / name, *options).exit_code == 0
    made = hsi_xr.reconstruct(hsi_xr.open(scene), MODEL)
    made.hsi.to_product(tmp_path / "python" / name, datetime=TIME, source=scene, dtype="float32")
    shell, python = contents(tmp_path / "shell"), contents(tmp_path / "python")
    if name == "cube.zarr":  # its `history` states when it was reconstructed
        for found in (shell, python):
            (key,) = (key for key in found if key.endswith("cube.zarr/zarr.json"))
            root = json.loads(found.pop(key))
            assert root["attributes"].pop("history")
            found[key] = json.dumps(root).encode()
    assert python == shell


def test_all_files_are_named(cube, scene, out):
    cube["reflectance_std"] = 0.1 * cube["reflectance"]
    product = hsi_xr.write_product(cube, out / "cube.tif", datetime=TIME, source=scene)
    assert product.cube == out / "cube.tif"
    assert product.companions == (out / "cube_std.tif",)
    assert (product.style, product.preview) == (out / "cube.qml", out / "cube.png")
    assert product.item == out / "cube.json"
    assert product.model is not None and product.model.parent.parent == out / "models"
    named = {*product.companions, product.cube, product.style, product.preview, product.item}
    assert named == {path for path in out.iterdir() if path.is_file()}
    assert hsi_xr.validate(out).findings == []


@pytest.mark.parametrize(
    ("stac", "time", "expected"),
    [(None, TIME, True), (None, None, False), (True, TIME, True), (False, TIME, False)],
)
def test_an_item_is_written_if_required_or_possible(cube, out, stac, time, expected):
    product = hsi_xr.write_product(cube, out / "cube.tif", datetime=time, stac=stac)
    assert (product.item is not None, product.preview is not None) == (expected, expected)
    assert (out / "cube.json").exists() == (out / "cube.png").exists() == expected
    assert hsi_xr.open(out / "cube.tif").attrs.get("datetime") == time


def test_the_time_in_the_attributes_of_the_cube_is_enough(cube, out):
    product = hsi_xr.write_product(cube.assign_attrs(datetime=TIME), out / "cube.tif", stac=True)
    assert json.loads(product.item.read_text())["properties"]["datetime"] == TIME


def test_without_a_time_a_warning_gives_the_repair(cube, out):
    with pytest.warns(UserWarning, match="datetime= .*--no-stac"):
        hsi_xr.write_product(cube, out / "cube.tif")


def test_an_interrupted_product_is_resumed(scene, out):
    big = hsi_xr.open(write_scene(scene.with_name("big.tif"), repeat=(9, 7)))
    before = []

    def interrupt(done: int, total: int) -> None:
        before.append(done)
        raise KeyboardInterrupt

    made = big.hsi.reconstruct(MODEL, tile=256)
    with pytest.raises(KeyboardInterrupt) as interrupted:
        hsi_xr.write_product(made, out / "cube.tif", datetime=TIME, progress=interrupt)
    assert "--resume" in interrupted.value.__notes__[0]
    assert {path.name for path in out.iterdir()} == {"cube.tif.part"}
    progress = []
    product = hsi_xr.write_product(
        made,
        out / "cube.tif",
        datetime=TIME,
        resume=True,
        progress=lambda done, total: progress.append(done),
    )
    assert product.item.exists() and not (out / "cube.tif.part").exists()
    assert len(before) == 1 and progress[0] > before[0]
    hsi_xr.write_product(made, out / "once.tif", datetime=TIME)
    np.testing.assert_array_equal(hsi_xr.open(out / "cube.tif"), hsi_xr.open(out / "once.tif"))


# refusals, before any work


def refused(out: Path, error: type[HsiError], words: str, obj, path, **options) -> None:
    """`write_product` and `check_product` refuse, and leave the folder as it is."""
    before = contents(out)
    checked = {name: value for name, value in options.items() if name != "model"}
    calls = [(hsi_xr.write_product, options)]
    if "model" not in options:
        calls.append((check_product, checked))
    for call, given in calls:
        with pytest.raises(error, match=words):
            call(obj, path, **given)
    assert contents(out) == before


def test_an_item_requires_a_time(cube, scene, out):
    refused(out, MissingFact, "'.*scene.tif' is unknown.*--datetime", cube, out / "cube.tif",
            source=scene, stac=True)  # fmt: skip
    refused(out, MissingFact, "time of day", cube, out / "cube.tif", datetime="2026-01-02")


@pytest.mark.parametrize("existing", ["cube.json", "cube.png"])
def test_existing_items_and_previews_are_not_replaced(cube, out, existing):
    (out / existing).write_text("mine")
    refused(out, DestinationExists, f"{existing}' exists.*--overwrite.*--no-stac", cube,
            out / "cube.tif", datetime=TIME)  # fmt: skip
    assert hsi_xr.write_product(cube, out / "cube.tif", datetime=TIME, overwrite=True).item


def test_products_of_one_name_do_not_share_an_item(cube, out):
    (out / "cube.zarr").mkdir()
    refused(out, DestinationExists, "'cube.zarr' exists and would share 'cube.json'", cube,
            out / "cube.tif", datetime=TIME, overwrite=True)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("scene.tif", "is the file that is being read"),
        ("scene.zarr", "differ only in their suffix"),
    ],
)
def test_a_product_does_not_replace_its_scene(cube, scene, name, words):
    refused(scene.parent, UsageError, words, cube, scene.with_name(name), source=scene,
            datetime=TIME, overwrite=True)  # fmt: skip


def test_companions_do_not_replace_the_scene(cube, scene):
    scene = scene.rename(scene.with_name("cube_std.tif"))
    refused(scene.parent, UsageError, "companion 'cube_std.tif'", cube, scene.with_name("cube.tif"),
            source=scene, datetime=TIME, overwrite=True)  # fmt: skip


def test_a_calibrated_cube_does_not_replace_the_file_it_was_opened_from(cube, out):
    path = hsi_xr.write_product(cube, out / "cube.tif", stac=False).cube
    opened = hsi_xr.open(path)
    refused(out, UsageError, "is being read", opened, path, stac=False, overwrite=True)


def test_a_model_must_be_the_one_that_made_the_cube(cube, out):
    for model, error, words in (
        ("default", UsageError, "made by model 'root-polynomial-visible'"),
        ("no-such", UnknownName, "no-such"),
    ):
        refused(out, error, words, cube, out / "cube.tif", datetime=TIME, model=model)


def test_the_format_must_fit_the_name(cube, out):
    refused(out, UsageError, "cube.zarr", cube, out / "cube.tif", format="zarr", stac=False)
