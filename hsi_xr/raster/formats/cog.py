"""Cloud-optimised GeoTIFF: with overviews, laid out to be read by parts over a network."""

from collections.abc import Sequence
from pathlib import Path

from hsi_xr.raster.draft import Draft
from hsi_xr.raster.formats import _tiff
from hsi_xr.raster.formats._tiff import (
    SUFFIXES,
    Options,
    beside,
    creation_options,
    is_exact,
    media_type,
)

__all__ = [
    "DRIVER",
    "SUFFIXES",
    "TOGETHER",
    "beside",
    "creation_options",
    "is_exact",
    "lay",
    "media_type",
]

DRIVER = "GTiff"
TOGETHER = False


def lay(drafts: Sequence[Draft], path: Path, options: Options) -> None:
    (draft,) = drafts
    _tiff.lay(draft, path, options, overviews=_tiff.levels(draft.image.shape))
