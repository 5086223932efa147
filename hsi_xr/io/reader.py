"""Reads windows of a file as float32 with NaN where invalid; safe to call from any thread."""

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from hsi_xr.errors import UnreadableFile
from hsi_xr.io.decoding import decode
from hsi_xr.io.raster_dataset import (
    RasterDataset,
    alpha_bands,
    file_version,
    open_raster_dataset,
)
from hsi_xr.io.raster_source import RasterSource
from hsi_xr.io.remote import gdal_environment, is_remote, without_query

if TYPE_CHECKING:
    from rasterio import DatasetReader
    from rasterio.windows import Window

_HANDLES = 4
"""Files that each thread keeps open: a scene, and a few that it is compared with."""


def read_window(source: RasterSource, rows: slice, columns: slice) -> NDArray[np.float32]:
    """Reads a window of a file, with the same values as `hsi_xr.open`.

    Args:
        source: The file and its bands; see `hsi_xr.io.raster_source.source_of`.
        rows: Rows of the file, half open, clipped to its height.
        columns: Columns of the file, half open, clipped to its width.

    Returns:
        (bands, rows, columns), scale and offset applied, NaN in every band where invalid.

    Raises:
        UnreadableFile: The file is damaged, or has changed since it was opened.
    """
    from rasterio.errors import RasterioIOError
    from rasterio.windows import Window

    raster = _handles.open(source)
    top, bottom, _ = rows.indices(raster.height)
    left, right, _ = columns.indices(raster.width)
    window = Window(left, top, right - left, bottom - top)
    try:
        with gdal_environment(source.path):  # a virtual raster opens its sources only now
            stored = raster.read(list(source.bands), window=window)
            valid = _valid_pixels(raster, source, window)
    except RasterioIOError as error:
        raise UnreadableFile(
            f"{without_query(source.path)!r} is damaged or truncated: rows {top} to {bottom}, "
            f"columns {left} to {right} cannot be read ({error.__cause__ or error}); "
            + (
                "if it was replaced after it was opened, read it in a new process"
                if is_remote(source.path)
                else "get a fresh copy of the file"
            )
        ) from error
    return decode(stored, source.facts, valid)


class _Handles(threading.local):
    """The open files of one thread: GDAL returns wrong pixels when threads share a handle."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[object, ...], RasterDataset] = OrderedDict()

    def open(self, source: RasterSource) -> RasterDataset:
        if file_version(source.path) != (source.mtime_ns, source.size):
            raise UnreadableFile(f"{source.path!r} has changed since it was opened; open it again")
        # the process is part of the key: after a fork, both would share one file position
        key = (os.getpid(), source.path, source.variable, source.mtime_ns, source.size)
        if key not in self._open:
            self._open[key] = open_raster_dataset(source.path, source.variable)
            if len(self._open) > _HANDLES:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(key)
        return self._open[key]


_handles = _Handles()


def _valid_pixels(
    raster: RasterDataset, source: RasterSource, window: "Window"
) -> NDArray[np.bool_] | None:
    """Returns where pixels are opaque and unmasked, (rows, columns); None without alpha or mask."""
    masks = [raster.read(band, window=window) for band in alpha_bands(raster)]
    for band in _masked_bands(raster, source.bands):
        # only GDAL has masks besides alpha and nodata
        masks.append(cast("DatasetReader", raster).read_masks(band, window=window))
    return np.all(masks, axis=0) if masks else None


def _masked_bands(raster: RasterDataset, bands: Sequence[int]) -> list[int]:
    """Returns the bands with their own mask, or only the first of them if they share it."""
    from rasterio.enums import MaskFlags

    kinds = raster.mask_flag_enums
    flags = {band: set(kinds[band - 1]) for band in bands}
    derived = {MaskFlags.all_valid, MaskFlags.nodata, MaskFlags.alpha}
    masked = [band for band in flags if not derived & flags[band]]
    is_shared = any(MaskFlags.per_dataset in flags[band] for band in masked)
    return masked[:1] if is_shared else masked
