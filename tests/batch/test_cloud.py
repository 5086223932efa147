"""Conversions into a bucket, which receives the same files as a local folder."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pystac
import pytest

import hsi_xr
from hsi_xr.errors import DestinationExists, DestinationUnwritable, UsageError
from tests.batch.tiles import digests
from tests.object_storage import BUCKET, empty_bucket, serving
from tests.scenes import rgb_image, save

pytest.importorskip("s3fs", reason="object storage needs s3fs")
pytest.importorskip("upath", reason="object storage needs universal-pathlib")

URL = f"s3://{BUCKET}/deep/cubes"


@pytest.fixture(scope="module")
def address():
    with serving() as found:
        yield found


@pytest.fixture
def bucket(address, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1780000000")
    return empty_bucket(address, monkeypatch)


@pytest.fixture
def tmp(tmp_path):
    (tmp_path / "tmp").mkdir()
    return tmp_path / "tmp"


def stored(bucket, path) -> dict[str, str]:
    """Returns the digests of the files in the bucket, after downloading them."""
    shutil.rmtree(path, ignore_errors=True)
    bucket.get(f"{BUCKET}/deep/", str(path), recursive=True)
    return digests(path)


def unlinked(folder):
    """Returns digests after removing links to local images, which items in a bucket lack."""
    for path in folder.glob("cubes/*/*.json"):
        item = json.loads(path.read_text())
        item["links"] = [link for link in item["links"] if not link["href"].endswith(".tif")]
        path.write_text(json.dumps(item, indent=2, ensure_ascii=False) + "\n")
    return digests(folder)


def test_a_bucket_receives_the_same_files_as_a_folder(bucket, tiles, tmp_path, tmp, instant):
    how = instant(vrt=True, as_mosaic=True)
    outcome = hsi_xr.convert([tiles], URL, how, tmp=tmp)
    assert (len(outcome.done), outcome.failures) == (6, [])
    assert (str(outcome.collection), str(outcome.vrt)) == (
        f"{URL}/collection.json",
        f"{URL}/mosaic.vrt",
    )
    assert not list(tmp.iterdir())
    found = stored(bucket, tmp_path / "there")
    hsi_xr.convert([tiles], tmp_path / "here" / "cubes", how)
    (tmp_path / "here/cubes/mosaic.survey").unlink()
    assert found == unlinked(tmp_path / "here")
    assert hsi_xr.validate(tmp_path / "there/cubes").findings == []
    mosaic = hsi_xr.open(f"{URL}/mosaic.vrt")
    assert mosaic.shape == (31, 150, 203)
    assert np.isfinite(mosaic.isel(band=3).values).any()


def test_an_interrupted_conversion_resumes_here_and_on_another_machine(
    bucket, tiles, tmp_path, tmp, instant
):
    hsi_xr.convert([tiles], URL, instant(), tmp=tmp)
    whole = stored(bucket, tmp_path / "there")
    bucket.rm(f"{BUCKET}/deep", recursive=True)

    def interrupt(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hsi_xr.convert([tiles], URL, instant(jobs=1), tmp=tmp, progress=interrupt)
    some = stored(bucket, tmp_path / "there")
    assert 0 < len([name for name in some if name.endswith(".json") and "tile" in name]) < 6
    assert "cubes/collection.json" not in some
    with pytest.raises(DestinationExists, match="--resume"):
        hsi_xr.convert([tiles], URL, instant(), tmp=tmp)
    (tmp_path / "elsewhere").mkdir()
    outcome = hsi_xr.convert([tiles], URL, instant(), resume=True, tmp=tmp_path / "elsewhere")
    assert outcome.done and outcome.before
    assert stored(bucket, tmp_path / "there") == whole
    bucket.rm_file(f"{BUCKET}/deep/cubes/tile_0_1/tile_0_1.tif")
    save(tiles / "z.tif", rgb_image(33, 21, seed=4))
    outcome = hsi_xr.convert([tiles], URL, instant(), resume=True, tmp=tmp)
    assert {image.id for image in outcome.done} == {"tile_0_1", "z"}
    assert whole.items() - stored(bucket, tmp_path / "there").items() == {
        ("cubes/collection.json", whole["cubes/collection.json"])
    }


def test_overwriting_replaces_products_completely(bucket, tiles, tmp_path, tmp, instant):
    hsi_xr.convert([tiles], URL, instant(model="default", options={"samples": 2}), tmp=tmp)
    assert bucket.exists(f"{URL}/tile_0_1/tile_0_1_std.tif")
    (tiles / "tile_0_0.tif").unlink()
    with pytest.raises(DestinationExists, match="--overwrite"):
        hsi_xr.convert([tiles], URL, instant(), tmp=tmp)
    hsi_xr.convert([tiles], URL, instant(), overwrite=True, tmp=tmp)
    names = stored(bucket, tmp_path / "there").keys()
    assert not [name for name in names if "_std" in name or "tile_0_0" in name or "part" in name]
    assert hsi_xr.validate(tmp_path / "there/cubes").findings == []


def test_items_link_remote_images(bucket, tiles, tmp, instant):
    bucket.put_file(str(tiles / "tile_1_1.tif"), f"{BUCKET}/images/b.tif")
    hsi_xr.convert([f"s3://{BUCKET}/images/b.tif"], URL, instant(), tmp=tmp)
    item = pystac.Item.from_dict(json.loads(bucket.cat_file(f"{URL}/b/b.json")))
    (origin,), (model,) = item.get_links("via"), item.get_links("derived_from")
    assert origin.target == f"s3://{BUCKET}/images/b.tif"
    there = f"{URL}/b/{model.target}".replace("/b/../", "/")
    about = json.loads(bucket.cat_file(there))
    weights = bucket.cat_file(there.replace("mlm-item.json", "model.safetensors"))
    assert about["assets"]["weights"]["file:checksum"][4:] == hashlib.sha256(weights).hexdigest()


def test_invalid_requests_are_refused_before_any_work(bucket, tiles, tmp_path, tmp, instant):
    with pytest.raises(DestinationUnwritable, match="bucket"):
        hsi_xr.convert([tiles], "s3://no-such-bucket/cubes", instant(), tmp=tmp)
    with pytest.raises(UsageError, match="--tmp"):
        hsi_xr.convert([tiles], tmp_path / "cubes", instant(), tmp=tmp)
    bucket.pipe_file(f"{URL}/tile_1_1/mine.txt", b"mine")
    with pytest.raises(DestinationExists, match="tile_1_1"):
        hsi_xr.convert([tiles], URL, instant(), tmp=tmp)
    assert bucket.find(URL) == [f"{BUCKET}/deep/cubes/tile_1_1/mine.txt"]
    assert not list(tmp.iterdir())


@pytest.mark.parametrize("scheme", ["s3://", "/vsis3/"])
def test_an_image_in_a_bucket_is_not_replaced_by_its_product(bucket, tiles, tmp, instant, scheme):
    bucket.put_file(str(tiles / "tile_0_1.tif"), f"{URL}/a/a.tif")
    before = bucket.cat_file(f"{URL}/a/a.tif")
    source = URL.replace("s3://", scheme) + "/a/a.tif"
    with pytest.raises(UsageError, match="is in the folder of its own product"):
        hsi_xr.convert([source], f"{URL}/", instant(), overwrite=True, tmp=tmp)
    assert bucket.cat_file(f"{URL}/a/a.tif") == before


def test_the_result_states_the_bucket(bucket, tiles, tmp, instant):
    outcome = hsi_xr.convert([tiles], URL, instant(), dry_run=True, tmp=tmp)
    assert str(outcome.folder) == URL


def test_finished_images_are_recorded_when_the_bucket_fails(bucket, tiles, tmp_path, tmp, instant):
    kept = tmp_path / "kept"

    def lose_bucket(done: int, total: int) -> None:
        if done > total // 2 and not kept.exists():
            bucket.get(f"{BUCKET}/deep/", f"{kept}/", recursive=True)
            bucket.rm(BUCKET, recursive=True)

    with pytest.raises(DestinationUnwritable, match="bucket"):
        hsi_xr.convert([tiles], URL, instant(jobs=1), tmp=tmp, progress=lose_bucket)
    bucket.mkdir(BUCKET)
    bucket.put(f"{kept}/", f"{BUCKET}/deep/", recursive=True)
    outcome = hsi_xr.convert([tiles], URL, instant(), resume=True, tmp=tmp)
    assert outcome.before and len(outcome.before) + len(outcome.done) == 6
    assert hsi_xr.validate(URL).findings == []


def test_a_refused_conversion_leaves_no_local_files(bucket, tiles, tmp, instant):
    hsi_xr.convert([tiles], URL, instant(), tmp=tmp)
    for how, options in ((instant(), {}), (instant(model="default"), {"resume": True})):
        with pytest.raises((DestinationExists, UsageError), match="--overwrite"):
            hsi_xr.convert([tiles], URL, how, tmp=tmp, **options)
        assert not list(tmp.iterdir())


def test_tiles_of_a_mosaic_may_be_in_a_bucket(bucket, tiles, tmp_path, instant):
    names = [path.name for path in sorted(tiles.iterdir())]
    for name in names:
        bucket.put_file(str(tiles / name), f"{BUCKET}/images/{name}")
    how = instant(as_mosaic=True)
    outcome = hsi_xr.convert(
        [f"s3://{BUCKET}/images/{name}" for name in names], tmp_path / "a", how
    )
    assert outcome.failures == []
    hsi_xr.convert([tiles], tmp_path / "b", how)
    for name in (Path(name).stem for name in names):
        product = f"{name}/{name}.tif"
        assert (tmp_path / "a" / product).read_bytes() == (tmp_path / "b" / product).read_bytes()
