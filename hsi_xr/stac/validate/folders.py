"""What lies in a folder, and in those in it."""

from collections.abc import Iterator
from pathlib import Path

from hsi_xr.io.stores import driver_of


def files_in(folder: Path) -> Iterator[Path]:
    """Files, and stores, which are folders themselves; links to other folders are not followed."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink() and path.is_dir():
            continue
        if path.is_dir() and driver_of(str(path)) is None:
            yield from files_in(path)
        else:
            yield path
