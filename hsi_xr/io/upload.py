"""Upload single files to object storage, each completely or not at all.

An object appears only when all of it has arrived, even if it is sent in parts. Network failures
are retried.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from hsi_xr.errors import DestinationUnwritable
from hsi_xr.io import atomic
from hsi_xr.io.disk import writing
from hsi_xr.io.remote import is_remote, store_access, store_errors

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem
    from upath import UPath

_RETRY_DELAYS = (0.5, 2.0, 8.0)
"""Seconds to wait before each retry."""


@contextmanager
def stage_file(path: Path) -> Iterator[Path]:
    """Yield a local path to write to; it becomes the file or object `path` if the block succeeds.

    Raises:
        DestinationUnwritable: It could not be written or uploaded.
    """
    if is_remote(str(path)):
        with tempfile.TemporaryDirectory(prefix="hsi-xr-") as folder:
            part = Path(folder) / path.name
            yield part
            with store_access(path, "write"):
                upload(part, path)
        return
    with writing(path), atomic.replacing(path) as part:
        yield part


def staging_folder(url: str, tmp: Path | None) -> Path:
    """Create the local folder where a product is written before it is uploaded.

    It is always the same for one URL and one user, so that a run can be resumed.

    Args:
        url: Destination of the product.
        tmp: Folder to create it in; by default the system's for temporary files.

    Raises:
        DestinationUnwritable: It could not be created, or belongs to another user.
    """
    user = os.getuid() if hasattr(os, "getuid") else 0
    digest = hashlib.sha256(f"{user} {url}".encode()).hexdigest()[:16]
    folder = (tmp or Path(tempfile.gettempdir())) / f"hsi-xr-{digest}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        owner = folder.stat().st_uid if user else 0
    except OSError as error:
        raise DestinationUnwritable(
            f"cannot create the staging folder {str(folder)!r} ({error.strerror}); "
            "choose another folder with tmp= (--tmp)"
        ) from error
    if owner != user:
        raise DestinationUnwritable(
            f"the staging folder {str(folder)!r} belongs to another user; choose another folder "
            "with tmp= (--tmp)"
        )
    return folder


def check_writable(folder: Path, name: str) -> None:
    """Check that objects can be written and deleted, by doing so with an empty one.

    Args:
        folder: Folder of the object store.
        name: Name of the empty object.

    Raises:
        DestinationUnwritable: Objects cannot be written or deleted.
    """
    store, key = store_and_key(folder / name)
    with store_access(folder, "write into"):
        try:
            store.pipe_file(key, b"")
            store.rm_file(key)
        except NotImplementedError as error:
            raise DestinationUnwritable(
                f"{str(folder)!r} is read-only; write to object storage, e.g. s3://bucket/key"
            ) from error


def upload(file: Path, destination: Path) -> None:
    """Upload a file, and check the number of bytes that have arrived.

    Raises:
        OSError: See `retry`.
    """
    store, key = store_and_key(destination)

    def send() -> None:
        store.put_file(str(file), key)
        arrived, size = store.info(key)["size"], file.stat().st_size
        if arrived != size:
            raise OSError(f"{arrived} of {size} bytes have arrived")

    retry(send)


def retry(action: Callable[[], object]) -> None:
    """Perform an action; repeat it with delays if the network fails.

    Raises:
        OSError: It failed every time, or the store refused it. Stores also raise the other errors
            of `store_errors`.
    """
    for delay in _RETRY_DELAYS:
        try:
            action()
        except (FileNotFoundError, PermissionError):
            raise  # a retry would have the same result
        except store_errors():
            time.sleep(delay)
        else:
            return
    action()


def store_and_key(path: Path) -> "tuple[AbstractFileSystem, str]":
    """Returns the file system of an object, and the object's name in it."""
    found = cast("UPath", path)
    return found.fs, found.path
