"""Items and collections on a web server: read with their relative hrefs, and validated."""

import json
import shutil
from pathlib import Path

import pytest

import hsi_xr
from hsi_xr.batch.inputs import find_images
from hsi_xr.errors import HsiError, UnreadableFile
from tests.batch.tiles import TAKEN, cut, stored
from tests.scenes import rgb_image
from tests.stac.serving import serving

for package in ("upath", "aiohttp"):
    pytest.importorskip(package, reason="URLs need hsi-xr[cloud]")

START, END = "2026-05-04T10:00:00Z", "2026-05-04T12:30:00Z"


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A collection of two products, and one of the images from which they were computed."""
    folder = tmp_path_factory.mktemp("root")
    cut(folder / "tiles", rgb_image(30, 75), [0], [0, 40])
    how = hsi_xr.Conversion(model="root-polynomial", datetime=TAKEN)
    assert hsi_xr.convert([folder / "tiles"], folder / "cubes", how).failures == []
    _write_image_collection(folder / "tiles")
    return folder


def _write_image_collection(folder: Path) -> None:
    """Write a collection as other tools do: with ranges of time, hrefs relative to image object."""
    names = [path.stem for path in sorted(folder.glob("*.tif"))]
    for name in names:
        (folder / "items" / name).mkdir(parents=True)
        image = {"href": f"../../{name}.tif", "type": "image/tiff; application=geotiff"}
        item = {
            "type": "Feature",
            "stac_version": "1.1.0",
            "id": name,
            "geometry": None,
            "properties": {"datetime": None, "start_datetime": START, "end_datetime": END},
            "assets": {"visual": image},
            "links": [{"rel": "collection", "href": "../../collection.json"}],
        }
        (folder / "items" / name / "item.json").write_text(json.dumps(item))
    links = [{"rel": "item", "href": f"./items/{name}/item.json"} for name in names]
    links.append({"rel": "item", "href": "items/gone.json"})
    collection = {"type": "Collection", "stac_version": "1.1.0", "id": "images", "links": links}
    (folder / "collection.json").write_text(json.dumps(collection))


def test_images_of_a_collection_on_a_server(root, tmp_path):
    with serving(root) as address:
        images, broken = find_images([f"{address}/tiles/collection.json"])
        assert [image.href for image in images] == [
            f"{address}/tiles/{image.id}.tif" for image in images
        ]
        (failure,) = broken
        assert "gone.json" in failure.reason
        how = hsi_xr.Conversion(model="root-polynomial")
        hsi_xr.convert([f"{address}/tiles/collection.json"], tmp_path / "cubes", how)
        for image in images:
            product = tmp_path / "cubes" / image.id / f"{image.id}.tif"
            assert (stored(product) == stored(root / "cubes" / image.id / product.name)).all()
            item = json.loads(product.with_suffix(".json").read_text())
            times = [item["properties"][key] for key in ("datetime", "start_datetime")]
            assert times == [None, START]
            (link,) = [link for link in item["links"] if link.get("title") is None][:1]
            assert (link["rel"], link["href"]) == ("derived_from", image.item)
    (interval,) = json.loads((tmp_path / "cubes" / "collection.json").read_text())["extent"][
        "temporal"
    ]["interval"]
    assert interval == [START, END]
    assert hsi_xr.validate(tmp_path / "cubes").findings == []


def test_files_on_a_server_are_validated_there(root, tmp_path):
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    with serving(tmp_path) as address:
        inspection = hsi_xr.validate(f"{address}/cubes/collection.json")
        assert [str(finding) for finding in inspection.findings] == []
        assert len(inspection.looked) == 1 + 2 * 3 + 3  # model: weights, card, item
        damaged = tmp_path / "cubes" / "tile_0_0" / "tile_0_0.tif"
        content = bytearray(damaged.read_bytes())
        content[len(content) // 2] ^= 1
        damaged.write_bytes(content)
        (tmp_path / "cubes" / "tile_0_1" / "tile_0_1.png").unlink()
        lines = "\n".join(map(str, hsi_xr.validate(f"{address}/cubes/collection.json").findings))
        assert "its asset 'reflectance' does not match its file:checksum" in lines
        assert "its asset 'thumbnail' refers to \"./tile_0_1.png\", which does not exist" in lines
        alone = f"{address}/cubes/tile_0_1/tile_0_1.tif"
        assert hsi_xr.validate(f"{alone}?signature=secret").findings == []
        with pytest.raises(UnreadableFile, match="does not exist"):
            hsi_xr.validate(f"{address}/cubes/gone.json")
        with pytest.raises(HsiError, match=r"collection\.json"):
            hsi_xr.validate(f"{address}/cubes/")
