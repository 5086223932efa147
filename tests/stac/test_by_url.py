"""Items and collections of a web server: read with their relative hrefs, and inspected."""

import json
import shutil
from pathlib import Path

import pytest

import hsi_xr
from hsi_xr.batch.inputs import pictures
from hsi_xr.errors import HsiError, UnreadableFile
from tests.batch.tiles import TAKEN, cut, stored
from tests.scenes import picture
from tests.stac.serving import serving

for package in ("upath", "aiohttp"):
    pytest.importorskip(package, reason="URLs need hsi-xr[cloud]")

START, END = "2026-05-04T10:00:00Z", "2026-05-04T12:30:00Z"


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A collection of two products, and one of the pictures that they were made of."""
    folder = tmp_path_factory.mktemp("root")
    cut(folder / "tiles", picture(30, 75), [0], [0, 40])
    how = hsi_xr.Conversion(model="root-polynomial", datetime=TAKEN)
    assert hsi_xr.convert([folder / "tiles"], folder / "cubes", how).failures == []
    _collect_pictures(folder / "tiles")
    return folder


def _collect_pictures(folder: Path) -> None:
    """As others do: one with a range of times, hrefs relative to each object."""
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
    about = {"type": "Collection", "stac_version": "1.1.0", "id": "pictures", "links": links}
    (folder / "collection.json").write_text(json.dumps(about))


def test_pictures_of_a_collection_on_a_server(root, tmp_path):
    with serving(root) as address:
        found, broken = pictures([f"{address}/tiles/collection.json"])
        assert [each.href for each in found] == [f"{address}/tiles/{each.id}.tif" for each in found]
        (failure,) = broken
        assert "gone.json" in failure.reason
        how = hsi_xr.Conversion(model="root-polynomial")
        hsi_xr.convert([f"{address}/tiles/collection.json"], tmp_path / "cubes", how)
        for each in found:
            made = tmp_path / "cubes" / each.id / f"{each.id}.tif"
            assert (stored(made) == stored(root / "cubes" / each.id / made.name)).all()
            item = json.loads(made.with_suffix(".json").read_text())
            told = [item["properties"][key] for key in ("datetime", "start_datetime")]
            assert told == [None, START]
            (link,) = [link for link in item["links"] if link.get("title") is None][:1]
            assert (link["rel"], link["href"]) == ("derived_from", each.item)
    (interval,) = json.loads((tmp_path / "cubes" / "collection.json").read_text())["extent"][
        "temporal"
    ]["interval"]
    assert interval == [START, END]
    assert hsi_xr.validate(tmp_path / "cubes").findings == []


def test_what_lies_on_a_server_is_inspected_there(root, tmp_path):
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    with serving(tmp_path) as address:
        seen = hsi_xr.validate(f"{address}/cubes/collection.json")
        assert [str(finding) for finding in seen.findings] == []
        assert len(seen.looked) == 1 + 2 * 3 + 3  # model: weights, card, item
        spoilt = tmp_path / "cubes" / "tile_0_0" / "tile_0_0.tif"
        content = bytearray(spoilt.read_bytes())
        content[len(content) // 2] ^= 1
        spoilt.write_bytes(content)
        (tmp_path / "cubes" / "tile_0_1" / "tile_0_1.png").unlink()
        told = "\n".join(map(str, hsi_xr.validate(f"{address}/cubes/collection.json").findings))
        assert "its asset 'reflectance' has other bytes" in told
        assert "its asset 'thumbnail' leads to \"./tile_0_1.png\", which is not there" in told
        alone = f"{address}/cubes/tile_0_1/tile_0_1.tif"
        assert hsi_xr.validate(f"{alone}?signature=secret").findings == []
        with pytest.raises(UnreadableFile, match="does not exist"):
            hsi_xr.validate(f"{address}/cubes/gone.json")
        with pytest.raises(HsiError, match=r"collection\.json"):
            hsi_xr.validate(f"{address}/cubes/")
