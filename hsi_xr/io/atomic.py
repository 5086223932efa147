"""Write a file or a folder so that its name always refers to a complete one.

Writers fill a temporary file next to the destination and then rename it in one step. After a
failure, or a crash of the machine, the destination is unchanged, or still does not exist.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hsi_xr.io.disk import sync


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; it replaces `path` when the block ends without an error.

    The temporary file is called `<name>.part`, and is removed if the block fails.

    Raises:
        OSError: The file could not be flushed to the disk or renamed.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        sync(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    _sync_folder(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file completely or not at all."""
    with replacing(path) as part:
        part.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file completely or not at all."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; it replaces `folder` when the block ends without an error.

    A folder cannot be replaced in one step, so the old one is moved away first, and moved back if
    the new one cannot be renamed.

    Raises:
        OSError: The folder could not be renamed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        new, old = Path(temporary) / "new", Path(temporary) / "old"
        new.mkdir()
        yield new
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Flush the new name to the disk, on file systems that can flush a folder."""
    with suppress(OSError):
        sync(folder)
