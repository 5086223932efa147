"""Checks of a raster that has just been opened, from its header alone."""

from typing import TYPE_CHECKING, cast

from hsi_xr.errors import InvalidData, UnreadableFile
from hsi_xr.io.raster_dataset import RasterDataset

if TYPE_CHECKING:
    from rasterio import DatasetReader


def check_pixels(raster: RasterDataset, path: str) -> None:
    """Raises an error if a raster has no pixels, or values that cannot be brightness.

    Raises:
        InvalidData: One of them is the case.
    """
    if not (raster.count and raster.height and raster.width):
        raise InvalidData(
            f"{path!r} has no pixels ({raster.count} bands of {raster.height} x {raster.width}); "
            "open one of its subdatasets"
            + "".join(f", e.g. {name!r}" for name in raster.subdatasets)
        )
    unusable = {dtype for dtype in raster.dtypes if "complex" in dtype or dtype == "bool"}
    if unusable:
        raise InvalidData(
            f"the values of {path!r} are {', '.join(sorted(unusable))}, which cannot be "
            "brightness; convert them first, e.g. `rio calc '(abs (read 1))'`"
        )


def check_length(raster: RasterDataset, path: str, size: int) -> None:
    """Raises an error if the end of a TIFF is missing, which GDAL does not notice on opening.

    Raises:
        UnreadableFile: It is missing.
    """
    if raster.driver != "GTiff" or not size:
        return
    tiff = cast("DatasetReader", raster)
    for band, (rows, columns) in zip(tiff.indexes, tiff.block_shapes):
        last = f"{(tiff.width - 1) // columns}_{(tiff.height - 1) // rows}"
        start, length = (
            int(tiff.get_tag_item(f"BLOCK_{item}_{last}", "TIFF", bidx=band) or 0)
            for item in ("OFFSET", "SIZE")
        )
        if start + length > size:
            raise UnreadableFile(
                f"{path!r} is truncated: it has {size} bytes, and band {band} ends at byte "
                f"{start + length}; get a fresh copy of the file"
            )
