"""The destination of a conversion: a local folder, or object storage with a staging folder."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hsi_xr.batch.bucket import Bucket
from hsi_xr.batch.names import MANIFEST
from hsi_xr.errors import DestinationExists, DestinationUnwritable, InvalidData, UsageError
from hsi_xr.io.disk import lock_folder
from hsi_xr.io.remote import file_of, is_remote
from hsi_xr.io.upload import staging_folder

_REFUSALS = (DestinationExists, DestinationUnwritable, InvalidData, UsageError)


@contextmanager
def open_destination(
    folder: str | os.PathLike[str], tmp: str | os.PathLike[str] | None
) -> Iterator[tuple[Path, Bucket | None]]:
    """Yield the local folder of products, and the bucket that they are uploaded to, if any.

    Raises:
        DestinationUnwritable: The folder cannot be created, or the bucket cannot be written to.
        UsageError: Another conversion uses the folder, or `tmp` is given for a local folder.
    """
    destination = file_of(folder)
    if is_remote(str(destination)):
        with _open_bucket(destination, None if tmp is None else Path(tmp)) as bucket:
            yield bucket.staging, bucket
        return
    if tmp is not None:
        raise UsageError(
            f"tmp= (--tmp) is for object storage, and {str(destination)!r} is a local folder; "
            "omit it"
        )
    _create(destination)
    with lock_folder(destination, _in_use(destination)):
        yield destination, None


@contextmanager
def _open_bucket(folder: Path, tmp: Path | None) -> Iterator[Bucket]:
    """Yield the bucket; its staging folder is removed at the end, but not after an interruption."""
    staging = staging_folder(str(folder).rstrip("/"), tmp)
    with lock_folder(staging, _in_use(folder)):
        bucket, manifest = Bucket(folder, staging), staging / MANIFEST
        is_resumed = manifest.exists()  # a run was killed before it could upload it
        downloaded = b""
        try:
            bucket.check_writable()
            bucket.download(MANIFEST)
            downloaded = _content(manifest)
            yield bucket
        except _REFUSALS:
            if not is_resumed and not _has_new_entries(manifest, downloaded):
                manifest.unlink(missing_ok=True)
            with suppress(OSError):  # a folder that is not empty can be resumed from
                staging.rmdir()
            raise
        shutil.rmtree(staging)


def _content(manifest: Path) -> bytes:
    return manifest.read_bytes() if manifest.exists() else b""


def _has_new_entries(manifest: Path, downloaded: bytes) -> bool:
    """True if the staged manifest has entries that the one in the bucket lacks."""
    content = _content(manifest)
    return content != downloaded and content.count(b"\n") > 1  # the first line is not an entry


def _create(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DestinationUnwritable(
            f"cannot create the folder {str(folder)!r} ({error.strerror}); choose another one"
        ) from error


def _in_use(folder: Path) -> str:
    return (
        f"another conversion into {str(folder)!r} is running; wait for it, or choose another folder"
    )
