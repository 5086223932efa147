"""Object storage: what is read from it, what arrives there, and what never does."""

import json
import os

import numpy as np
import pytest
import rasterio
import xarray as xr

import hsi_xr
from hsi_xr.errors import DestinationExists, DestinationUnwritable, Incomplete, UnreadableFile
from tests.object_storage import BUCKET, serving

s3fs = pytest.importorskip("s3fs", reason="object storage needs s3fs")
upath = pytest.importorskip("upath", reason="object storage needs universal-pathlib")


@pytest.fixture(scope="session")
def address():
    with serving() as found:
        yield found


@pytest.fixture
def bucket(address, monkeypatch):
    """An empty bucket, told to boto alone: GDAL must learn of it from us."""
    for name in [*os.environ]:
        if name.startswith(("AWS_", "FSSPEC_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr("hsi_xr.raster.upload._WAITS", (0.01, 0.02))
    store = s3fs.S3FileSystem(endpoint_url=address, use_listings_cache=False)
    if store.exists(BUCKET):
        store.rm(BUCKET, recursive=True)
    store.mkdir(BUCKET)
    return store


def full(cube: xr.Dataset) -> xr.Dataset:
    residual = cube.reflectance.isel(band=0, drop=True) - 0.2
    return cube.assign(reflectance_std=cube.reflectance / 10, rgb_residual=residual)


def names(store, folder: str = BUCKET) -> list[str]:
    return sorted(each.removeprefix(f"{BUCKET}/") for each in store.find(folder))


@pytest.mark.parametrize("name", ["cube.tif", "cube.zarr", "cube.img", "cube.nc"])
def test_what_is_written_to_a_bucket_is_what_is_written_to_a_disk(bucket, cube, tmp_path, name):
    product = full(cube(chunks={"y": 70, "x": 130}))
    url = f"s3://{BUCKET}/a/{name}"
    assert hsi_xr.write(product, url, tmp=tmp_path) == url
    assert [*tmp_path.iterdir()] == []
    hsi_xr.write(product, tmp_path / name)
    for variable in product.data_vars:
        here = hsi_xr.open(tmp_path / name, variable=variable)
        there = hsi_xr.open(url, variable=variable)
        assert there.chunks is not None
        xr.testing.assert_equal(there.drop_attrs(), here.drop_attrs())
        assert there.attrs == here.attrs
