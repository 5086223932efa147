"""What can go wrong between a program and a disk."""

import os
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


def sync(path: Path) -> None:
    """Have the disk hold what has been written to a file, or which names a folder has."""
    if path.is_dir() and os.name != "posix":
        return  # only there can a folder be opened
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
