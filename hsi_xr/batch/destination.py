"""Where a conversion goes: a folder here, or one of an object store and one here before it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hsi_xr.batch.bucket import Bucket
from hsi_xr.batch.manifest import NAME
from hsi_xr.errors import DestinationExists, DestinationUnwritable, InvalidData, UsageError
from hsi_xr.io.disk import lock_folder
from hsi_xr.io.remote import file_of, is_remote
from hsi_xr.io.upload import staging_folder


@contextmanager
def destination(
    folder: str | os.PathLike[str], tmp: str | os.PathLike[str] | None
) -> Iterator[tuple[Path, Bucket | None]]:
    """The folder where products are made, and the bucket that they are sent to.

    What was put together for a bucket is removed in the end; after an interruption it stays, to be
    gone on with.

    Raises:
        DestinationUnwritable: The folder cannot be made, or the bucket not be written to.
        UsageError: Another conversion goes there, or `tmp` was given for a folder here.
    """
    there = file_of(folder)
    if not is_remote(str(there)):
        if tmp is not None:
            raise UsageError("tmp (--tmp) is for object storage; products are made in DST_DIR here")
        _make(there)
        with lock_folder(there, _busy(there)):
            yield there, None
        return
    here = staging_folder(str(there).rstrip("/"), None if tmp is None else Path(tmp))
    with lock_folder(here, _busy(there)):
        bucket = Bucket(there, here)
        told = None if (here / NAME).exists() else b""  # None: of a run that was killed
        try:
            bucket.check()
            bucket.fetch(NAME)
            told = _content(here / NAME) if told is not None else None
            yield here, bucket
        except (DestinationExists, DestinationUnwritable, InvalidData, UsageError):
            if told is not None and not _has_noted(here / NAME, told):
                (here / NAME).unlink(missing_ok=True)
            with suppress(OSError):  # what can be gone on with is in it
                here.rmdir()
            raise
        shutil.rmtree(here)


def _content(manifest: Path) -> bytes:
    return manifest.read_bytes() if manifest.exists() else b""


def _has_noted(manifest: Path, told: bytes) -> bool:
    """Whether it tells of pictures what the bucket's does not; its first line is of none."""
    now = _content(manifest)
    return now != told and now.count(b"\n") > 1


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DestinationUnwritable(
            f"cannot make the folder {str(folder)!r} ({error.strerror}); choose another"
        ) from error


def _busy(folder: Path) -> str:
    return (
        f"another conversion into {str(folder)!r} is running; wait for it, or choose another folder"
    )
