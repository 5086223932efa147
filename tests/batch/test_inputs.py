"""Images that sources refer to, and errors for sources that refer to none."""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsi_xr.batch.config import Failure, InputImage
from hsi_xr.batch.inputs import find_images
from hsi_xr.errors import InvalidData, UnreadableFile, UsageError
from hsi_xr.io.item_bands import ItemBand

TAKEN = "2026-05-04T10:30:00Z"
COG = "image/tiff; application=geotiff; profile=cloud-optimized"


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def item(name: str, assets: dict, **properties) -> dict:
    fields = {"type": "Feature", "stac_version": "1.1.0", "id": name, "assets": assets, "links": []}
    return {**fields, "properties": {"datetime": TAKEN, **properties}}


def save(path: Path, stac: dict) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(stac))
    return path


def found(*sources: object, **options) -> list[InputImage]:
    good, bad = find_images([str(source) for source in sources], **options)
    assert bad == []
    return good


def test_folders_files_patterns_and_lists_refer_to_the_rasters_in_them(tmp_path):
    touch(*(tmp_path / name for name in ("b.TIF", "a.tif", "notes.md", "deep/er/c.tiff")))
    assert [each.id for each in found(tmp_path)] == ["a", "b"]
    assert [each.id for each in found(tmp_path / "**" / "*.tif*")] == ["a", "c"]
    assert [each.id for each in found(tmp_path / "deep/er/c.tiff", tmp_path / "a.tif")] == [
        "c",
        "a",
    ]
    (tmp_path / "list.txt").write_text(
        "# of mine\ndeep/er/c.tiff\n\nhttps://example.com/d.tif?k=1\n"
    )
    listed = found(tmp_path / "list.txt")
    assert [each.id for each in listed] == ["c", "d"]
    assert listed[1].href == "https://example.com/d.tif?k=1"


NO_IMAGES = [
    *("._a.tif", "._b.TIF", ".DS_Store", ".hidden.jp2", ".~lock.a.tif#"),
    *("a.tif.ovr", "a.tif.msk", "a.tif.aux.xml", "a.TIF.OVR", "a.ovr", "a.msk", "a.aux", "a.tfw"),
    *("a.tif.part", "a.tif.crdownload", "a.tif~", "mosaic.part.vrt", "c.tif.part/1/c.tif"),
]
"""Hidden, side and unfinished files of images."""


@pytest.mark.parametrize("pattern", ["", "*", "[!z]*", "**/*", "**"])
def test_hidden_side_and_unfinished_files_are_left_out(tmp_path, pattern, caplog):
    images = ["a.tif", "B.TIF", "c.TIFF", "d.JP2", "e.vrt"]
    touch(*(tmp_path / name for name in images + NO_IMAGES))
    caplog.set_level("INFO", "hsi_xr")
    assert sorted(Path(each.href).name for each in found(tmp_path / pattern)) == sorted(images)
    (said,) = caplog.messages
    assert "hidden, sidecar or unfinished" in said


@pytest.mark.parametrize("pattern", [".*", "._*.tif", "*.ovr", "**/*.part", "*/*"])
def test_a_source_of_only_such_files_contains_no_images(tmp_path, pattern):
    touch(*(tmp_path / name for name in NO_IMAGES))
    with pytest.raises(UnreadableFile, match=r"no file matches.*besides \d+ hidden, sidecar"):
        find_images([str(tmp_path / pattern)])
    with pytest.raises(UnreadableFile, match=r"contains no .tif.*besides 4 hidden, .*'\._a\.tif'"):
        find_images([str(tmp_path)])


@pytest.mark.parametrize("name", NO_IMAGES)
def test_a_file_that_is_named_is_an_image(tmp_path, name):
    touch(tmp_path / name)
    (tmp_path / "list.txt").write_text(name)
    for source in (tmp_path / name, tmp_path / "list.txt"):
        assert [each.href for each in found(source)] == [str(tmp_path / name)]


def test_a_zarr_store_is_an_image_and_not_a_folder(tmp_path):
    touch(tmp_path / "a.zarr/zarr.json", tmp_path / "a.zarr/b.tif", tmp_path / "c/d.tif")
    for source in (tmp_path / "a.zarr", tmp_path / "*.zarr", tmp_path / "*"):
        assert [each.href for each in found(source)] == [str(tmp_path / "a.zarr")]


def test_names_of_given_folders_do_not_count(tmp_path):
    touch(tmp_path / ".cache/x.part/a.tif")
    folder = tmp_path / ".cache/x.part"
    assert [found(source)[0].id for source in (folder, folder / "*.tif")] == ["a", "a"]


def test_names_that_differ_in_case_only_are_refused(tmp_path):
    """Their products would replace each other where names ignore case."""
    touch(tmp_path / "a.tif", tmp_path / "a.TIF")
    if len([*tmp_path.iterdir()]) == 1:
        pytest.skip("this file system ignores case")
    with pytest.raises(UsageError, match=r"2 images would become 'a'.*rename them"):
        find_images([str(tmp_path)])


def test_an_image_that_is_named_twice_is_converted_once(tmp_path, monkeypatch):
    touch(tmp_path / "a.tif", tmp_path / "b.tif")
    (tmp_path / "link.tif").symlink_to(tmp_path / "b.tif")
    monkeypatch.chdir(tmp_path)
    twice = found(tmp_path / "b.tif", ".", "a.tif", tmp_path / "*.tif")
    assert [each.id for each in twice] == ["b", "a", "link"]


def test_two_images_with_the_same_product_name_are_refused(tmp_path):
    touch(tmp_path / "x/a.tif", tmp_path / "y/A.tif")
    with pytest.raises(UsageError, match=r"would become 'a'.*x/a\.tif.*y/A\.tif"):
        find_images([str(tmp_path / "x"), str(tmp_path / "y")])


@pytest.mark.parametrize("name", ["models", "collection.json", "Mosaic.vrt", "manifest.jsonl"])
def test_a_reserved_name_is_refused(tmp_path, name):
    touch(tmp_path / f"{name}.tif")
    with pytest.raises(UsageError, match="rename it"):
        find_images([str(tmp_path)])


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("empty", "contains no .tif"),
        ("*.tif", "no file matches"),
        ("absent.json", "cannot be read as JSON"),
        ("absent.txt", "list"),
        ("nothing.txt", "contains no images"),
        ("nothing.json", "contains no images"),
    ],
)
def test_a_source_without_images_is_refused(tmp_path, source, words):
    (tmp_path / "empty").mkdir()
    (tmp_path / "nothing.txt").write_text("# nothing\n")
    save(tmp_path / "nothing.json", {"type": "FeatureCollection", "features": []})
    with pytest.raises(UnreadableFile, match=words):
        find_images([str(tmp_path / source)])


def test_a_pattern_that_matches_in_the_other_case_is_given(tmp_path):
    touch(tmp_path / "A.TIF")
    with pytest.raises(UnreadableFile, match=r"no file matches '.*\*\.tif', but '.*\*\.TIF' match"):
        find_images([str(tmp_path / "*.tif")])


def test_json_that_is_not_stac_is_refused(tmp_path):
    with pytest.raises(InvalidData, match="not a STAC object"):
        find_images([str(save(tmp_path / "a.json", {"type": "Topology"}))])


def asset(name: str, *roles: str, bands: list | None = None, kind: str = COG) -> dict:
    return {
        "href": f"./{name}",
        "type": kind,
        "roles": [*roles],
        **({"bands": bands} if bands else {}),
    }


COLOURS = [{"name": str(n), "eo:common_name": c} for n, c in enumerate(("blue", "green", "red"))]


@pytest.mark.parametrize(
    ("assets", "chosen"),
    [
        ({"B4": asset("4.tif"), "visual": asset("v.tif")}, "v.tif"),
        ({"rgb": asset("r.tif"), "dsm": asset("d.tif")}, "r.tif"),
        ({"a": asset("a.tif", "data"), "b": asset("b.tif", "visual")}, "b.tif"),
        ({"ms": asset("m.tif", bands=COLOURS), "dsm": asset("d.tif")}, "m.tif"),
        ({"image": asset("i.tif"), "preview": asset("p.tif", "overview")}, "i.tif"),
        ({"i": asset("i.jp2", kind="image/jp2"), "m": asset("m", kind="text/xml")}, "i.jp2"),
    ],
)  # fmt: skip
def test_the_asset_that_is_an_image_is_chosen(tmp_path, assets, chosen):
    (one,) = found(save(tmp_path / "deep/item.json", item("x/ 1", assets)))
    assert replace(one, bands=()) == InputImage(
        id="x_1",
        href=str(tmp_path / "deep" / chosen),
        item=str(tmp_path / "deep/item.json"),
        acquired=TAKEN,
    )


STAC_1_1 = {
    "bands": [
        {"name": "B04", "eo:common_name": "red", "eo:center_wavelength": 0.665, "nodata": 0},
        {"name": "B03", "eo:common_name": "green", "eo:center_wavelength": 0.56, "nodata": 0},
    ],
    "raster:scale": 1e-4,
    "raster:offset": -0.1,
}
STAC_1_0 = {
    "eo:bands": [
        {"name": "B04", "common_name": "red", "center_wavelength": 0.665},
        {"name": "B03", "common_name": "green", "center_wavelength": 0.56},
    ],
    "raster:bands": [{"nodata": 0, "scale": 1e-4, "offset": -0.1}] * 2,
}


@pytest.mark.parametrize("fields", [STAC_1_1, STAC_1_0])
@pytest.mark.parametrize("applied", [False, True])
def test_what_an_item_states_about_bands_is_read(tmp_path, fields, applied):
    stac = item("x", {"visual": {**asset("v.tif"), **fields}})
    if applied:  # the stored values include the offset, although the item states it
        stac["properties"]["earthsearch:boa_offset_applied"] = True
    (one,) = found(save(tmp_path / "item.json", stac))
    offset = 0 if applied else -0.1
    assert one.bands == (
        ItemBand("B04", "red", 665, scale=1e-4, offset=offset, nodata=0),
        ItemBand("B03", "green", 560, scale=1e-4, offset=offset, nodata=0),
    )


def test_an_asset_is_chosen_by_its_key_or_the_error_asks_for_it(tmp_path):
    path = save(tmp_path / "i.json", item("i", {"east": asset("e.tif"), "west": asset("w.tif")}))
    assert found(path, asset="west")[0].href == str(tmp_path / "w.tif")
    for options, words in (({}, "--asset"), ({"asset": "north"}, "has no asset 'north'")):
        good, (bad,) = find_images([str(path)], **options)
        assert (good, bad.id) == ([], "i")
        assert words in bad.reason and "east, west" in bad.reason


def test_collections_and_catalogues_are_walked_and_broken_links_named(tmp_path):
    save(tmp_path / "a/a.json", item("a", {"visual": asset("a.tif")}))
    links = [{"rel": "item", "href": "./a/a.json"}, {"rel": "item", "href": "./b/b.json"}]
    more = [{"rel": "self", "href": "./c.json"}, {"rel": "root", "href": "../gone.json"}]
    save(tmp_path / "c.json", {"type": "Collection", "links": links + more})
    save(tmp_path / "top.json", {"type": "Catalog", "links": [{"rel": "child", "href": "c.json"}]})
    good, (bad,) = find_images([str(tmp_path / "top.json")])
    assert [(each.id, each.href) for each in good] == [("a", str(tmp_path / "a/a.tif"))]
    assert isinstance(bad, Failure)
    assert "'./b/b.json'" in bad.reason and "c.json" in bad.reason and "broken" in bad.reason


def test_hrefs_in_a_list_of_items_are_resolved(tmp_path):
    first = item("a", {"visual": asset("a.tif")})
    second = item("b", {"visual": {**asset("b.tif"), "href": "https://example.com/b.tif?sig=s"}})
    second["links"] = [{"rel": "self", "href": "https://example.com/items/b.json"}]
    path = save(tmp_path / "list.json", {"type": "FeatureCollection", "features": [first, second]})
    one, two = found(path)
    assert (one.href, one.item) == (str(tmp_path / "a.tif"), None)
    assert (two.href, two.item) == (
        "https://example.com/b.tif?sig=s",
        "https://example.com/items/b.json",
    )


def test_no_source_is_a_usage_error():
    with pytest.raises(UsageError, match="no sources are given"):
        find_images([])


def test_links_are_relative_to_the_file_and_not_to_the_working_directory(tmp_path, monkeypatch):
    save(tmp_path / "a.json", item("a", {"visual": {"href": "s/a.tif", "type": COG}}))
    links = [{"rel": "item", "href": "a.json"}]
    save(tmp_path / "all.json", {"type": "Collection", "id": "all", "links": links})
    monkeypatch.chdir(tmp_path)
    for source in ("a.json", "all.json", tmp_path / "all.json"):
        (picture,) = found(source)
        assert Path(picture.href) == tmp_path / "s/a.tif"


def test_circular_catalogues_are_not_followed_forever(tmp_path):
    back = {"rel": "child", "href": "./one.json"}
    save(
        tmp_path / "one.json", {"type": "Catalog", "links": [{"rel": "child", "href": "two.json"}]}
    )
    save(tmp_path / "two.json", {"type": "Catalog", "links": [back]})
    good, (bad,) = find_images([str(tmp_path / "one.json")])
    assert good == [] and "leads back" in bad.reason


LINKS = [[{}], [{"rel": "item"}], [{"rel": "child", "href": 4}], [{"rel": "self", "href": []}]]
ASSETS = [{"x": None}, {"x": {"href": 3, "type": 4}}, {"x": {"href": "a.tif", "roles": {}}}]
ODD = st.sampled_from(
    [None, True, 3, "x", [], [3], [None, {}], {}, {"datetime": 4}, *LINKS, *ASSETS]
)
KEYS = ["id", "links", "assets", "features", "properties"]


@given(
    kind=st.sampled_from(["Feature", "FeatureCollection", "Collection"]),
    fields=st.dictionaries(st.sampled_from(KEYS), ODD),
)
def test_malformed_stac_gives_images_and_reasons(tmp_path_factory, kind, fields):
    path = save(tmp_path_factory.mktemp("stac") / "odd.json", {**fields, "type": kind})
    with suppress(UnreadableFile, UsageError):
        good, bad = find_images([str(path)])
        assert all(isinstance(each, InputImage) for each in good) and all(
            each.reason for each in bad
        )
