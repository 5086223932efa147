"""Files into an object store: each whole or not at all, tried again where the network fails.

An object appears when all of it is there, also where it goes in parts. So what is left to do is the
order: of several objects that belong together, the one that makes them a product comes last.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from hsi_xr.errors import DestinationUnwritable
from hsi_xr.raster.disk import sync, writing
from hsi_xr.raster.remote import failures, is_remote, reaching

Objects = Sequence[tuple[Path, Path]]
"""Files here, and the objects that they become."""

_WAITS = (0.5, 2.0, 8.0)
"""Seconds before each further try."""
_AT_ONCE = 8
"""Objects that are on their way at the same time."""


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A file to write that then is at `path`, complete or not at all.

    Raises:
        DestinationUnwritable: The disk is full, the folder read-only, or the store refuses.
    """
    if is_remote(str(path)):
        with tempfile.TemporaryDirectory(prefix="hsi-xr-") as folder:
            part = Path(folder) / path.name
            yield part
            with reaching(path, "write"):
                upload(part, path)
        return
    part = path.with_name(f"{path.name}.part")
    try:
        with writing(path):
            yield part
            sync(part)
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def staging(url: str, tmp: Path | None) -> Path:
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
    store, probe = _store(folder / name)
    with reaching(folder, "write into"):
        try:
            store.pipe_file(probe, b"")
            store.rm_file(probe)
        except NotImplementedError as error:
            raise DestinationUnwritable(
                f"{str(folder)!r} can only be read; write to object storage, e.g. s3://bucket/key"
            ) from error


def place(objects: Objects, aside: Path, *, root: Path | None, replacing: bool) -> None:
    """Send what belongs together; before the last object is there, nothing is.

    What is replaced stays until all of the new is in the store: it goes to other names first, and
    is copied there. After a failure no new object is left, unless the store cannot be reached.

    Args:
        objects: The one that makes the rest a product last.
        aside: Folder of passing names.
        root: Folder of which the objects are the whole content; what else is in it is removed.
        replacing: Whether something of it is there already.

    Raises:
        OSError: The store has refused or did not answer, several times; or as `failures` has it.
    """
    if not replacing or len(objects) == 1:
        _clear(root)
        try:
            _in_order(upload, objects)
        except BaseException:
            if not replacing:
                _remove(there for _, there in objects)
            raise
        return
    passing = [(file, aside / str(at)) for at, (file, _) in enumerate(objects)]
    try:
        _in_order(upload, passing)
        _clear(root, objects[-1][1])
        _in_order(_copy, [(here, there) for (_, here), (_, there) in zip(passing, objects)])
    finally:
        _remove(here for _, here in passing)


def upload(file: Path, there: Path) -> None:
    """One object, tried again; it has as many bytes as the file.

    Raises:
        OSError: As `place` does.
    """
    store, key = _store(there)

    def send() -> None:
        store.put_file(str(file), key)
        found, size = store.info(key)["size"], file.stat().st_size
        if found != size:
            raise OSError(f"{found} bytes have arrived of {size}")

    _tried(send)


def _copy(here: Path, there: Path) -> None:
    store, key = _store(here)
    _tried(partial(store.cp_file, key, _store(there)[1]))


def _in_order(send: Callable[[Path, Path], None], objects: Objects) -> None:
    """All at once but the last, which waits for them."""
    *others, last = objects
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="hsi-xr-upload") as pool:
        try:
            for done in [pool.submit(send, *each) for each in others]:
                done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    send(*last)


def _clear(root: Path | None, first: Path | None = None) -> None:
    """Empty a folder, beginning with what makes it a product."""
    if root is None or not root.exists():
        return
    store, key = _store(root)
    if first is not None:
        _tried(partial(first.unlink, missing_ok=True))
    _tried(partial(store.rm, key, recursive=True))


def _remove(objects: Iterator[Path]) -> None:
    with suppress(*failures()):  # whoever calls has worse to tell
        for each in objects:
            each.unlink(missing_ok=True)


def _tried(work: Callable[[], Any]) -> None:
    for wait in _WAITS:
        try:
            work()
        except (FileNotFoundError, PermissionError):
            raise  # the answer would be the same
        except failures():
            time.sleep(wait)
        else:
            return
    work()


def _store(there: Path) -> tuple[Any, str]:
    """The file system of an object, and what that calls it."""
    found: Any = there
    return found.fs, found.path
