"""Conversions of small tiles, with very cheap models."""

import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp

import hsi_xr
from hsi_xr.batch.config import InputImage
from hsi_xr.batch.inspect import inspect_images
from hsi_xr.batch.manifest import source_record
from hsi_xr.batch.names import MANIFEST
from hsi_xr.errors import (
    DestinationExists,
    Incomplete,
    InvalidData,
    MissingFact,
    NotGeoreferenced,
    UnknownName,
    UsageError,
)
from hsi_xr.io.disk import lock_folder
from tests.batch.tiles import TAKEN, cut, digests, stored
from tests.scenes import rgb_image, save
from tests.stac_validation import SCHEMAS, validate


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "cubes"


@pytest.fixture
def convert(tiles, out, instant):
    """Converts the six tiles into `out`."""

    def convert_(**given):
        calls = {"resume", "overwrite", "fail_fast", "dry_run", "progress"} & given.keys()
        call = {name: given.pop(name) for name in calls}
        return hsi_xr.convert([tiles], out, instant(**given), **call)

    return convert_


def entries(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / MANIFEST).read_text().splitlines()[1:]]


def test_each_image_becomes_the_cube_that_reconstruct_returns(convert, tiles, out):
    outcome = convert()
    assert (len(outcome.done), outcome.failures) == (6, [])
    for path in tiles.iterdir():
        expected = hsi_xr.reconstruct(hsi_xr.open(path), "root-polynomial").reflectance
        with hsi_xr.open(out / path.stem / path.name) as made:
            np.testing.assert_allclose(made, expected.clip(max=3.2767), atol=5.1e-5)
            assert made.attrs["hsi_xr_source"] == path.name
            assert made.attrs["hsi_xr_source_bands"] == "1,2,3"
        assert {each.name for each in (out / path.stem).iterdir()} == {
            f"{path.stem}.{ending}" for ending in ("tif", "qml", "png", "json")
        }
    model = {path.name for path in out.glob("models/*/*")}
    assert model == {"model.safetensors", "card.json", "mlm-item.json"}


@pytest.mark.parametrize("folder", [None, SCHEMAS])
def test_collection_items_and_model_are_valid_and_linked(convert, out, folder):
    if folder is not None and not folder.is_dir():
        pytest.skip(f"no STAC extension schemas in {folder}; set HSI_XR_STAC_SCHEMAS")
    above = convert(licence="CC-BY-4.0", title="Fields").collection
    collection = pystac.Collection.from_file(str(above))
    skipped = validate(json.loads(above.read_text()), folder)
    assert (collection.id, collection.license, collection.title) == ("cubes", "CC-BY-4.0", "Fields")
    items = list(collection.get_items())
    assert sorted(item.id for item in items) == sorted(path.stem for path in out.glob("tile*"))
    for item in items:
        skipped += validate(item.to_dict(), folder)
        assert item.get_collection().id == "cubes"
        assert set(item.assets) == {"reflectance", "thumbnail"}
        (rgb,), (model,) = item.get_links("via"), item.get_links("derived_from")
        assert Path(rgb.get_absolute_href()).name == f"{item.id}.tif"
        about = json.loads(Path(model.get_absolute_href()).read_text())
        assert item.properties["processing:expression"] == {
            "format": "stac-mlm",
            "expression": model.href,
        }
        skipped += validate(about, folder)
        sha256 = item.properties["hsi_xr:model_sha256"]
        assert about["assets"]["weights"]["file:checksum"] == f"1220{sha256}"
    assert bool(skipped) == (folder is None)
    west, south, east, north = collection.extent.spatial.bboxes[0]
    boxes = np.array([item.bbox for item in items])
    assert (west, south) == tuple(boxes[:, :2].min(0)) and (east, north) == tuple(
        boxes[:, 2:].max(0)
    )
    assert hsi_xr.validate(out, schemas=folder).findings == []


def test_jobs_devices_and_order_do_not_change_a_product(tiles, tmp_path, instant, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1780000000")
    paths = sorted(tiles.iterdir(), reverse=True)
    hsi_xr.convert([tiles], tmp_path / "a/cubes", instant(jobs=3))
    hsi_xr.convert(paths, tmp_path / "b/cubes", instant(jobs=1))
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    hsi_xr.convert([tiles], tmp_path / "c/cubes", instant(devices=("cpu", "auto")))
    for name in (path.stem for path in paths):
        a, c = (stored(tmp_path / each / f"cubes/{name}/{name}.tif") for each in "ac")
        np.testing.assert_array_equal(a, c)


def test_progress_ends_with_all_pixels(convert):
    reports = []
    convert(progress=lambda done, total: reports.append((done, total)))
    assert reports[-1] == (150 * 203, 150 * 203)
    assert [done for done, _ in reports] == sorted(done for done, _ in reports)


# resuming


def test_resuming_a_finished_conversion_does_nothing(convert, out):
    convert()
    before = digests(out)
    outcome = convert(resume=True)
    assert (len(outcome.done), len(outcome.before)) == (0, 6)
    assert digests(out) == before


def test_existing_products_are_not_replaced_by_default(convert, tiles, out):
    convert()
    before = digests(out)
    with pytest.raises(DestinationExists, match="--resume"):
        convert()
    (tiles / "tile_0_0.tif").unlink()
    assert digests(out) == before
    (out / "tile_0_0/tile_0_0.tif.aux.xml").write_text("<PAMDataset/>")  # as QGIS writes it
    outcome = convert(overwrite=True)
    assert len(outcome.done) == 5
    assert not (out / "tile_0_0").exists()
    assert hsi_xr.validate(out).findings == []


def test_unrelated_files_are_not_replaced(convert, out):
    (out / "tile_1_1").mkdir(parents=True)
    (out / "tile_1_1/mine.txt").write_text("mine")
    with pytest.raises(DestinationExists, match="tile_1_1"):
        convert()
    assert [path.name for path in out.iterdir()] == ["tile_1_1"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"options": {"seed": 3}}, r"options\.seed was .* and is"),
        ({"model": "default"}, "model was .*root-polynomial-visible.* and is .*guided-posterior"),
        ({"storage": {"dtype": "float32"}}, r"storage\.dtype was .* and is .*float32"),
        ({"as_mosaic": True}, "as_mosaic was false and is true"),
    ],
)
def test_resuming_with_other_settings_is_refused_with_the_difference(convert, out, given, words):
    convert()
    before = digests(out)
    with pytest.raises(UsageError, match=words):
        convert(resume=True, **given)
    assert digests(out) == before


def test_a_changed_image_is_refused_by_name(convert, tiles):
    convert()
    with rasterio.open(tiles / "tile_0_1.tif", "r+") as dst:
        dst.write(255 - dst.read())
    with pytest.raises(UsageError, match=r"images have changed.*\(1\): .*tile_0_1\.tif"):
        convert(resume=True)


@pytest.mark.parametrize(("source", "folder"), [("", "."), ("", ".."), ("**/*.tif", ".")])
def test_products_among_the_sources_are_ignored(tiles, instant, source, folder):
    """One folder contains the other, either way; the second run finds the products of the first."""
    source, out = tiles / source, (tiles / folder).resolve()
    first = hsi_xr.convert([source], out, instant(vrt=True))
    assert (len(first.done), first.failures) == (6, [])
    (out / "tile_0_0/tile_0_0.tif").write_bytes(b"damaged")
    again = hsi_xr.convert([source], out, instant(vrt=True), resume=True)
    assert ([image.id for image in again.done], len(again.before)) == (["tile_0_0"], 5)


def test_an_image_is_never_replaced_by_its_product(tiles, instant):
    (tiles / "tile_0_0").mkdir()
    inside = (tiles / "tile_0_0.tif").rename(tiles / "tile_0_0/tile_0_0.tif")
    before = inside.read_bytes()
    for source in (inside, tiles / "**/*.tif"):
        with pytest.raises(UsageError, match="is in the folder of its own product"):
            hsi_xr.convert([source], tiles, instant(), overwrite=True)
    assert inside.read_bytes() == before


def test_images_can_be_added(convert, tiles, out):
    convert()
    save(tiles / "z.tif", rgb_image(33, 21, seed=4))
    outcome = convert(resume=True)
    assert (len(outcome.done), len(outcome.before)) == (1, 6)
    links = json.loads(outcome.collection.read_text())["links"]
    assert sum(link["rel"] == "item" for link in links) == 7
    assert hsi_xr.validate(out).findings == []


def test_a_truncated_line_of_the_manifest_is_ignored(convert, out):
    convert()
    whole = (out / MANIFEST).read_bytes()
    (out / MANIFEST).write_bytes(whole[:-7])
    outcome = convert(resume=True)
    assert (len(outcome.done), len(outcome.before)) == (1, 5)
    assert len(entries(out)) == 6


@pytest.mark.parametrize(
    "text", ["", "no json", '{"format": "of another program"}\n', "[1, 2]\n", "\0\0\0\n"]
)
def test_a_file_that_is_not_a_manifest_is_refused_or_replaced(tiles, out, instant, text):
    one = [tiles / "tile_1_2.tif"]
    hsi_xr.convert(one, out, instant())
    (out / MANIFEST).write_text(text)
    with pytest.raises(InvalidData, match=r"is not the manifest of a conversion.*--overwrite"):
        hsi_xr.convert(one, out, instant(), resume=True)
    assert len(hsi_xr.convert(one, out, instant(), overwrite=True).done) == 1


@pytest.mark.parametrize("line", ["{", "3", '{"id": "tile_0_1"}', "\0\0\0"])
def test_the_image_of_a_damaged_line_is_converted_again(convert, out, line):
    convert()
    lines = (out / MANIFEST).read_text().splitlines()
    (out / MANIFEST).write_text("\n".join([*lines[:3], line, *lines[4:], ""]))
    with pytest.warns(UserWarning, match="1 of 6 lines of .* cannot be read"):
        outcome = convert(resume=True)
    assert (len(outcome.done), len(outcome.before)) == (1, 5)
    assert len(entries(out)) == 6


def test_an_incomplete_product_is_converted_again(convert, out):
    convert()
    before = digests(out)
    (out / "tile_0_1/tile_0_1.png").unlink()
    (out / "tile_1_0/tile_1_0.tif").write_bytes(b"")
    outcome = convert(resume=True)
    assert {image.id for image in outcome.done} == {"tile_0_1", "tile_1_0"}
    assert digests(out).keys() == before.keys()
    assert hsi_xr.validate(out).findings == []


def test_a_resumed_replacement_leaves_nothing_of_the_replaced_products(convert, tiles, out):
    convert()
    (tiles / "tile_0_0.tif").unlink()

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(overwrite=True, options={"seed": 3}, progress=interrupt)
    assert (out / "tile_0_0").exists()
    assert len(convert(resume=True, options={"seed": 3}).done) == 5
    assert not (out / "tile_0_0").exists()


def test_resume_and_overwrite_are_mutually_exclusive(convert, out):
    with pytest.raises(UsageError, match="mutually exclusive"):
        convert(resume=True, overwrite=True)
    assert not out.exists()


def test_a_dry_run_lists_the_images_and_writes_nothing(convert, tiles, out):
    spoil(tiles)
    outcome = convert(dry_run=True)
    assert (len(outcome.planned), len(outcome.done), outcome.collection) == (7, 0, None)
    assert {failure.id for failure in outcome.failures} == {"broken", "grey"}
    assert "PLANNED" in outcome.table() and "BEFORE" not in outcome.table()
    assert not out.exists()


def test_every_device_is_checked_before_any_work(convert, out):
    for wrong in ("cuda:7", "tpu", ""):
        with pytest.raises(UnknownName, match="device"):
            convert(devices=("cpu", wrong))
    assert not out.exists()


def test_two_conversions_into_one_folder_are_refused(convert, out):
    out.mkdir()
    with lock_folder(out, "held by the test"), pytest.raises(UsageError, match="is running"):
        convert()
    assert list(out.iterdir()) == []


# failures


def spoil(tiles: Path) -> None:
    """Add three images, none of which can be converted."""
    (tiles / "broken.tif").write_bytes((tiles / "tile_0_0.tif").read_bytes()[:3000])
    save(tiles / "grey.tif", rgb_image(20, 30)[:1])
    save(tiles / "empty.tif", np.zeros((3, 20, 30), "uint8"), nodata=0)


def test_failures_are_listed_with_their_reasons_and_the_rest_is_converted(convert, tiles, out):
    spoil(tiles)
    outcome = convert()
    assert len(outcome.done) == 6
    reasons = {failure.id: failure.reason for failure in outcome.failures}
    assert reasons.keys() == {"broken", "grey", "empty"}
    assert "truncated" in reasons["broken"]
    assert "1 band" in reasons["grey"]
    assert "nodata" in reasons["empty"]
    table = outcome.table()
    assert all(f"- {name}: " in table for name in reasons)
    (failed,) = (entry for entry in entries(out) if entry["state"] == "failed")
    assert (failed["id"], failed["reason"]) == ("empty", reasons["empty"])
    assert not list((out / "empty").glob("*"))
    assert hsi_xr.validate(out).findings == []
    save(tiles / "empty.tif", rgb_image(20, 30))
    again = convert(resume=True)
    assert [image.id for image in again.done] == ["empty"]


@pytest.mark.parametrize("bad", ["grey", "empty"])
def test_fail_fast_stops_at_the_first(convert, tiles, out, bad):
    """Problems that headers reveal stop it before any work."""
    spoil(tiles)
    for other in {"broken", "grey", "empty"} - {bad}:
        (tiles / f"{other}.tif").unlink()
    with pytest.raises(Incomplete, match=f"'{bad}' failed"):
        convert(fail_fast=True)
    assert out.exists() == (bad == "empty")
    assert not (out / "collection.json").exists()


def test_no_remaining_file_describes_the_replaced_products(convert, out):
    convert(vrt=True)
    with pytest.warns(UserWarning, match="removed"):
        convert(overwrite=True, stac=False)
    assert sorted(path.name for path in out.iterdir() if path.is_file()) == [MANIFEST]
    assert not list(out.glob("tile*/*.json"))


def test_a_mosaic_covers_all_products_or_is_removed(convert, tiles, out):
    convert(vrt=True)
    save(tiles / "far.tif", rgb_image(33, 21, seed=4), crs="EPSG:32634")
    with pytest.warns(UserWarning, match=r"removed 'mosaic.vrt'"):
        convert(resume=True)
    (tiles / "far.tif").unlink()
    with pytest.raises(UsageError, match=r"far.tif', from an earlier run, is EPSG:32634"):
        convert(resume=True, vrt=True)
    assert not (out / "mosaic.vrt").exists()


def test_an_invalid_request_is_one_error_and_not_a_list_of_failures(convert, out):
    with pytest.raises(UsageError, match="consistency and residual compare"):
        convert(options={"residual": True})
    assert not out.exists()


def test_times_are_never_invented(convert, tiles, out):
    with pytest.raises(MissingFact, match=r"6 of 6 images is unknown.*--datetime"):
        convert(datetime=None)
    assert not out.exists()
    outcome = convert(datetime=None, stac=False)
    assert (len(outcome.done), outcome.collection) == (6, None)
    assert not list(out.rglob("*_*.json"))


# images of different kinds


def swapped(path: Path, pixels: np.ndarray) -> None:
    """Blue, green, red and a fourth band that is not a colour, as the file states."""
    save(path, np.concatenate([pixels[::-1], pixels[:1]]))
    with rasterio.open(path, "r+") as dst:
        kinds = (ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined)
        dst.colorinterp = kinds


def test_mixed_images_are_converted_individually_and_the_collection_states_it(
    tmp_path, out, instant
):
    pixels = rgb_image(40, 61)
    (tmp_path / "mixed").mkdir()
    save(tmp_path / "mixed/plain.tif", pixels)
    swapped(tmp_path / "mixed/swapped.tif", pixels)
    save(tmp_path / "mixed/south.tif", pixels, crs="EPSG:32733")
    save(tmp_path / "mixed/deep.tif", 257 * pixels.astype("uint16"))
    how = instant(radiometry="srgb", input_scale={"uint16": 1 / 65535})
    outcome = hsi_xr.convert([tmp_path / "mixed"], out, how)
    assert (len(outcome.done), outcome.failures) == (4, [])
    plain = stored(out / "plain/plain.tif")
    for name in ("swapped", "south", "deep"):
        np.testing.assert_allclose(stored(out / name / f"{name}.tif"), plain, atol=1)
    collection = json.loads(outcome.collection.read_text())
    assert collection["summaries"]["proj:code"] == ["EPSG:32633", "EPSG:32733"]
    assert collection["summaries"]["hsi_xr:source_dtype"] == ["uint16", "uint8"]
    assert collection["summaries"]["hsi_xr:source_bands"] == ["1,2,3", "3,2,1"]
    for words in (
        "coordinate reference system: EPSG:32633 (3), EPSG:32733 (1)",
        "data type of the image: uint16 (1), uint8 (3)",
        "band order of the image: 1,2,3 (3), 3,2,1 (1)",
    ):
        assert words in collection["description"]
    assert "uint16" in outcome.table()


def test_one_scale_for_two_data_types_is_refused(tmp_path, out, instant):
    save(tmp_path / "a.tif", rgb_image(20, 30))
    save(tmp_path / "b.tif", 257 * rgb_image(20, 30).astype("uint16"))
    how = instant(radiometry="linear", input_scale=1 / 255)
    with pytest.raises(UsageError, match=r"uint8 \(1\), uint16 \(1\).*uint16="):
        hsi_xr.convert([tmp_path / "a.tif", tmp_path / "b.tif"], out, how)


def test_one_white_for_two_data_types_is_refused(tmp_path, out):
    save(tmp_path / "a.tif", rgb_image(20, 31))
    save(tmp_path / "b.tif", 257 * rgb_image(20, 31).astype("uint16"))
    scales = {"uint8": 1 / 255, "uint16": 1 / 65535}
    how = hsi_xr.Conversion(
        radiometry="linear", input_scale=scales, stac=False, options={"white": 200}
    )
    with pytest.raises(UsageError, match=r"uint8 \(1\), uint16 \(1\).*--white.*--level"):
        hsi_xr.convert([tmp_path / "a.tif", tmp_path / "b.tif"], out, how)


def test_radiometry_is_given_by_data_type(tmp_path, out, instant):
    """Images of other types are interpreted as before."""
    pixels = rgb_image(20, 31)
    paths = [
        save(tmp_path / "bytes.tif", pixels),
        save(tmp_path / "deep.tif", 40 * pixels.astype("uint16")),
    ]
    outcome = hsi_xr.convert(paths, out, instant())
    ((name, reason),) = ((failure.id, failure.reason) for failure in outcome.failures)
    assert name == "deep" and "--radiometry uint16=reflectance" in reason
    by_type = {"radiometry": {"uint16": "reflectance"}, "input_scale": {"uint16": 1e-4}}
    outcome = hsi_xr.convert(paths, out, instant(**by_type), overwrite=True)
    assert outcome.failures == []
    for path, how in (paths[0], {}), (paths[1], {"radiometry": "reflectance", "scale": 1e-4}):
        alone = hsi_xr.reconstruct(hsi_xr.open(path), "root-polynomial", **how).reflectance
        made = hsi_xr.open(out / path.stem / path.name)
        np.testing.assert_allclose(made, alone.clip(max=3.2767), atol=5.1e-5)
        assert made.attrs["hsi_xr_radiometry"] == how.get("radiometry", "srgb")
    with pytest.raises(UsageError, match="no data type is called 'byte'"):
        instant(radiometry={"byte": "srgb"})


@pytest.mark.parametrize("given", [{}, {"vrt": True}, {"as_mosaic": True}])
def test_images_that_all_fail_for_different_reasons_are_listed(tmp_path, out, instant, given):
    paths = [
        save(tmp_path / "a.tif", rgb_image(20, 30), crs=None),
        save(tmp_path / "b.tif", rgb_image(20, 30)[:1]),
    ]
    outcome = hsi_xr.convert(paths, out, instant(**given))
    assert [failure.id for failure in outcome.failures] == ["a", "b"]
    assert not out.exists()


def test_failures_with_the_same_reason_are_one_line(tmp_path, out, instant):
    paths = [save(tmp_path / f"{name}.tif", rgb_image(20, 30), crs=None) for name in "abc"]
    paths.append(save(tmp_path / "d.tif", rgb_image(20, 30)))
    table = hsi_xr.convert(paths, out, instant()).table()
    assert table.count("coordinate reference system") == 1 and "- a, b, c: the scene" in table


def test_the_failure_of_a_single_image_is_raised_as_its_own_error(tmp_path, out, instant):
    path = save(tmp_path / "a.tif", rgb_image(20, 30), crs=None)
    with pytest.raises(NotGeoreferenced):
        hsi_xr.convert([path], out, instant())


# STAC sources


def test_items_provide_image_time_and_link(tiles, tmp_path, out, instant):
    """An item's own time takes precedence over the time that is given for other images."""
    item = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": "field 7",
        "properties": {"datetime": "2025-07-01T09:00:00Z"},
        "links": [],
        "assets": {"visual": {"href": "./tiles/tile_1_1.tif", "type": "image/tiff"}},
    }
    path = tmp_path / "field.json"
    path.write_text(json.dumps(item))
    assert hsi_xr.convert([path], out, instant()).failures == []
    made = json.loads((out / "field_7/field_7.json").read_text())
    assert made["properties"]["datetime"] == "2025-07-01T09:00:00Z"
    assert made["properties"]["hsi_xr:source"] == "tile_1_1.tif"
    assert made["links"][0]["href"] == "../../field.json"


def test_the_signature_of_a_url_is_recorded_nowhere(tiles, instant):
    (local,), _ = inspect_images([InputImage(id="a", href=str(tiles / "tile_0_0.tif"))], instant())
    picture = InputImage(id="a", href="https://example.com/x/a.tif?sig=secret")
    signed = replace(local, source=picture, version=(0, 0))
    assert signed.name == "a.tif"
    assert source_record(signed) == {"href": "https://example.com/x/a.tif", "size": 0, "changed": 0}


def test_a_collection_of_products_is_not_a_source(convert, tiles, out):
    """Products are not RGB images, and the error says so."""
    convert()
    with pytest.raises(InvalidData, match="it is a reconstructed cube"):
        hsi_xr.convert([out / "collection.json"], out.parent / "again", hsi_xr.Conversion(
            model="root-polynomial"))  # fmt: skip


def test_untrained_systems_have_no_item_to_link(tmp_path, tiles, out):
    how = hsi_xr.Conversion(
        model="srcgan", datetime=TAKEN, options={"untrained": True}, storage={"format": "geotiff"}
    )
    one = cut(tmp_path / "one", rgb_image(64, 64), [0], [0])
    outcome = hsi_xr.convert(one, out, how)
    assert outcome.failures == []
    item = json.loads((out / "tile_0_0/tile_0_0.json").read_text())
    assert "processing:expression" not in item["properties"]
    assert "random" in item["properties"]["processing:lineage"]
    assert not (out / "models").exists()


@pytest.mark.parametrize("vrt", [False, True])
def test_a_missing_product_of_an_earlier_run_is_left_out(tiles, tmp_path, instant, vrt):
    folder = tmp_path / "cubes"
    hsi_xr.convert([tiles], folder, instant(vrt=vrt))
    shutil.rmtree(folder / "tile_0_1")
    with pytest.warns(UserWarning, match="no longer exist.*'tile_0_1'"):
        hsi_xr.convert([tiles / "tile_0_0.tif"], folder, instant(vrt=vrt), resume=True)
    assert hsi_xr.validate(folder).findings == []
    assert len(json.loads((folder / "collection.json").read_text())["links"]) == 1 + 5
    if vrt:
        assert "tile_0_1" not in (folder / "mosaic.vrt").read_text()


def test_images_on_a_site_grid_are_warned_about_once(tmp_path, instant):
    site = 'LOCAL_CS["Site",UNIT["metre",1],AXIS["X",EAST],AXIS["Y",NORTH]]'
    (tmp_path / "rgb").mkdir()
    for name in "ab":
        save(tmp_path / f"rgb/{name}.tif", rgb_image(20, 30), crs=site)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        outcome = hsi_xr.convert([tmp_path / "rgb"], tmp_path / "cubes", instant(jobs=2))
    assert outcome.failures == [] and len(outcome.done) == 2
    assert sum("no geometry" in str(warning.message) for warning in caught) == 1
    assert hsi_xr.validate(tmp_path / "cubes").findings == []


@pytest.mark.parametrize("crs", [None, "EPSG:32619"])
def test_numbers_of_pixels_are_no_location(tmp_path, instant, crs):
    path = save(tmp_path / "a.tif", rgb_image(20, 30), crs=crs, transform=Affine.identity())
    with pytest.raises(NotGeoreferenced, match="no transform"):
        hsi_xr.convert([path], tmp_path / "refused", instant())
    options = {"allow_ungeoreferenced": True}
    hsi_xr.convert([path], tmp_path / "cubes", instant(options=options))
    with rasterio.open(tmp_path / "cubes/a/a.tif") as cube:
        assert cube.crs is None and cube.transform.is_identity
    assert hsi_xr.validate(tmp_path / "cubes").findings == []
