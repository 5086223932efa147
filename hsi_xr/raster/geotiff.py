"""GeoTIFFs of ours: created with all labels, filled by others, finished as a COG, checked."""

import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsi_xr.errors import DestinationUnwritable, UsageError
from hsi_xr.raster.blocks import Block
from hsi_xr.raster.image import Image
from hsi_xr.raster.source import open_raster
from hsi_xr.raster.tagging import label, release

TILE = 512
_CACHE = 64 * 2**20
"""Bytes that GDAL may keep; its own default is a share of the machine, whatever the scene."""
_CHECKERS = 8
"""Threads that read a finished file back; what each of them holds is one block."""
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
    side = "256" if columns == TILE else str(TILE)
    options = {
        "COMPRESS": wanted.get("COMPRESS", "ZSTD").upper(),
        "INTERLEAVE": "BAND",
        "BLOCKXSIZE": side,
        "BLOCKYSIZE": side,
        "NUM_THREADS": "ALL_CPUS",
        "BIGTIFF": "YES" if size > 3.5e9 else "IF_SAFER",
    }
    if options["COMPRESS"] == "ZSTD":
        options["ZSTD_LEVEL"] = "3"  # level 9 took 3 times as long for 2 % less of a real cube
    if options["COMPRESS"] in _PREDICTED:
        options["PREDICTOR"] = "3" if image.storage.dtype == "float32" else "2"
    return options | wanted


def _check_sides(wanted: Options) -> None:
    for key in {"BLOCKXSIZE", "BLOCKYSIZE"} & wanted.keys():
        if not wanted[key].isdecimal() or int(wanted[key]) < 16 or int(wanted[key]) % 16:
            raise UsageError(f"{key} is a multiple of 16; got {wanted[key]!r}")


def create(path: Path, image: Image, options: Options) -> None:
    """An empty file with everything but pixels, quick to fill: neither compressed nor zeroed."""
    place = {"crs": image.crs, "transform": image.transform}
    with open_raster(
        str(path),
        "w",
        driver="GTiff",
        dtype=image.storage.dtype,
        nodata=image.storage.nodata,
        count=image.count,
        height=image.shape[0],
        width=image.shape[1],
        tiled=True,
        blockxsize=int(options["BLOCKXSIZE"]),
        blockysize=int(options["BLOCKYSIZE"]),
        interleave="band",
        photometric="minisblack",
        BIGTIFF="YES",
        SPARSE_OK="TRUE",
        **{key: value for key, value in place.items() if value is not None},
    ) as file:
        label(file, image)


def put(file: Any, block: Block, numbers: NDArray[Any]) -> None:
    """Write one block, (bands, rows, columns) or (rows, columns), to an open file."""
    bands = numbers if numbers.ndim == 3 else numbers[None]
    file.write(bands, window=_window(block))


def checksum(numbers: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(numbers).data)


def readable(path: Path, blocks: Iterable[Block], sums: Iterable[int]) -> Iterator[bool]:
    """For each block whether the file gives back the very numbers that were put there."""
    with open_raster(str(path)) as file:
        for block, expected in zip(blocks, sums):
            yield checksum(file.read(window=_window(block))) == expected


def stored(path: Path, block: Block) -> NDArray[Any]:
    """The numbers of one block, (bands, rows, columns)."""
    with open_raster(str(path)) as file:
        numbers: NDArray[Any] = file.read(window=_window(block))
    return numbers


def finish(part: Path, whole: Path, image: Image, *, cog: bool, options: Options) -> None:
    """Lay a filled file out anew: compressed, and for a COG its overviews first.

    The COG driver writes one band after the other only from GDAL 3.11 on, so the GTiff driver
    does; what it writes is valid as well. The filled file itself stays as it is.

    Raises:
        OSError: GDAL could not write, and has noticed.
    """
    import rasterio
    import rasterio.shutil
    from rasterio._err import CPLE_BaseError  # what `copy` raises has no public name
    from rasterio.enums import Resampling

    for leftover in (whole, part.with_name(part.name + ".ovr")):
        leftover.unlink(missing_ok=True)  # of a run that died here
    levels = _levels(image.shape) if cog else []
    environment = {
        "GDAL_NUM_THREADS": options["NUM_THREADS"],
        "GDAL_TIFF_OVR_BLOCKSIZE": options["BLOCKXSIZE"],
        "INTERLEAVE_OVERVIEW": options["INTERLEAVE"],
        "BIGTIFF_OVERVIEW": "IF_SAFER",
        "TIFF_USE_OVR": "YES",  # into a file beside it: a crash must not hurt what is filled
    }
    more = {"COPY_SRC_OVERVIEWS": "YES"} if cog else {}
    layout = {"TILED": "YES", "COPY_SRC_MDD": "YES", **more, **options}
    try:
        with rasterio.Env(**environment):
            if levels:
                with open_raster(str(part), "r+") as file:
                    file.build_overviews(levels, Resampling.average)
            rasterio.shutil.copy(str(part), str(whole), driver="GTiff", **layout)
    except CPLE_BaseError as error:
        raise OSError(str(error)) from error
    release(whole)


def check(whole: Path, blocks: Sequence[Block], sums: Sequence[int], options: Options) -> None:
    """Read a finished file back: GDAL does not tell when a disk fills up while it compresses.

    Raises:
        DestinationUnwritable: It does not hold the numbers that were put there.
    """
    from rasterio.errors import RasterioIOError

    lossless = options["COMPRESS"] in _LOSSLESS and not {"MAX_Z_ERROR", "DISCARD_LSB"} & {*options}
    lanes = min(_CHECKERS, os.cpu_count() or 1)
    try:
        with ThreadPoolExecutor(lanes) as pool:
            shares = [(blocks[lane::lanes], sums[lane::lanes]) for lane in range(lanes)]
            checked = pool.map(lambda share: list(readable(whole, *share)), shares)
            intact = all(same or not lossless for lane in checked for same in lane)
    except RasterioIOError:
        intact = False
    if not intact:
        raise DestinationUnwritable(
            f"{str(whole)!r} does not hold what was written to it; is the disk full?"
        )


@contextmanager
def bounded_cache() -> Iterator[None]:
    """Keep GDAL's cache small, so that memory does not grow with the scene, unless it is set."""
    import rasterio
    from rasterio.env import getenv, hasenv

    name = "GDAL_CACHEMAX"
    is_set = name in os.environ or (hasenv() and name in getenv())
    with rasterio.Env(**({} if is_set else {name: _CACHE})):
        yield


def _levels(shape: tuple[int, int]) -> list[int]:
    """Halve until the whole fits into one tile; of one column, readers see no halves."""
    if max(shape) <= TILE or shape[1] == 1:
        return []
    levels = [2]
    while max(shape) > TILE * levels[-1]:
        levels.append(2 * levels[-1])
    return levels


def _window(block: Block) -> Any:
    from rasterio.windows import Window

    rows, columns = block.shape
    return Window(block.columns.start, block.rows.start, columns, rows)
