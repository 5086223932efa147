"""Runs a local object store in a separate process: GDAL would block one in this process."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

NEEDED = ("moto", "flask", "s3fs", "upath")
BUCKET = "scenes"


@contextmanager
def serving() -> Iterator[str]:
    """Yields the address of an empty store; skips the test if no store can be run."""
    if absent := [name for name in NEEDED if find_spec(name) is None]:
        pytest.skip(f"{', '.join(absent)} not installed: `pip install --group test`")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, **quiet)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(address, server)
        yield address
    finally:
        server.terminate()
        server.wait()


def empty_bucket(address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Returns an empty bucket, configured for boto only: hsi_xr must configure GDAL."""
    import s3fs

    for name in [*os.environ]:
        if name.startswith(("AWS_", "FSSPEC_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    store = s3fs.S3FileSystem(endpoint_url=address, use_listings_cache=False)
    if store.exists(BUCKET):
        store.rm(BUCKET, recursive=True)
    store.mkdir(BUCKET)
    return store


def _wait_for(address: str, server: subprocess.Popen) -> None:
    for _ in range(600):
        try:
            urlopen(f"{address}/moto-api/", timeout=5).close()
            return
        except (URLError, OSError):
            assert server.poll() is None, "the object store has ended"
            time.sleep(0.1)
    raise TimeoutError("the object store does not respond")
