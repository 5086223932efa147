"""Whether a GeoTIFF is laid out as a cloud-optimised one."""

from pathlib import Path
from typing import Any

from hsi_xr.io.raster_dataset import rasterio_open

_SMALL = 512
"""Up to this side a file needs neither tiles nor overviews."""


def is_cog(path: Path) -> bool:
    """True if all directories come first, largest image first, and the pixels follow, largest last.

    Asked of the file's structure, since GDAL's own mark (`LAYOUT=COG`) is set by its COG driver
    only, which before GDAL 3.11 cannot write one band after the other.

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
    pixels = [at for at in pixels if at]  # a block without data has no offset
    return (
        directories == sorted(directories)
        and pixels == sorted(pixels, reverse=True)
        and all(at > directories[-1] for at in pixels)
    )


def _is_tiled(src: Any) -> bool:
    rows, columns = src.block_shapes[0]
    return bool(columns != src.width or rows % 16 == columns % 16 == 0)  # TIFF: tiles are 16 n


def _offset(src: Any, item: str, level: int | None) -> int:
    return int(src.get_tag_item(item, "TIFF", bidx=1, ovr=level) or 0)
