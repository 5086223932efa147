"""Local files and folders: readable errors, an exclusive lock, free space, flushing."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hsi_xr.errors import DestinationUnwritable, UsageError

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into an error that names the file.

    Raises:
        DestinationUnwritable: In place of an OSError; the errors of rasterio are OSErrors, too.
    """
    try:
        yield
    except DestinationUnwritable:
        raise
    except OSError as error:
        raise DestinationUnwritable(
            f"cannot write {str(path)!r}: {error_message(error)}"
        ) from error


def error_message(error: OSError) -> str:
    """Returns the message of an error, with advice if the disk or a quota is full."""
    cause = error.__cause__ or error  # rasterio raises its errors from those of GDAL
    text = error.strerror or str(cause)
    if error.errno in _DISK_FULL:
        return f"{text}; free some space, or choose another folder"
    return text


@contextmanager
def lock_folder(folder: Path, refusal: str) -> Iterator[None]:
    """Create a folder if needed and hold an exclusive lock on it.

    The lock is on the folder itself, so that it leaves no file behind, and its holder may remove
    the folder. It is released if the process dies. On Windows, and on file systems without locks,
    nothing is locked.

    Raises:
        UsageError: Another process holds the lock; the message is `refusal`.
    """
    try:
        import fcntl
    except ImportError:  # on Windows
        folder.mkdir(exist_ok=True)
        yield
        return
    while True:
        folder.mkdir(exist_ok=True)
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # the previous holder has just removed it
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise UsageError(refusal) from error
        except OSError:
            pass  # the file system has no locks
        if folder.exists() and os.path.samestat(os.fstat(descriptor), folder.stat()):
            break
        os.close(descriptor)
    try:
        yield
    finally:
        os.close(descriptor)


def empty_folder(folder: Path) -> None:
    """Remove everything in a folder."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def check_free_space(path: Path, size: int) -> None:
    """Check that a file of `size` bytes can be written, by briefly reserving the space.

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
    """Flush a file, or the names in a folder, to the disk."""
    if path.is_dir() and os.name != "posix":
        return  # other systems cannot open a folder
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
