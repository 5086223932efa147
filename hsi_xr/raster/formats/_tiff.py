"""GeoTIFFs, laid out from a draft: compressed, tiled, with overviews first or without any."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hsi_xr.errors import UsageError
from hsi_xr.raster.cog import is_cog
from hsi_xr.raster.directories import release
from hsi_xr.raster.draft import TILE, Draft, block_of
from hsi_xr.raster.image import Image
from hsi_xr.raster.source import open_raster

SUFFIXES = (".tif", ".tiff")
MEDIA_TYPE = "image/tiff; application=geotiff"
_COG = f"{MEDIA_TYPE}; profile=cloud-optimized"
_FIXED = {"COPY_SRC_MDD", "COPY_SRC_OVERVIEWS", "NBITS", "PHOTOMETRIC", "SPARSE_OK", "TILED"}
_LOSSLESS = {"NONE", "ZSTD", "DEFLATE", "LZW", "PACKBITS", "LZMA", "LERC", "LERC_ZSTD"}
_PREDICTED = {"ZSTD", "DEFLATE", "LZW"}

Options = Mapping[str, str]


def creation_options(image: Image, given: Mapping[str, Any]) -> dict[str, str]:
    """How the finished file is laid out, with what the user wants otherwise.

    Raises:
        UsageError: An option is one that the promises of `write` rest on.
    """
    wanted = {key.upper(): str(value) for key, value in given.items()}
    if fixed := _FIXED & wanted.keys():
        raise UsageError(
            f"creation option {', '.join(sorted(fixed))} is not free; leave it away. Free are "
            "e.g. COMPRESS, ZSTD_LEVEL, PREDICTOR, BLOCKXSIZE with BLOCKYSIZE, BIGTIFF"
        )
    bands, (rows, columns) = image.count, image.shape
    size = bands * rows * columns * np.dtype(image.storage.dtype).itemsize
    _check_sides(wanted)
    # a tile as wide as the image looks like a strip to validators
    block = (256, 256) if columns == TILE else block_of(image.shape)
    options = {
        "COMPRESS": wanted.get("COMPRESS", "ZSTD").upper(),
        "INTERLEAVE": "BAND",
        "BLOCKXSIZE": str(block[1]),
        "BLOCKYSIZE": str(block[0]),
        "NUM_THREADS": "ALL_CPUS",
        "BIGTIFF": "YES" if size > 3.5e9 else "IF_SAFER",
    }
    if options["COMPRESS"] == "ZSTD":
        options["ZSTD_LEVEL"] = "3"  # level 9 took 3 times as long for 2 % less of a real cube
    if options["COMPRESS"] in _PREDICTED:
        options["PREDICTOR"] = "3" if image.storage.dtype == "float32" else "2"
    return options | wanted


def is_exact(options: Options) -> bool:
    return options["COMPRESS"] in _LOSSLESS and not {"MAX_Z_ERROR", "DISCARD_LSB"} & {*options}


def media_type(path: Path) -> str:
    return _COG if is_cog(path) else MEDIA_TYPE


def beside(path: Path) -> dict[str, Path]:
    return {}


def levels(shape: tuple[int, int]) -> list[int]:
    """Halve until the whole fits into one tile; of one column, readers see no halves."""
    if max(shape) <= TILE or shape[1] == 1:
        return []
    halves = [2]
    while max(shape) > TILE * halves[-1]:
        halves.append(2 * halves[-1])
    return halves


def lay(draft: Draft, path: Path, options: Options, overviews: list[int] | None) -> None:
    """Write a draft anew: compressed, and with overviews (a list that may be empty) first.

    The COG driver writes one band after the other only from GDAL 3.11 on, so the GTiff driver
    does; what it writes is valid as well. The draft itself stays as it is.

    Raises:
        OSError: GDAL could not write, and has noticed.
    """
    import rasterio
    import rasterio.shutil
    from rasterio._err import CPLE_BaseError  # what `copy` raises has no public name
    from rasterio.enums import Resampling

    draft.path.with_name(draft.path.name + ".ovr").unlink(missing_ok=True)  # of a run that died
    environment = {
        "GDAL_NUM_THREADS": options["NUM_THREADS"],
        "GDAL_TIFF_OVR_BLOCKSIZE": options["BLOCKXSIZE"],
        "INTERLEAVE_OVERVIEW": options["INTERLEAVE"],
        "BIGTIFF_OVERVIEW": "IF_SAFER",
        "TIFF_USE_OVR": "YES",  # into a file beside it: a crash must not hurt what is filled
    }
    more = {} if overviews is None else {"COPY_SRC_OVERVIEWS": "YES"}
    layout = {"TILED": "YES", "COPY_SRC_MDD": "YES", **more, **options}
    try:
        with rasterio.Env(**environment):
            if overviews:
                with open_raster(str(draft.path), "r+") as file:
                    file.build_overviews(overviews, Resampling.average)
            rasterio.shutil.copy(str(draft.path), str(path), driver="GTiff", **layout)
    except CPLE_BaseError as error:
        raise OSError(str(error)) from error
    release(path)


def _check_sides(wanted: Options) -> None:
    for key in {"BLOCKXSIZE", "BLOCKYSIZE"} & wanted.keys():
        if not wanted[key].isdecimal() or int(wanted[key]) < 16 or int(wanted[key]) % 16:
            raise UsageError(f"{key} is a multiple of 16; got {wanted[key]!r}")
