"""What can go wrong between a program and a disk."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hsi_xr.errors import DestinationUnwritable, UsageError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What fails here tells which file could not be written.

    Raises:
        DestinationUnwritable: The disk, or GDAL, has refused.
    """
    try:
        yield
    except DestinationUnwritable:
        raise
    except OSError as error:  # those of rasterio too
        reason = error.__cause__ or error
        raise DestinationUnwritable(
            f"cannot write {str(path)!r} ({reason}); is the disk full?"
        ) from error


@contextmanager
def lock_folder(folder: Path, refusal: str) -> Iterator[None]:
    """Make a folder, unless it is there, that nobody else works in meanwhile.

    Whoever is killed lets go of it.

    Raises:
        UsageError: Somebody does; with `refusal`.
    """
    try:
        import fcntl
    except ImportError:  # not on Windows
        folder.mkdir(exist_ok=True)
        yield
        return
    while True:
        folder.mkdir(exist_ok=True)
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # who had it has just removed it
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise UsageError(refusal) from error
        except OSError:
            pass  # a file system without locks
        if folder.exists() and os.path.samestat(os.fstat(descriptor), folder.stat()):
            break
        os.close(descriptor)
    try:
        yield
    finally:
        os.close(descriptor)


def empty(folder: Path) -> None:
    for each in folder.iterdir():
        if each.is_dir():
            shutil.rmtree(each)
        else:
            each.unlink()


def check_room(path: Path, size: int) -> None:
    """Find out whether a file of so many bytes can be written, by reserving them for a moment.

    Raises:
        OSError: The disk, a quota or a limit of the process does not allow it.
    """
    if not hasattr(os, "posix_fallocate"):
        if shutil.disk_usage(path.parent).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return
    try:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    finally:
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Have the disk hold what has been written to a file, or which names a folder has."""
    if path.is_dir() and os.name != "posix":
        return  # only there can a folder be opened
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
