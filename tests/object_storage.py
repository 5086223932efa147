"""An object store on this machine, in a process of its own: GDAL would wait for one in this."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from urllib.error import URLError
from urllib.request import urlopen

import pytest

NEEDED = ("moto", "flask", "s3fs", "upath")
BUCKET = "scenes"


@contextmanager
def serving() -> Iterator[str]:
    """The address of an empty store; skips where one cannot be run."""
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


def _wait_for(address: str, server: subprocess.Popen) -> None:
    for _ in range(600):
        try:
            urlopen(f"{address}/moto-api/", timeout=5).close()
            return
        except (URLError, OSError):
            assert server.poll() is None, "the object store has ended"
            time.sleep(0.1)
    raise TimeoutError("the object store does not answer")
