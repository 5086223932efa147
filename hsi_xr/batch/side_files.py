"""Files next to images that are not images themselves: hidden, sidecar and unfinished ones."""

import logging
from collections.abc import Iterable
from pathlib import Path

from hsi_xr.io.stores import store_driver

_SIDE = (
    *(".ovr", ".msk", ".aux.xml", ".aux", ".rrd", ".prj"),
    *(".tfw", ".tifw", ".tiffw", ".j2w", ".jgw", ".pgw", ".wld"),
)
"""Suffixes of overviews, masks, statistics and world files, which GDAL reads with their image."""
_UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".download", "~")
"""Suffixes of what is being written: by this package (files and folders), browsers and editors."""
_LISTED = 3
"""Largest number of files that a message names."""

_log = logging.getLogger(__name__)


def without_side_files(files: Iterable[Path], source: str) -> tuple[list[Path], str]:
    """Leaves out what a folder or a pattern contains besides images.

    Args:
        files: Files of a folder, or matches of a pattern.
        source: The folder or the pattern.

    Returns:
        The other files, and a text that names the ones left out; "" if there are none.
    """
    given = Path(source).parts
    kept: list[Path] = []
    left_out: list[Path] = []
    for file in files:
        (left_out if _is_side_file(file, given) else kept).append(file)
    if not left_out:
        return kept, ""
    names = ", ".join(repr(file.name) for file in left_out[:_LISTED])
    more = ", ..." if len(left_out) > _LISTED else ""
    text = f"{len(left_out)} hidden, sidecar or unfinished files and folders: {names}{more}"
    _log.info("%r: left out %s", source, text)
    return kept, text


def _is_side_file(file: Path, given: tuple[str, ...]) -> bool:
    """True if a file is a hidden, sidecar or unfinished one, or in a folder that is being written.

    Folders whose names the user has `given` do not count.
    """
    name = file.name.lower()
    if name.startswith((".", "~$")) or name.endswith(_SIDE) or ".part." in name:
        return True
    if any(part.lower().endswith(_UNFINISHED) for part in file.parts if part not in given):
        return True
    return file.is_dir() and store_driver(str(file)) is None
