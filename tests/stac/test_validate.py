"""What is wrong with a product is said, and nothing is said of what is right."""

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
from tests.scenes import picture, scene

NAME = "tile_0_1"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A collection of two products, one of which has samples and a residual."""
    folder = tmp_path_factory.mktemp("made")
    cut(folder / "tiles", picture(60, 150), [0], [0, 70])
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
def cubes(made, tmp_path) -> Path:
    """A copy that can be spoilt, beside the pictures that its links lead to."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "cubes"


def wrong(path: Path, **options) -> list[str]:
    return [str(finding) for finding in hsi_xr.validate(path, **options).findings]


def edit(path: Path, change) -> None:
    stac = json.loads(path.read_text())
    change(stac)
    path.write_text(json.dumps(stac))


def test_nothing_is_wrong_with_what_was_written(cubes):
    item = cubes / NAME / f"{NAME}.json"
    assets = json.loads(item.read_text())["assets"]
    assert assets.keys() == {"reflectance", "uncertainty", "residual", "thumbnail"}
    for path in (cubes, cubes / "collection.json", item, item.with_suffix(".tif")):
        assert wrong(path) == []
    assert len(hsi_xr.validate(cubes).looked) == 1 + 2 * 5 + 3  # model: weights, card, item


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(UnreadableFile, match="does not exist"):
        hsi_xr.validate(tmp_path / "absent")
    assert "holds no product" in wrong(tmp_path)[0]


def flip(path: Path) -> None:
    """One bit in the middle of the pixels."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_bytes_are_held_against_their_checksum(cubes):
    for ending in (".tif", "_std.tif", "_residual.tif"):
        flip(cubes / NAME / f"{NAME}{ending}")
    (weights,) = cubes.glob("models/*/*.safetensors")
    flip(weights)
    told = "\n".join(wrong(cubes))
    for name in ("reflectance", "uncertainty", "residual", "weights"):
        assert f"its asset {name!r} has other bytes" in told


def test_a_file_that_is_cut_is_told_of(cubes):
    path = cubes / NAME / f"{NAME}.tif"
    path.write_bytes(path.read_bytes()[:-5000])
    assert any("cannot be read" in line for line in wrong(path))
    assert any(f"{path.stat().st_size} in fact" in line for line in wrong(cubes))


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
        ({"centres": {7: "0.9"}}, "wavelengths do not ascend: 470 nm follows 900 nm"),
        ({"centres": {31: "700"}}, "wavelengths of 700000 to 700000 nm are none"),
        ({"centres": {5: "0.4401"}}, "ENVI's wavelengths are others"),
        ({"nodata": None}, "no nodata value"),
        ({"scales": (1.0,) * 31}, "its scale is 1: int16"),
        ({"scales": (1e-4,) * 30 + (1e-3,)}, "its bands differ in scale"),
    ],
)
def test_a_file_that_says_what_cannot_be(cubes, change, words):
    path = cubes / NAME / f"{NAME}.tif"
    rewrite(path, **change)
    assert any(words in line for line in wrong(path))
    assert any(words in line or "in the item" in line for line in wrong(cubes))


def test_the_layout_is_asked_of_the_file(made, tmp_path):
    """A plain GeoTIFF is in order, and a COG that a tool has edited is none any more."""
    wide = hsi_xr.open(made / f"cubes/{NAME}/{NAME}.tif").pad(x=(0, 700), mode="edge")
    cube = wide.drop_vars(["y", "x"]).to_dataset(name="reflectance")
    cube.attrs = wide.attrs
    for cog in (True, False):
        path = hsi_xr.write(cube, tmp_path / f"{cog}.tif", format="cog" if cog else "geotiff")
        assert wrong(path) == []
        item = hsi_xr.describe(path, datetime=TAKEN).to_dict()
        path.with_suffix(".json").write_text(json.dumps(item))
        assert wrong(path.with_suffix(".json")) == []  # which does not say that it is one
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
        (lambda i: i["properties"].update(datetime="2026-13-45T00:00:00Z"), "is no time"),
        (lambda i: i["properties"].update(datetime="2026-05-05T10:30:00Z"), "datetime is"),
        (lambda i: i["properties"].update(datetime=None), "no start_datetime"),
        (lambda i: i["assets"].pop("reflectance"), "no asset 'reflectance'"),
        (lambda i: reflectance(i).pop("type"), "type is null in the item"),
        (lambda i: reflectance(i).pop("file:checksum"), "no file:checksum"),
        (lambda i: reflectance(i).update({"file:checksum": "d41d8cd98f"}), "no multihash"),
        (lambda i: reflectance(i).update(roles=["data"]), "not of the role 'reflectance'"),
        (lambda i: reflectance(i).update(href="."), "which is no file"),
        (lambda i: reflectance(i).update(href="x" * 5000), "which is not there"),
        (lambda i: i["assets"]["thumbnail"].update(type="image/jpeg"), '"image/jpeg" by the item'),
        (lambda i: i.update(stac_version="1.0.0"), "of STAC"),
        (lambda i: i["properties"].update(datetime="yesterday"), "yesterday"),
        (lambda i: i["properties"].update({"proj:code": "EPSG:32634"}), "proj:code is"),
        (lambda i: i["properties"].update({"hsi_xr:seed": 5}), "hsi_xr:seed is 5 in the item"),
        (lambda i: i["bbox"].reverse(), "bbox/0 is"),
        (lambda i: reflectance(i).update({"raster:scale": 0.001}), "raster:scale is 0.001"),
        (lambda i: reflectance(i).update(nodata=0), "nodata is 0 in the item and -32768"),
        (lambda i: reflectance(i).update({"proj:shape": [1, 2]}), "proj:shape is [1, 2]"),
        (lambda i: reflectance(i).update({"file:size": 3}), "has 3 bytes by the item"),
        (lambda i: reflectance(i)["bands"].reverse(), "wavelengths do not ascend"),
        (lambda i: reflectance(i)["bands"].pop(), "30 bands"),
        (lambda i: reflectance(i)["bands"][0].update(name="B02"), "bands of one name"),
        (
            lambda i: reflectance(i)["bands"][30].update({"eo:center_wavelength": 700}),
            "in another unit",
        ),
        (lambda i: reflectance(i).update(href="./gone.tif"), 'leads to "./gone.tif"'),
        (lambda i: i["links"][0].update(href="../gone.json"), 'leads to "../gone.json"'),
        (lambda i: i.update(collection="others"), 'its collection is "others"'),
        (
            lambda i: i["properties"]["processing:expression"].update(expression="./gone.json"),
            'its processing:expression leads to "./gone.json"',
        ),
        (
            lambda i: i["properties"].update({"hsi_xr:model_sha256": "0" * 64}),
            "describes another",
        ),
    ],
)  # fmt: skip
def test_an_item_that_says_what_is_not_so(cubes, change, words):
    edit(cubes / NAME / f"{NAME}.json", change)
    found = wrong(cubes)
    assert any(words in line and NAME in line for line in found), found
    assert wrong(cubes / "tile_0_0" / "tile_0_0.json") == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.pop("license"), "license"),
        (lambda c: c["links"].append({"rel": "item", "href": "./gone/gone.json"}), "gone.json"),
        (lambda c: c["extent"]["spatial"]["bbox"][0].reverse(), "extent/spatial/bbox/0/0 is"),
        (lambda c: c["summaries"].update({"proj:code": ["EPSG:4326"]}), "proj:code/0 is"),
        (lambda c: c["links"][1].update(href="./collection.json"), "which is no item"),
        (lambda c: c["links"].pop(), "of its items"),
    ],
)
def test_a_collection_that_says_what_is_not_so(cubes, change, words):
    edit(cubes / "collection.json", change)
    assert any(words in line and "collection.json" in line for line in wrong(cubes))


def test_bands_that_a_model_names_must_be_described(cubes):
    (model,) = cubes.glob("models/*/mlm-item.json")
    edit(model, lambda m: m["properties"]["mlm:input"][0].update(bands=["red", "green", "nir"]))
    assert any("mlm:input names nir" in line for line in wrong(cubes))


def test_what_is_left_over_is_told_of(cubes):
    shutil.copy(cubes / NAME / f"{NAME}.tif", cubes / NAME / "more.tif")
    (cubes / NAME / f"{NAME}.part.tif").touch()
    told = "\n".join(wrong(cubes))
    assert "more.tif: no item in this folder describes it" in told
    assert f"{NAME}.part.tif: it is left from a run" in told


def test_pictures_beside_products_are_no_products(cubes):
    """Nobody need move the scene elsewhere to have a cube that is in order."""
    shutil.copytree(cubes.parent / "tiles", cubes / "tiles")
    found = hsi_xr.validate(cubes)
    assert found.findings == []
    assert f"{cubes / 'tiles' / NAME}.tif, which hsi_xr did not make" in found.unseen
    (alone,) = wrong(cubes / "tiles")
    assert "it holds no product and no STAC item" in alone
    (asked,) = wrong(cubes / "tiles" / f"{NAME}.tif")
    assert "does not say that hsi_xr made it" in asked


def test_a_json_that_is_none_is_told_of(cubes):
    (cubes / NAME / f"{NAME}.json").write_text("{")
    assert any("it is no JSON" in line for line in wrong(cubes))


@pytest.mark.parametrize(
    ("centres", "widths", "words"),
    [
        ([400, 500, 600], [10, 10, 10], None),
        ([400, 500, 600], [None] * 3, None),
        ([None, None], [None, None], "no band has"),
        ([400, None, 600], [10] * 3, "band 2 is without"),
        ([400, 400, 600], [10] * 3, "do not ascend"),
        ([400, float("nan")], [10] * 2, "none at which"),
        ([0.4, 0.5], [None] * 2, "another unit"),
        ([400, 500], [10, -3], "cannot be -3 nm wide"),
        ([400, 500], [10, 0.0], "cannot be 0 nm wide"),
    ],
)
def test_wavelengths_that_cannot_be(centres, widths, words):
    found = implausible(centres, widths)
    assert (found == []) if words is None else any(words in line for line in found)


def test_a_picture_is_of_the_estimate_and_says_so(cubes, made):
    path = cubes / NAME / f"{NAME}.png"
    with rasterio.open(path) as src, rasterio.open(path.with_suffix(".tif")) as cube:
        assert "not a photograph" in src.tags()["Description"]
        assert (src.count, src.dtypes[0]) == (4, "uint8")
        assert src.shape == cube.shape  # which is small already
        shown, red = src.read(1).astype(float), cube.read(26).astype(float)
        assert np.corrcoef(shown.ravel(), np.sqrt(red.clip(0)).ravel())[0, 1] > 0.95


def test_a_band_of_what_is_out_of_domain_needs_no_wavelength(tmp_path):
    told = hsi_xr.reconstruct(scene(40, 52), samples=2, out_of_domain=True)
    path = hsi_xr.write(told, tmp_path / "cube.tif")
    assert not wrong(path.with_name("cube_domain.tif"))


def test_products_without_items_are_in_order(cubes, tmp_path):
    how = hsi_xr.Conversion(model="root-polynomial", stac=False)
    hsi_xr.convert([cubes.parent / "tiles"], tmp_path / "plain", how)
    assert not list((tmp_path / "plain").rglob("*.json"))
    shutil.copytree(cubes / "models", tmp_path / "plain/models")  # describes no product
    assert wrong(tmp_path / "plain") == []
