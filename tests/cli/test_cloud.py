"""Object storage on the command line, in separate processes."""

import json
import os
import subprocess
import sys

import pytest

from tests.object_storage import BUCKET, serving

s3fs = pytest.importorskip("s3fs", reason="object storage needs s3fs")

ROOT = f"s3://{BUCKET}/a"
WHEN = "2026-05-04T10:30:00Z"


@pytest.fixture(scope="module")
def environment():
    """The environment variables for a bucket."""
    with serving() as address:
        s3fs.S3FileSystem(endpoint_url=address, key="somebody", secret="secret").mkdir(BUCKET)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        yield {
            **kept,
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }


def hsi_xr(environment, *words) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "hsi_xr", *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_from_a_bucket_into_a_bucket(environment, scene, tmp_path):
    store = s3fs.S3FileSystem(
        endpoint_url=environment["AWS_ENDPOINT_URL"], key="somebody", secret="secret"
    )
    store.put_file(str(scene), f"{BUCKET}/a/scene.tif")
    words = ("reconstruct", "-m", "root-polynomial", "--datetime", WHEN, "--tmp", tmp_path)
    done = hsi_xr(environment, *words, f"{ROOT}/scene.tif", f"{ROOT}/cube.tif")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [f"{ROOT}/cube.tif", f"{ROOT}/cube.json"]
    item = json.loads(store.cat_file(f"{BUCKET}/a/cube.json"))
    links = {link["rel"]: link["href"] for link in item["links"]}
    assert links["via"] == f"{ROOT}/scene.tif"
    assert {"reflectance", "thumbnail"} <= {*item["assets"]}
    about = json.loads(hsi_xr(environment, "info", f"{ROOT}/cube.tif").stdout)
    assert about["count"] == 31 and about["provenance"]["source"] == "scene.tif"

    again = hsi_xr(environment, *words, f"{ROOT}/scene.tif", f"{ROOT}/cube.tif")
    assert (again.returncode, again.stdout) == (2, "")
    assert "exists" in again.stderr and "--overwrite" in again.stderr
    shared = hsi_xr(environment, *words, scene, f"{ROOT}/cube.zarr", "--overwrite")
    assert (shared.returncode, shared.stdout) == (2, "")
    assert "would share 'cube.json'" in shared.stderr
    store_of = hsi_xr(environment, *words, scene, f"{ROOT}/other.zarr")
    assert store_of.returncode == 0, store_of.stderr
    about = json.loads(hsi_xr(environment, "info", f"{ROOT}/other.zarr").stdout)
    assert about["count"] == 31


def test_errors_are_one_line(environment, scene, tmp_path):
    for words in (
        ("reconstruct", "-m", "root-polynomial", scene, "s3://no-such-bucket/cube.tif"),
        ("convert", scene, f"{ROOT}/many", "--datetime", WHEN, "--format", "zarr"),
        ("convert", scene, "s3://no-such-bucket/many", "--datetime", WHEN),
    ):
        refused = hsi_xr(environment, *words)
        assert refused.returncode == 2, refused.stderr
        assert refused.stdout == "" and "Traceback" not in refused.stderr
    missing = hsi_xr(environment, "info", f"{ROOT}/none.tif")
    assert missing.returncode == 3 and "none.tif" in missing.stderr
