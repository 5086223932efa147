"""Reads windows of a file as float32 with NaN where invalid; safe to call from any thread."""

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from hsi_xr.errors import UnreadableFile
from hsi_xr.io import tags
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
            valid = _valid_pixels(raster, source, stored, window)
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
    return _as_floats(raster, source.bands, stored, valid)


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
    raster: RasterDataset, source: RasterSource, stored: NDArray[Any], window: "Window"
) -> NDArray[np.bool_]:
    """Returns where pixels are valid, (rows, columns): opaque, unmasked, not nodata."""
    valid = ~_is_nodata(raster, source, stored)
    for band in alpha_bands(raster):
        valid &= raster.read(band, window=window) != 0
    for band in _masked_bands(raster, source.bands):
        masks = cast("DatasetReader", raster)  # only GDAL has masks besides alpha and nodata
        valid &= masks.read_masks(band, window=window) != 0
    return valid


def _masked_bands(raster: RasterDataset, bands: Sequence[int]) -> list[int]:
    """Returns the bands with their own mask, or only the first of them if they share it."""
    from rasterio.enums import MaskFlags

    kinds = raster.mask_flag_enums
    flags = {band: set(kinds[band - 1]) for band in bands}
    derived = {MaskFlags.all_valid, MaskFlags.nodata, MaskFlags.alpha}
    masked = [band for band in flags if not derived & flags[band]]
    is_shared = any(MaskFlags.per_dataset in flags[band] for band in masked)
    return masked[:1] if is_shared else masked


def _is_nodata(
    raster: RasterDataset, source: RasterSource, stored: NDArray[Any]
) -> NDArray[np.bool_]:
    """Returns where the nodata value marks pixels as missing, (rows, columns).

    A value that can be a colour (0, 255) counts only if every band has it: a blue of 0 alone is a
    shadow, and a red of 255 a roof. A value that cannot be one (-9999) counts in any band.
    """
    stated, own = raster.nodatavals, source.nodata
    nodata = [stated[band - 1] if own is None else own for band in source.bands]
    values = [value for value in nodata if value is not None]
    if len(values) < len(nodata):
        return np.zeros(stored.shape[1:], dtype=bool)
    is_product = tags.is_product(tags.read_domains(raster)["HSI_XR"])
    unsigned = stored.dtype.kind == "u" and not is_product
    can_be_colour = all(value == 0 or (unsigned and value > 0) for value in values)
    equal = np.stack([_equals(plane, value) for plane, value in zip(stored, values)])
    return np.asarray(equal.all(axis=0) if can_be_colour else equal.any(axis=0))


def _equals(plane: NDArray[Any], value: float) -> NDArray[np.bool_]:
    if np.isnan(value):
        return np.asarray(np.isnan(plane))
    # an integer that the type cannot hold equals nothing; as a float it would be rounded
    is_integer = plane.dtype.kind in "iu" and float(value).is_integer()
    return np.asarray(plane == (int(value) if is_integer else value))


def _as_floats(
    raster: RasterDataset, bands: Sequence[int], stored: NDArray[Any], valid: NDArray[np.bool_]
) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, hence NaN
        pixels = stored.astype(np.float32)
    chosen = [band - 1 for band in bands]
    scales = np.array(raster.scales, dtype=np.float32)[chosen]
    offsets = np.array(raster.offsets, dtype=np.float32)[chosen]
    if (scales != 1).any() or (offsets != 0).any():
        pixels *= scales[:, None, None]
        pixels += offsets[:, None, None]
    if stored.dtype.kind == "f":
        valid = valid & np.isfinite(pixels).all(axis=0)
    pixels[:, ~valid] = np.nan
    return pixels
