"""Cloud-optimised GeoTIFF: with overviews, laid out to be read by parts over a network."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hsi_xr.io.formats import _tiff
from hsi_xr.io.staging import StagingFile


def write_file(drafts: Sequence[StagingFile], path: Path, options: _tiff.Options) -> None:
    (draft,) = drafts
    _tiff.write_file(draft, path, options, overviews=_tiff.levels(draft.image.shape))


def __getattr__(name: str) -> Any:
    """All else is that of any GeoTIFF."""
    return getattr(_tiff, name)
