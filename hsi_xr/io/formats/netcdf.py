"""NetCDF-4 by the CF conventions, in compressed chunks."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hsi_xr.errors import UsageError
from hsi_xr.io.disk import check_room
from hsi_xr.io.formats import _cf
from hsi_xr.io.staging import StagingFile
from hsi_xr.io.variables import StoredVariable

SUFFIXES = (".nc", ".nc4")
DRIVER = "netCDF"
MULTI_VARIABLE = True
_KNOWN = "Known are CHUNK (pixels, 256 by default) and ZLEVEL (0 to 9, 4)"
_AT_ONCE = _cf.Shape(32, 1024, 1024)


def creation_options(image: StoredVariable, given: Mapping[str, Any]) -> dict[str, str]:
    _cf.need("h5netcdf", "netcdf")
    _cf.check_name(image)
    options = {"ZLEVEL": "4"} | _cf.one_side(given, "CHUNK", 256, known=_KNOWN)
    if options.keys() != {"CHUNK", "ZLEVEL"} or options["ZLEVEL"] not in set("0123456789"):
        raise UsageError(
            f"creation options {', '.join(f'{key}={value}' for key, value in given.items())} are "
            f"none of NetCDF. {_KNOWN}"
        )
    return options


def write_file(drafts: Sequence[StagingFile], path: Path, options: Mapping[str, str]) -> None:
    chunks = [_cf.chunk_of(draft.image, int(options["CHUNK"])) for draft in drafts]
    blocks = [_cf.block_of(draft.image, chunk, _AT_ONCE) for draft, chunk in zip(drafts, chunks)]
    encoding = {}
    for draft, chunk in zip(drafts, chunks):
        laid_out = {
            "chunksizes": chunk.along(draft.image.array.dims),
            "zlib": options["ZLEVEL"] != "0",
            "complevel": int(options["ZLEVEL"]),
            "shuffle": True,
        }
        encoding[draft.image.name] = _cf.with_mapping(laid_out, draft.image)
    found = _cf.dataset(drafts, blocks, scale_type=np.float32)
    # a disk that is full when HDF5 closes a file leaves it in a state that ends the process later
    check_room(path, sum(_most_bytes(draft.image, chunk) for draft, chunk in zip(drafts, chunks)))
    try:
        writing = found.to_netcdf(
            path, engine="h5netcdf", format="NETCDF4", encoding=encoding, compute=False
        )
        writing.compute(scheduler="synchronous")
    except RuntimeError as error:  # of HDF5, which so tells of a full disk
        raise OSError(str(error)) from error


def _most_bytes(image: StoredVariable, chunk: _cf.Shape) -> int:
    """Of an image in whole chunks, where nothing can be compressed; with room for metadata."""
    sides = zip((image.count, *image.shape), (chunk.bands, chunk.rows, chunk.columns))
    numbers = math.prod(-(-length // side) * side for length, side in sides)
    return int(1.01 * numbers * np.dtype(image.storage.dtype).itemsize) + 2**20


def is_exact(options: Mapping[str, str]) -> bool:
    return True


def sidecars(path: Path) -> dict[str, Path]:
    return {}


def media_type(path: Path) -> str:
    return "application/netcdf"
