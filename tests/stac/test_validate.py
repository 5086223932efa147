"""Validation reports every fault of a product, and none of a valid one."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio

import hsi_xr
from hsi_xr.errors import UnreadableFile
from hsi_xr.stac.validate.band_checks import implausible
from tests.batch.tiles import TAKEN, cut
from tests.scenes import rgb_image, scene

NAME = "tile_0_1"


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> Path:
    """A collection of two products, one of which has samples and a residual."""
    folder = tmp_path_factory.mktemp("originals")
    cut(folder / "tiles", rgb_image(60, 150), [0], [0, 70])
    how = hsi_xr.Conversion(
        model="root-polynomial",
        datetime=TAKEN,
        options={
            "samples": 2,
            "residual": True,
            "camera": "hasselblad-l2d-20c",
        },
        radiometry="reflectance",
        input_scale=1 / 600,
    )
    assert hsi_xr.convert([folder / "tiles"], folder / "cubes", how).failures == []
    return folder


@pytest.fixture
def cubes(originals, tmp_path) -> Path:
    """A copy to damage, next to the images to which its links refer."""
    shutil.copytree(originals, tmp_path, dirs_exist_ok=True)
    return tmp_path / "cubes"


def wrong(path: Path, **options) -> list[str]:
    return [str(finding) for finding in hsi_xr.validate(path, **options).findings]


def edit(path: Path, change) -> None:
    stac = json.loads(path.read_text())
    change(stac)
    path.write_text(json.dumps(stac))


def test_what_was_written_is_valid(cubes):
    item = cubes / NAME / f"{NAME}.json"
    assets = json.loads(item.read_text())["assets"]
    assert assets.keys() == {"reflectance", "uncertainty", "residual", "thumbnail"}
    for path in (cubes, cubes / "collection.json", item, item.with_suffix(".tif")):
        assert wrong(path) == []
    assert len(hsi_xr.validate(cubes).looked) == 1 + 2 * 5 + 3  # model: weights, card, item


def test_missing_files_are_refused(tmp_path):
    with pytest.raises(UnreadableFile, match="does not exist"):
        hsi_xr.validate(tmp_path / "absent")
    assert "contains neither products" in wrong(tmp_path)[0]


def flip(path: Path) -> None:
    """One bit in the middle of the pixels."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_bytes_are_compared_with_their_checksum(cubes):
    for ending in (".tif", "_std.tif", "_residual.tif"):
        flip(cubes / NAME / f"{NAME}{ending}")
    (weights,) = cubes.glob("models/*/*.safetensors")
    flip(weights)
    lines = "\n".join(wrong(cubes))
    for name in ("reflectance", "uncertainty", "residual", "weights"):
        assert f"its asset {name!r} does not match its file:checksum" in lines


def test_a_truncated_file_is_reported(cubes):
    path = cubes / NAME / f"{NAME}.tif"
    path.write_bytes(path.read_bytes()[:-5000])
    assert any("cannot be read" in line for line in wrong(path))
    assert any(f"{path.stat().st_size} in the file" in line for line in wrong(cubes))


def rewrite(path: Path, **tags) -> None:
    """Change a product in place, whatever that does to its layout."""
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dst:
        for number, value in tags.pop("centres", {}).items():
            dst.update_tags(number, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=value)
        for name, value in tags.items():
            setattr(dst, name, value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"centres": {7: "0.9"}}, "wavelengths are not ascending: 470 nm follows 900 nm"),
        ({"centres": {31: "700"}}, "in another unit: 700000 nm"),
        ({"centres": {5: "0.4401"}}, "its wavelengths for ENVI differ"),
        ({"nodata": None}, "no nodata value"),
        ({"scales": (1.0,) * 31}, "its scale is 1, too coarse for reflectance as int16"),
        ({"scales": (1e-4,) * 30 + (1e-3,)}, "its bands have different scales"),
    ],
)
def test_a_file_with_impossible_metadata_is_reported(cubes, change, words):
    path = cubes / NAME / f"{NAME}.tif"
    rewrite(path, **change)
    assert any(words in line for line in wrong(path))
    assert any(words in line or "in the item" in line for line in wrong(cubes))


def test_a_geotiff_is_valid_and_a_cog_that_a_tool_has_edited_is_not(originals, tmp_path):
    wide = hsi_xr.open(originals / f"cubes/{NAME}/{NAME}.tif").pad(x=(0, 700), mode="edge")
    cube = wide.drop_vars(["y", "x"]).to_dataset(name="reflectance")
    cube.attrs = wide.attrs
    for cog in (True, False):
        path = hsi_xr.write(cube, tmp_path / f"{cog}.tif", format="cog" if cog else "geotiff")
        assert wrong(path) == []
        item = hsi_xr.describe(path, datetime=TAKEN).to_dict()
        path.with_suffix(".json").write_text(json.dumps(item))
        assert wrong(path.with_suffix(".json")) == []  # which does not claim that it is a COG
        item["assets"]["reflectance"]["type"] = (
            "image/tiff; application=geotiff; profile=cloud-optimized"
        )
        path.with_suffix(".json").write_text(json.dumps(item))
        assert bool(wrong(path.with_suffix(".json"))) is not cog
    rewrite(tmp_path / "True.tif", centres={7: "0.46"})
    assert any("cloud-optimised" in line for line in wrong(tmp_path / "True.tif"))


def reflectance(item: dict) -> dict:
    return item["assets"]["reflectance"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda i: i.pop("properties"), "properties"),
        (lambda i: i["properties"].update(datetime="2026-13-45T00:00:00Z"), "is not a valid time"),
        (lambda i: i["properties"].update(datetime="2026-05-05T10:30:00Z"), "datetime is"),
        (lambda i: i["properties"].update(datetime=None), "end_datetime is missing"),
        (lambda i: i["assets"].pop("reflectance"), "no asset 'reflectance'"),
        (lambda i: reflectance(i).pop("type"), "type is null in the item"),
        (lambda i: reflectance(i).pop("file:checksum"), "no file:checksum"),
        (lambda i: reflectance(i).update({"file:checksum": "d41d8cd98f"}), "not a multihash"),
        (lambda i: reflectance(i).update(roles=["data"]), "lacks the role 'reflectance'"),
        (lambda i: reflectance(i).update(href="."), "which is not a file"),
        (lambda i: reflectance(i).update(href="x" * 5000), "which does not exist"),
        (lambda i: i["assets"]["thumbnail"].update(type="image/jpeg"), 'has the type "image/jpeg"'),
        (lambda i: i.update(stac_version="1.0.0"), "STAC version"),
        (lambda i: i["properties"].update(datetime="yesterday"), "yesterday"),
        (lambda i: i["properties"].update({"proj:code": "EPSG:32634"}), "proj:code is"),
        (lambda i: i["properties"].update({"hsi_xr:seed": 5}), "hsi_xr:seed is 5 in the item"),
        (lambda i: i["bbox"].reverse(), "bbox/0 is"),
        (lambda i: reflectance(i).update({"raster:scale": 0.001}), "raster:scale is 0.001"),
        (lambda i: reflectance(i).update(nodata=0), "nodata is 0 in the item, but -32768"),
        (lambda i: reflectance(i).update({"proj:shape": [1, 2]}), "proj:shape is [1, 2]"),
        (lambda i: reflectance(i).update({"file:size": 3}), "file:size is 3 in the item"),
        (lambda i: reflectance(i)["bands"].reverse(), "wavelengths are not ascending"),
        (lambda i: reflectance(i)["bands"].pop(), "number of bands is 30 in the item, but 31"),
        (lambda i: reflectance(i)["bands"][0].update(name="B02"), "bands with the same name"),
        (
            lambda i: reflectance(i)["bands"][30].update({"eo:center_wavelength": 700}),
            "in another unit",
        ),
        (lambda i: reflectance(i).update(href="./gone.tif"), 'refers to "./gone.tif"'),
        (lambda i: i["links"][0].update(href="../gone.json"), 'refers to "../gone.json"'),
        (lambda i: i.update(collection="others"), 'its collection is "others"'),
        (
            lambda i: i["properties"]["processing:expression"].update(expression="./gone.json"),
            'its processing:expression refers to "./gone.json"',
        ),
        (
            lambda i: i["properties"].update({"hsi_xr:model_sha256": "0" * 64}),
            "describes another",
        ),
    ],
)  # fmt: skip
def test_an_item_with_a_false_statement_is_reported(cubes, change, words):
    edit(cubes / NAME / f"{NAME}.json", change)
    lines = wrong(cubes)
    assert any(words in line and NAME in line for line in lines), lines
    assert wrong(cubes / "tile_0_0" / "tile_0_0.json") == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.pop("license"), "license"),
        (lambda c: c["links"].append({"rel": "item", "href": "./gone/gone.json"}), "gone.json"),
        (lambda c: c["extent"]["spatial"]["bbox"][0].reverse(), "extent/spatial/bbox/0/0 is"),
        (lambda c: c["summaries"].update({"proj:code": ["EPSG:4326"]}), "proj:code/0 is"),
        (lambda c: c["links"][1].update(href="./collection.json"), "which is not an item"),
        (lambda c: c["links"].pop(), "in its items"),
    ],
)
def test_a_collection_with_a_false_statement_is_reported(cubes, change, words):
    edit(cubes / "collection.json", change)
    assert any(words in line and "collection.json" in line for line in wrong(cubes))


def test_bands_that_a_model_names_must_be_described(cubes):
    (model,) = cubes.glob("models/*/mlm-item.json")
    edit(model, lambda m: m["properties"]["mlm:input"][0].update(bands=["red", "green", "nir"]))
    assert any("mlm:input names undescribed bands: nir" in line for line in wrong(cubes))


def test_left_over_files_are_reported(cubes):
    shutil.copy(cubes / NAME / f"{NAME}.tif", cubes / NAME / "more.tif")
    unfinished = ("mosaic.part.vrt", f"{NAME}.json.part", f"{NAME}.tif.part")
    for name in unfinished[:2]:
        (cubes / NAME / name).touch()
    staging = cubes / NAME / unfinished[2]
    staging.mkdir()
    (staging / "0.tif").touch()
    lines = "\n".join(wrong(cubes))
    assert "more.tif: no item in this folder describes it" in lines
    assert all(f"{name}: it was left by an unfinished run" in lines for name in unfinished)
    assert "0.tif" not in lines


def test_images_next_to_products_are_not_products(cubes):
    """The RGB scene can stay in the folder of its cube."""
    shutil.copytree(cubes.parent / "tiles", cubes / "tiles")
    inspection = hsi_xr.validate(cubes)
    assert inspection.findings == []
    assert f"{cubes / 'tiles' / NAME}.tif, which hsi_xr did not write" in inspection.unseen
    (alone,) = wrong(cubes / "tiles")
    assert "it contains neither products nor STAC objects" in alone
    (line,) = wrong(cubes / "tiles" / f"{NAME}.tif")
    assert "is not a product of hsi_xr" in line


def test_malformed_json_is_reported(cubes):
    (cubes / NAME / f"{NAME}.json").write_text("{")
    assert any("it is not valid JSON" in line for line in wrong(cubes))


@pytest.mark.parametrize(
    ("centres", "widths", "words"),
    [
        ([400, 500, 600], [10, 10, 10], None),
        ([400, 500, 600], [None] * 3, None),
        ([None, None], [None, None], "no band has"),
        ([400, None, 600], [10] * 3, "band 2 has no wavelength"),
        ([400, 400, 600], [10] * 3, "not ascending"),
        ([400, float("nan")], [10] * 2, "outside the range of reflected sunlight"),
        ([0.4, 0.5], [None] * 2, "another unit"),
        ([400, 500], [10, -3], "is -3 nm wide"),
        ([400, 500], [10, 0.0], "is 0 nm wide"),
    ],
)
def test_implausible_wavelengths_are_reported(centres, widths, words):
    faults = implausible(centres, widths)
    assert (faults == []) if words is None else any(words in fault for fault in faults)


def test_the_preview_shows_the_estimate_and_says_so(cubes, originals):
    path = cubes / NAME / f"{NAME}.png"
    with rasterio.open(path) as src, rasterio.open(path.with_suffix(".tif")) as cube:
        assert "not a photograph" in src.tags()["Description"]
        assert (src.count, src.dtypes[0]) == (4, "uint8")
        assert src.shape == cube.shape  # which is small already
        preview, red = src.read(1).astype(float), cube.read(26).astype(float)
        assert np.corrcoef(preview.ravel(), np.sqrt(red.clip(0)).ravel())[0, 1] > 0.95


def test_the_out_of_domain_score_needs_no_wavelength(tmp_path):
    cube = hsi_xr.reconstruct(scene(40, 52), samples=2, out_of_domain=True)
    path = hsi_xr.write(cube, tmp_path / "cube.tif")
    assert not wrong(path.with_name("cube_domain.tif"))


def test_products_without_items_are_valid(cubes, tmp_path):
    how = hsi_xr.Conversion(model="root-polynomial", stac=False)
    hsi_xr.convert([cubes.parent / "tiles"], tmp_path / "plain", how)
    assert not list((tmp_path / "plain").rglob("*.json"))
    shutil.copytree(cubes / "models", tmp_path / "plain/models")  # describes no product
    assert wrong(tmp_path / "plain") == []
