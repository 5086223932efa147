"""What can go wrong between a program and a disk."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hsi_xr.errors import DestinationUnwritable


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
