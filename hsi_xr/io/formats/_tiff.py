"""GeoTIFFs, laid out from a draft: compressed, tiled, with overviews first or without any."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hsi_xr.errors import UsageError
from hsi_xr.io.cog_layout import is_cog
from hsi_xr.io.raster_dataset import rasterio_open
from hsi_xr.io.staging import TILE, StagingFile, block_of
from hsi_xr.io.tiff_directories import release
from hsi_xr.io.variables import StoredVariable

SUFFIXES = (".tif", ".tiff")
MEDIA_TYPE = "image/tiff; application=geotiff"
_COG = f"{MEDIA_TYPE}; profile=cloud-optimized"
DRIVER = "GTiff"
MULTI_VARIABLE = False
_COMPANION_SUFFIX = range(16, 4097, 16)
_KNOWN: dict[str, Sequence[object]] = {
    "COMPRESS": ("ZSTD", "DEFLATE", "LZW", "PACKBITS", "LZMA", "LERC", "LERC_ZSTD", "NONE"),
    "ZSTD_LEVEL": range(1, 23),
    "ZLEVEL": range(1, 10),
    "LZMA_PRESET": range(10),
    "PREDICTOR": range(1, 4),
    "INTERLEAVE": ("BAND", "PIXEL"),
    "BLOCKXSIZE": _COMPANION_SUFFIX,
    "BLOCKYSIZE": _COMPANION_SUFFIX,
    "BIGTIFF": ("YES", "IF_SAFER"),
    "NUM_THREADS": ("ALL_CPUS", *range(1, 257)),
}
"""Options of GDAL's driver that leave pixels and labels whole, and their values; besides these,
MAX_Z_ERROR.

GDAL passes over options that it does not know, and finds out about wrong ones when the pixels have
been computed, or never: of a codec for 8 bits it writes empty tiles.
"""
_CODECS = {
    "ZSTD_LEVEL": ("ZSTD", "LERC_ZSTD"),
    "ZLEVEL": ("DEFLATE",),
    "LZMA_PRESET": ("LZMA",),
    "PREDICTOR": ("ZSTD", "DEFLATE", "LZW"),
    "MAX_Z_ERROR": ("LERC", "LERC_ZSTD"),
}
"""Those without which an option means nothing."""

Options = Mapping[str, str]


def creation_options(image: StoredVariable, given: Mapping[str, Any]) -> dict[str, str]:
    """How the finished file is laid out, with what the user wants otherwise.

    Raises:
        UsageError: An option is unknown, or has a value that it cannot have here.
    """
    wanted = {key.upper(): str(value).upper() for key, value in given.items()}
    _check(wanted, image.storage.dtype)
    bands, (rows, columns) = image.count, image.shape
    size = bands * rows * columns * np.dtype(image.storage.dtype).itemsize
    # a tile as wide as the image looks like a strip to validators
    block = (256, 256) if columns == TILE else block_of(image.shape)
    options = {
        "COMPRESS": wanted.get("COMPRESS", "ZSTD"),
        "INTERLEAVE": "BAND",
        "BLOCKXSIZE": str(block[1]),
        "BLOCKYSIZE": str(block[0]),
        "NUM_THREADS": "ALL_CPUS",
        "BIGTIFF": "YES" if size > 3.5e9 else "IF_SAFER",
    }
    if options["COMPRESS"] == "ZSTD":
        # higher levels save little of a real cube, and take far longer
        options["ZSTD_LEVEL"] = "1"
    if options["COMPRESS"] in _CODECS["PREDICTOR"]:
        options["PREDICTOR"] = "3" if image.storage.dtype == "float32" else "2"
    return options | wanted


def is_exact(options: Options) -> bool:
    return float(options.get("MAX_Z_ERROR", 0)) == 0


def media_type(path: Path) -> str:
    return _COG if is_cog(path) else MEDIA_TYPE


def sidecars(path: Path) -> dict[str, Path]:
    return {}


def levels(shape: tuple[int, int]) -> list[int]:
    """Halve until the whole fits into one tile; of one column, readers see no halves."""
    if max(shape) <= TILE or shape[1] == 1:
        return []
    halves = [2]
    while max(shape) > TILE * halves[-1]:
        halves.append(2 * halves[-1])
    return halves


def write_file(
    draft: StagingFile, path: Path, options: Options, overviews: list[int] | None
) -> None:
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
                with rasterio_open(str(draft.path), "r+") as file:
                    file.build_overviews(overviews, Resampling.average)
            rasterio.shutil.copy(str(draft.path), str(path), driver="GTiff", **layout)
    except CPLE_BaseError as error:
        raise OSError(str(error)) from error
    release(path)


def _check(wanted: Options, dtype: str) -> None:
    """Refuse what GDAL would pass over, or fail at in the end."""
    for key, value in wanted.items():
        if key not in {*_KNOWN, *_CODECS}:
            raise UsageError(
                f"creation option {key} is none of a GeoTIFF here; leave it away. Known are "
                f"{', '.join(dict.fromkeys([*_KNOWN, *_CODECS]))}"
            )
        known = [str(each) for each in _KNOWN.get(key, ())]
        if known and value not in known:
            shown = known if len(known) < 12 else [*known[:3], "...", known[-1]]
            raise UsageError(f"creation option {key} is one of {', '.join(shown)}; got {value!r}")
        codec = wanted.get("COMPRESS", "ZSTD")
        if codec not in _CODECS.get(key, (codec,)):
            raise UsageError(
                f"creation option {key} means nothing with COMPRESS={codec}; leave it away, or "
                f"choose COMPRESS={' or '.join(_CODECS[key])}"
            )
    if dtype != "float32" and wanted.get("PREDICTOR") == "3":
        raise UsageError(f"PREDICTOR=3 is of dtype='float32', and these numbers are {dtype}")
    if "MAX_Z_ERROR" in wanted:
        _check_error(wanted["MAX_Z_ERROR"], dtype)


def _check_error(told: str, dtype: str) -> None:
    try:
        fits = 0 <= float(told) < math.inf
    except ValueError:
        fits = False
    if not fits:
        raise UsageError(f"MAX_Z_ERROR is the greatest error of a number; got {told!r}")
    if dtype != "float32":  # it could move what means that there is no pixel
        raise UsageError(
            f"MAX_Z_ERROR is of dtype='float32', and these numbers are {dtype}; choose a larger "
            "scale (--scale) instead"
        )
