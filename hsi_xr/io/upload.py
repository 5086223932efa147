"""Files into an object store: each whole or not at all, tried again where the network fails.

An object appears when all of it is there, also where it goes in parts.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hsi_xr.errors import DestinationUnwritable
from hsi_xr.io import atomic
from hsi_xr.io.disk import writing
from hsi_xr.io.remote import is_remote, store_access, store_errors

_WAITS = (0.5, 2.0, 8.0)
"""Seconds before each further try."""


@contextmanager
def stage_file(path: Path) -> Iterator[Path]:
    """A file to write that then is at `path`, complete or not at all.

    Raises:
        DestinationUnwritable: The disk is full, the folder read-only, or the store refuses.
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
    """The folder here where a product collects before it is sent; of one object always the same.

    Raises:
        DestinationUnwritable: It cannot be made, or somebody else has made it.
    """
    user = os.getuid() if hasattr(os, "getuid") else 0
    digest = hashlib.sha256(f"{user} {url}".encode()).hexdigest()[:16]
    folder = (tmp or Path(tempfile.gettempdir())) / f"hsi-xr-{digest}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        owner = folder.stat().st_uid if user else 0
    except OSError as error:
        raise DestinationUnwritable(
            f"cannot make {str(folder)!r}, where the product is put together ({error.strerror}); "
            "choose another folder by tmp= (--tmp)"
        ) from error
    if owner != user:
        raise DestinationUnwritable(
            f"{str(folder)!r} belongs to somebody else; choose another folder by tmp= (--tmp)"
        )
    return folder


def check_writable(folder: Path, name: str) -> None:
    """Find out now whether objects can be made and removed, by one without content.

    Raises:
        DestinationUnwritable: They cannot.
    """
    store, probe = store_of(folder / name)
    with store_access(folder, "write into"):
        try:
            store.pipe_file(probe, b"")
            store.rm_file(probe)
        except NotImplementedError as error:
            raise DestinationUnwritable(
                f"{str(folder)!r} can only be read; write to object storage, e.g. s3://bucket/key"
            ) from error


def upload(file: Path, there: Path) -> None:
    """One object, tried again; it has as many bytes as the file.

    Raises:
        OSError: As `tried` does.
    """
    store, key = store_of(there)

    def send() -> None:
        store.put_file(str(file), key)
        found, size = store.info(key)["size"], file.stat().st_size
        if found != size:
            raise OSError(f"{found} bytes have arrived of {size}")

    tried(send)


def tried(work: Callable[[], Any]) -> None:
    """Do it, and again after a while if the network fails.

    Raises:
        OSError: It fails every time, or the store has refused; or as `store_errors` has it.
    """
    for wait in _WAITS:
        try:
            work()
        except (FileNotFoundError, PermissionError):
            raise  # the answer would be the same
        except store_errors():
            time.sleep(wait)
        else:
            return
    work()


def store_of(there: Path) -> tuple[Any, str]:
    """The file system of an object, and what that calls it."""
    found: Any = there
    return found.fs, found.path
