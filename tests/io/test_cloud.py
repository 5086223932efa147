"""Object storage: reading, writing, and failures of the network."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
import xarray as xr

import hsi_xr
from hsi_xr.errors import (
    DestinationExists,
    DestinationUnwritable,
    Incomplete,
    UnreadableFile,
    UsageError,
)
from hsi_xr.io.preview import write_thumbnail
from hsi_xr.stac.files import save
from tests.object_storage import BUCKET, empty_bucket, serving
from tests.stac_validation import validate

s3fs = pytest.importorskip("s3fs", reason="object storage needs s3fs")
upath = pytest.importorskip("upath", reason="object storage needs universal-pathlib")

NAMES = ["cube.tif", "cube.zarr", "cube.img", "cube.nc"]


@pytest.fixture(scope="module")
def address():
    with serving() as found:
        yield found


@pytest.fixture
def bucket(address, monkeypatch):
    return empty_bucket(address, monkeypatch)


@pytest.fixture
def losses(bucket, monkeypatch) -> Iterator[Counter]:
    """Maps the ending of an object's name to the number of uploads that will still fail."""
    from botocore.exceptions import ConnectionClosedError

    left: Counter = Counter()
    send = s3fs.S3FileSystem._put_file

    async def lossy(self, here, there, **options):
        for ending in left:
            if there.endswith(ending) and left[ending] > 0:
                left[ending] -= 1
                raise ConnectionClosedError(endpoint_url=there)
        return await send(self, here, there, **options)

    monkeypatch.setattr(s3fs.S3FileSystem, "_put_file", lossy)
    monkeypatch.setattr("hsi_xr.io.upload._RETRY_DELAYS", (0.01, 0.02))
    s3fs.S3FileSystem.clear_instance_cache()  # instances bind their methods when created
    yield left
    s3fs.S3FileSystem.clear_instance_cache()


def full(cube: xr.Dataset) -> xr.Dataset:
    residual = cube.reflectance.isel(band=0, drop=True) - 0.2
    return cube.assign(reflectance_std=cube.reflectance / 10, rgb_residual=residual)


def contents(store, folder: str = f"{BUCKET}/a") -> dict[str, bytes]:
    return {each.rpartition("/a/")[2]: store.cat_file(each) for each in store.find(folder)}


@pytest.mark.parametrize("name", NAMES)
def test_objects_are_the_same_as_local_files(bucket, cube, tmp_path, name):
    product = full(cube(chunks={"y": 70, "x": 130}))
    url = f"s3://{BUCKET}/a/{name}"
    assert hsi_xr.write(product, url, tmp=tmp_path) == url
    assert [*tmp_path.iterdir()] == []
    hsi_xr.write(product, tmp_path / name)
    assert contents(bucket).keys() == {
        path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()
    }
    for variable in product.data_vars:
        here = hsi_xr.open(tmp_path / name, variable=variable)
        there = hsi_xr.open(url, variable=variable)
        assert there.chunks is not None
        xr.testing.assert_equal(there.drop_attrs(), here.drop_attrs())
        assert there.attrs == here.attrs


@pytest.mark.parametrize("name", ["cube.tif", "cube.zarr"])
def test_replacing_leaves_nothing_of_the_old_product(bucket, cube, tmp_path, name):
    url = f"s3://{BUCKET}/a/{name}"
    first, second = full(cube(1300, 517)), cube(90, 301) / 2
    hsi_xr.write(first, url)
    with pytest.raises(DestinationExists, match="overwrite"):
        hsi_xr.write(second, url)
    hsi_xr.write(second, url, overwrite=True)
    bucket.get(f"{BUCKET}/a/", str(tmp_path), recursive=True)
    np.testing.assert_allclose(hsi_xr.open(tmp_path / name), second.reflectance, atol=6e-5)
    left = {each for each in contents(bucket) if "std" in each or "residual" in each}
    assert not left and not [each for each in contents(bucket) if ".part" in each]
    assert len([each for each in contents(bucket) if "reflectance/c/" in each]) <= 1


def test_the_item_of_an_object_is_the_same_as_that_of_a_file(bucket, cube, tmp_path):
    url, here = f"s3://{BUCKET}/a/cube.tif", tmp_path / "cube.tif"
    product = full(cube())
    hsi_xr.write(product, url)
    bucket.get(f"{BUCKET}/a/", str(tmp_path), recursive=True)
    write_thumbnail(here)
    assert str(write_thumbnail(upath.UPath(url))) == f"s3://{BUCKET}/a/cube.png"
    item = hsi_xr.describe(url).to_dict(include_self_link=False)
    validate(item)
    assert item == hsi_xr.describe(here).to_dict(include_self_link=False)
    with pytest.raises(UsageError, match="cannot link to the local file"):
        hsi_xr.describe(url, derived_from=here)

    save(item, upath.UPath(f"s3://{BUCKET}/a/cube.json"))
    for path in (url, f"s3://{BUCKET}/a/cube.json", f"s3://{BUCKET}/a"):
        assert [str(finding) for finding in hsi_xr.validate(path).findings] == []
    bucket.pipe_file(f"{BUCKET}/a/cube.tif", here.read_bytes()[:-5000])
    findings = hsi_xr.validate(f"s3://{BUCKET}/a").findings
    assert {finding.path for finding in findings} == {url, f"s3://{BUCKET}/a/cube.json"}


def test_images_are_read_by_url_and_by_gdal_name(bucket, save, rgb_image, monkeypatch):
    pixels = rgb_image(700, 317)
    path = save(pixels, tiled=True, blockxsize=128, blockysize=128)
    bucket.put_file(str(path), f"{BUCKET}/a/scene.tif", ACL="public-read")
    expected = hsi_xr.open(path)
    signed = bucket.sign(f"{BUCKET}/a/scene.tif")
    assert "Signature=" in signed
    plain = signed.partition("?")[0]
    for name in (f"s3://{BUCKET}/a/scene.tif", f"/vsis3/{BUCKET}/a/scene.tif", signed, plain):
        for href in (name, f"/vsicurl/{name}") if name.startswith("http") else (name,):
            found = hsi_xr.open(href, chunks=128)
            xr.testing.assert_equal(found.drop_attrs(), expected.drop_attrs())
            part = found.isel(y=slice(400, 410)).compute()
            xr.testing.assert_equal(part.drop_attrs(), expected[:, 400:410].drop_attrs())
    for names in ("FSSPEC", "GDAL"):
        _configure(names, monkeypatch)
        found = hsi_xr.open(f"s3://{BUCKET}/a/scene.tif")
        xr.testing.assert_equal(found.drop_attrs(), expected.drop_attrs())


def _configure(names: str, monkeypatch) -> None:
    """Configures access through the variables of fsspec, or only through those of GDAL."""
    from fsspec.config import conf, set_conf_env

    endpoint = conf.get("s3", {}).get("endpoint_url") or os.environ["AWS_ENDPOINT_URL"]
    if names == "FSSPEC":
        monkeypatch.setenv("FSSPEC_S3_ENDPOINT_URL", endpoint)
        monkeypatch.setenv("FSSPEC_S3_KEY", "somebody")
        monkeypatch.setenv("FSSPEC_S3_SECRET", "secret")
        for name in ("ENDPOINT_URL", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
            monkeypatch.delenv(f"AWS_{name}")
        found: dict = {}
        set_conf_env(found)
        monkeypatch.setitem(conf, "s3", found["s3"])
    else:
        monkeypatch.delitem(conf, "s3")
        monkeypatch.setenv("AWS_S3_ENDPOINT", endpoint.removeprefix("http://"))
        monkeypatch.setenv("AWS_HTTPS", "NO")
        monkeypatch.setenv("AWS_VIRTUAL_HOSTING", "FALSE")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def test_writing_uses_the_configuration_of_gdal(bucket, cube, monkeypatch):
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("AWS_S3_ENDPOINT", endpoint.removeprefix("http://"))
    monkeypatch.setenv("AWS_HTTPS", "NO")
    monkeypatch.setenv("AWS_VIRTUAL_HOSTING", "FALSE")
    hsi_xr.write(cube(), f"s3://{BUCKET}/a/cube.tif")
    assert {*contents(bucket)} == {"cube.tif", "cube.qml"}


def test_a_signature_is_not_recorded_as_source(bucket, save, rgb_image):
    bucket.put_file(str(save(rgb_image(40, 61))), f"{BUCKET}/a/scene.tif")
    signed = bucket.sign(f"{BUCKET}/a/scene.tif")
    cube = hsi_xr.reconstruct(signed, "root-polynomial")
    assert cube.attrs["hsi_xr_source"] == "scene.tif"
    assert "Signature" not in str(cube.attrs)
    with pytest.raises(UnreadableFile) as wrong:
        hsi_xr.open(signed.replace("scene", "none"))
    assert "Signature" not in str(wrong.value) and "none.tif" in str(wrong.value)


def test_impossible_requests_are_rejected_before_any_work(bucket, cube, tmp_path, monkeypatch):
    def never(block):
        raise AssertionError("computed")

    lazy = cube(chunks={})
    lazy["reflectance"] = lazy.reflectance.copy(
        data=lazy.reflectance.data.map_blocks(never, dtype="float32", meta=np.empty((0, 0, 0)))
    )
    bucket.pipe_file(f"{BUCKET}/a/there.zarr/something", b"foreign")
    with pytest.raises(DestinationUnwritable, match="not a store"):
        hsi_xr.write(lazy, f"s3://{BUCKET}/a/there.zarr", overwrite=True)
    with pytest.raises(DestinationUnwritable, match="bucket"):
        hsi_xr.write(lazy, "s3://no-such-bucket/cube.tif")
    with pytest.raises(UsageError, match="tmp"):
        hsi_xr.write(lazy, tmp_path / "cube.tif", tmp=tmp_path)
    with pytest.raises(DestinationUnwritable, match="--tmp"):
        hsi_xr.write(lazy, f"s3://{BUCKET}/cube.tif", tmp=tmp_path / "none")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    s3fs.S3FileSystem.clear_instance_cache()  # it has cached the credentials
    with pytest.raises(DestinationUnwritable, match="credentials"):
        hsi_xr.write(lazy, f"s3://{BUCKET}/cube.tif")
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(UsageError, match=r"hsi-xr\[cloud\]"):
        hsi_xr.write(lazy, f"s3://{BUCKET}/cube.tif")


@pytest.mark.parametrize("name", NAMES)
def test_a_short_network_failure_loses_nothing(losses, bucket, cube, tmp_path, name):
    product = full(cube())
    losses.update({name: 2, "zarr.json": 1, ".qml": 1})
    hsi_xr.write(product, f"s3://{BUCKET}/a/{name}")
    assert not [each for each in contents(bucket) if ".part" in each]
    hsi_xr.write(product, tmp_path / name)
    stored = contents(bucket)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {key: len(value) for key, value in stored.items()} == {
        path.relative_to(tmp_path).as_posix(): path.stat().st_size for path in files
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_long_network_failure_leaves_no_objects_and_loses_no_work(losses, bucket, cube, name):
    main = f"{name}/zarr.json" if name.endswith("zarr") else name
    computed = Counter()
    lazy = counting(cube(1300, 217), computed)
    losses[main] = 99
    with pytest.raises(Incomplete, match="resume"):
        hsi_xr.write(lazy, f"s3://{BUCKET}/a/{name}")
    assert contents(bucket) == {}
    losses.clear()
    before = computed["blocks"]
    hsi_xr.write(lazy, f"s3://{BUCKET}/a/{name}", resume=True)
    assert computed["blocks"] == before + 1  # one is compared with the finished blocks
    assert main in contents(bucket)


@pytest.mark.parametrize("name", NAMES)
def test_a_failed_upload_replaces_nothing(losses, bucket, cube, name):
    url = f"s3://{BUCKET}/a/{name}"
    hsi_xr.write(full(cube(200, 301)), url)
    before = contents(bucket)
    losses[""] = 99
    with pytest.raises(Incomplete):
        hsi_xr.write(full(cube(100, 217)), url, overwrite=True)
    assert contents(bucket) == before


@pytest.fixture
def refusals(bucket, monkeypatch) -> Iterator[list[int]]:
    """Sets which copies within the store fail: from the first number up to the second."""
    between: list[int] = []
    copy, done = s3fs.S3FileSystem._cp_file, Counter()

    async def refusing(self, here, there, **options):
        done["copies"] += 1
        if between and between[0] <= done["copies"] < between[1]:
            raise OSError("slow down")
        return await copy(self, here, there, **options)

    monkeypatch.setattr(s3fs.S3FileSystem, "_cp_file", refusing)
    monkeypatch.setattr("hsi_xr.io.upload._RETRY_DELAYS", ())
    monkeypatch.setattr("hsi_xr.io.commit._CONCURRENT", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    yield between
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize(("name", "objects"), [("b.tif", 4), ("b.zarr", 13)])
def test_a_failed_copy_leaves_the_old_product(refusals, bucket, cube, name, objects):
    """A copy of an old object, or of a new one."""
    url = f"s3://{BUCKET}/a/{name}"
    hsi_xr.write(full(cube(200, 301)), url)
    before = contents(bucket)
    for first in (1, len(before) + objects // 2):
        refusals[:] = [first, first + 1]
        with pytest.raises(Incomplete, match="slow down"):
            hsi_xr.write(full(cube(100, 217)), url, overwrite=True)
        assert contents(bucket) == before


def test_objects_that_cannot_be_restored_are_kept_for_the_next_run(refusals, bucket, cube):
    url = f"s3://{BUCKET}/a/c.zarr"
    hsi_xr.write(cube(200, 301), url)
    before = contents(bucket)
    refusals[:] = [len(before) + 3, 10**6]
    with pytest.raises(Incomplete, match=r"kept in 's3://scenes/a/c.zarr.part/replaced'"):
        hsi_xr.write(cube(100, 217), url, overwrite=True)
    kept = {
        key.removeprefix("c.zarr.part/replaced/"): content
        for key, content in contents(bucket).items()
        if "/replaced/" in key
    }
    assert kept == before
    refusals.clear()
    hsi_xr.write(cube(100, 217), url, resume=True)
    np.testing.assert_allclose(hsi_xr.open(url), cube(100, 217).reflectance, atol=6e-5)
    assert not [key for key in contents(bucket) if ".part" in key]


def counting(cube: xr.Dataset, computed: Counter) -> xr.Dataset:
    """Returns the same cube, lazily; `computed` counts its computed blocks."""
    lazy = cube.chunk(y=512)

    def count(block):
        computed["blocks"] += 1
        return block

    data = lazy.reflectance.data.map_blocks(count, dtype="float32", meta=np.empty((0, 0, 0)))
    return lazy.assign(reflectance=lazy.reflectance.copy(data=data))


def test_a_killed_upload_cannot_be_opened_and_can_be_resumed(bucket, cube, tmp_path):
    """The process is killed while it waits to upload the root of the store."""
    url, product = f"s3://{BUCKET}/a/cube.zarr", cube(300, 517)
    product.to_netcdf(tmp_path / "made.nc")
    script = tmp_path / "killed.py"
    script.write_text(
        "import sys, time, xarray, s3fs, hsi_xr\n"
        "send = s3fs.S3FileSystem._put_file\n"
        "async def stops(self, here, there, **options):\n"
        "    if there.endswith('cube.zarr/zarr.json'):\n"
        "        print('sending', flush=True)\n"
        "        time.sleep(600)\n"
        "    return await send(self, here, there, **options)\n"
        "s3fs.S3FileSystem._put_file = stops\n"
        "cube = xarray.open_dataset(sys.argv[1], decode_coords='all', mask_and_scale=False)\n"
        "hsi_xr.write(cube, sys.argv[2], tmp=sys.argv[3])\n"
    )
    (tmp_path / "tmp").mkdir()
    run = [sys.executable, script, tmp_path / "made.nc", url, tmp_path / "tmp"]
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "sending\n"
        process.send_signal(signal.SIGKILL)
    assert contents(bucket)
    with pytest.raises(UnreadableFile):
        hsi_xr.open(url)
    again = xr.open_dataset(tmp_path / "made.nc", decode_coords="all", mask_and_scale=False)
    hsi_xr.write(again, url, tmp=tmp_path / "tmp", resume=True)
    np.testing.assert_allclose(hsi_xr.open(url), product.reflectance, atol=6e-5)
    assert [*(tmp_path / "tmp").iterdir()] == []
