"""Plain tiled GeoTIFF, without overviews."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hsi_xr.io.formats import _tiff
from hsi_xr.io.staging import StagingFile


def write_file(drafts: Sequence[StagingFile], path: Path, options: _tiff.Options) -> None:
    (draft,) = drafts
    _tiff.write_file(draft, path, options, overviews=None)


def __getattr__(name: str) -> Any:
    """All else is that of any GeoTIFF."""
    return getattr(_tiff, name)
