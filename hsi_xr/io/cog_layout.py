"""Check whether a GeoTIFF has the layout of a cloud-optimised GeoTIFF (COG)."""

from pathlib import Path
from typing import TYPE_CHECKING

from hsi_xr.io.raster_dataset import rasterio_open

if TYPE_CHECKING:
    from rasterio import DatasetReader

_SMALL = 512
"""Pixels per side up to which a file needs neither tiles nor overviews."""


def is_cog(path: Path) -> bool:
    """True if all directories come first, and the pixels follow with the smallest overview first.

    This checks the structure of the file instead of the tag `LAYOUT=COG`, because only GDAL's COG
    driver writes that tag, and it cannot write band-interleaved files before GDAL 3.11.

    Source: the requirements of the OGC Cloud Optimized GeoTIFF standard (21-026), section 7.
    """
    with rasterio_open(str(path)) as src:
        if src.driver != "GTiff" or any(name.endswith(".ovr") for name in src.files):
            return False
        overviews = src.overviews(1)
        if max(src.shape) > _SMALL and not (overviews and _is_tiled(src)):
            return False
        levels = [None, *range(len(overviews))]
        directories = [_offset(src, "IFD_OFFSET", level) for level in levels]
        pixels = [_offset(src, "BLOCK_OFFSET_0_0", level) for level in levels]
    pixels = [offset for offset in pixels if offset]  # a block of nodata has no offset
    return (
        directories == sorted(directories)
        and pixels == sorted(pixels, reverse=True)
        and all(offset > directories[-1] for offset in pixels)
    )


def _is_tiled(src: "DatasetReader") -> bool:
    rows, columns = src.block_shapes[0]
    return bool(columns != src.width or rows % 16 == columns % 16 == 0)  # tile sides in TIFF


def _offset(src: "DatasetReader", item: str, level: int | None) -> int:
    return int(src.get_tag_item(item, "TIFF", bidx=1, ovr=level) or 0)
