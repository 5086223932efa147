"""Pixels of a file as float32 with NaN, window by window, from any thread."""

import os
import threading
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hsi_xr.errors import UnreadableFile
from hsi_xr.io import tags
from hsi_xr.io.remote import gdal_environment, is_remote, without_query
from hsi_xr.io.stores import driver_of, metadata_of, open_store

if TYPE_CHECKING:
    from rasterio.crs import CRS
    from rasterio.windows import Window

Scene: TypeAlias = Any
"""What pixels are read from: `rasterio.DatasetReader`, or `StoredArray`, which answers like one."""

_HANDLES = 4
"""Open files kept per thread: a scene, and a few that it is compared with."""
_opening = threading.Lock()  # `catch_warnings` is process-wide: two at once would lose filters


@dataclass(frozen=True)
class Source:
    """Which pixels a lazy array stands for: all that its tasks carry besides a window."""

    path: str
    bands: tuple[int, ...]
    """1-based band numbers, in the order of the array."""
    mtime_ns: int
    size: int
    """In bytes, as `mtime_ns` of when the file was opened; both 0 for what is no local file."""
    name: str
    """Of the dask array that reads these pixels and nothing else."""
    variable: str | None = None
    """Of a store, which holds many."""
    nodata: float | None = None
    """The stored number of what is no pixel, in place of what the file says; None leaves that."""


def read_window(source: Source, rows: slice, columns: slice) -> NDArray[np.float32]:
    """Pixels of a window, as `hsi_xr.open` gives them.

    Args:
        source: Of an array that `open` made.
        rows: Rows of the file, half open; parts outside of it are left out.
        columns: Columns of the file, in the same way.

    Returns:
        (bands, rows, columns), scale and offset applied, NaN in every band where invalid.

    Raises:
        UnreadableFile: The file is damaged, or not the one any more that was opened.
    """
    from rasterio.errors import RasterioIOError
    from rasterio.windows import Window

    src = _handles.of(source)
    top, bottom, _ = rows.indices(src.height)
    left, right, _ = columns.indices(src.width)
    window = Window(left, top, right - left, bottom - top)
    try:
        with gdal_environment(source.path):  # a virtual raster opens what it is made of only now
            raw = src.read(list(source.bands), window=window)
            valid = _valid(src, source, raw, window)
    except RasterioIOError as error:
        raise UnreadableFile(
            f"{without_query(source.path)!r} is damaged or truncated: rows {top} to {bottom}, "
            f"columns {left} to {right} cannot be read ({error.__cause__ or error}); "
            + (
                "if it has been replaced since it was opened, read it in a new process"
                if is_remote(source.path)
                else "get the file anew"
            )
        ) from error
    return _as_floats(src, source.bands, raw, valid)


def open_raster(path: str, mode: str = "r", **options: Any) -> Any:
    """`rasterio.open` without its warning about images that lie nowhere on Earth.

    Having no georeference is a fact that the caller looks at, not one to be warned about.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    with gdal_environment(path), _opening, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(path, mode, **options)


def open_scene(path: str, variable: str | None = None) -> Scene:
    """An open raster, or an array of a store, to read from.

    Raises:
        UnreadableFile: There is none of that name.
        UnknownName: A store has no such variable.
    """
    from rasterio.errors import RasterioIOError

    if driver := driver_of(path):
        return open_store(path, driver, variable)
    try:
        return open_raster(path)
    except RasterioIOError as error:
        if is_remote(path):
            reason = str(error).replace(path, without_query(path))
            raise UnreadableFile(
                f"{without_query(path)!r} cannot be read as a raster ({reason}); {_repair(reason)}"
            ) from error
        elsewhere = path.startswith("/vsi") or ":" in path[2:]  # a subdataset
        if not elsewhere and not Path(path).exists():
            raise UnreadableFile(f"{path!r} does not exist; check the path") from error
        raise UnreadableFile(
            f"{path!r} cannot be read as a raster ({error}); "
            "give an image that `rio info` understands, such as a GeoTIFF"
        ) from error


def _repair(reason: str) -> str:
    if "Range downloading not supported" in reason:
        return "this server sends whole files only; download it, and read it here"
    return (
        "check the address, and what the server wants to know (AWS_ACCESS_KEY_ID or AWS_PROFILE, "
        "AWS_ENDPOINT_URL, AWS_NO_SIGN_REQUEST=YES of public data, or a fresh signature)"
    )


def crs_in(src: Scene) -> "CRS | None":
    """The CRS that a file states; GDAL makes one up for an ENVI file that states a grid alone."""
    crs: CRS | None = src.crs
    made_up = src.driver == "ENVI" and crs is not None and 'LOCAL_CS["Arbitrary"' in crs.to_wkt()
    return None if made_up else crs


def stamp(path: str) -> tuple[int, int]:
    """Time of change and size of a local file; zeros for a URL or a path of GDAL's own."""
    local = Path(path)
    try:
        found = (metadata_of(local) if local.is_dir() else local).stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def alpha_bands(src: Scene) -> list[int]:
    """Band numbers that hold transparency rather than colour."""
    from rasterio.enums import ColorInterp

    return [band for band, kind in zip(src.indexes, src.colorinterp) if kind == ColorInterp.alpha]


class _Handles(threading.local):
    """Open files of one thread: GDAL gives wrong pixels when threads share a handle."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[Any, ...], Scene] = OrderedDict()

    def of(self, source: Source) -> Scene:
        if stamp(source.path) != (source.mtime_ns, source.size):
            raise UnreadableFile(f"{source.path!r} has changed since it was opened; open it again")
        # the process is in the key since after a fork both would move one position in the file
        key = (os.getpid(), source.path, source.variable, source.mtime_ns, source.size)
        if key not in self._open:
            self._open[key] = open_scene(source.path, source.variable)
            if len(self._open) > _HANDLES:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(key)
        return self._open[key]


_handles = _Handles()


def _valid(src: Scene, source: Source, raw: NDArray[Any], window: "Window") -> NDArray[np.bool_]:
    """Where a pixel may be used, (rows, columns): not transparent, not masked, not nodata."""
    from rasterio.enums import MaskFlags

    bands = source.bands
    valid = ~_is_nodata(src, source, raw)
    for band in alpha_bands(src):
        valid &= src.read(band, window=window) != 0
    kinds = src.mask_flag_enums  # rasterio asks every band each time
    flags = {band: set(kinds[band - 1]) for band in bands}
    derived = {MaskFlags.all_valid, MaskFlags.nodata, MaskFlags.alpha}
    masked = [band for band in flags if not derived & flags[band]]
    shared = any(MaskFlags.per_dataset in flags[band] for band in masked)
    for band in masked[:1] if shared else masked:
        valid &= src.read_masks(band, window=window) != 0
    return valid


def _is_nodata(src: Scene, source: Source, raw: NDArray[Any]) -> NDArray[np.bool_]:
    """Where the nodata value says that there is no pixel, (rows, columns).

    A value that can be a colour (0, 255) must be in every band: a blue of 0 alone is a shadow,
    and a red of 255 a roof. One that cannot (-9999) rules the pixel out by itself.
    """
    told = source.nodata
    stated = src.nodatavals  # rasterio asks every band each time
    nodata = [stated[band - 1] if told is None else told for band in source.bands]
    if any(value is None for value in nodata):
        return np.zeros(raw.shape[1:], dtype=bool)
    unsigned = raw.dtype.kind == "u" and not tags.is_product(tags.domains_of(src)["HSI_XR"])
    can_be_colour = all(value == 0 or (unsigned and value > 0) for value in nodata)
    holds = np.stack([_equal(plane, value) for plane, value in zip(raw, nodata)])
    return np.asarray(holds.all(axis=0) if can_be_colour else holds.any(axis=0))


def _equal(plane: NDArray[Any], value: float) -> NDArray[np.bool_]:
    if np.isnan(value):
        return np.asarray(np.isnan(plane))
    # an integer that the type cannot hold equals nothing; as a float it would be rounded
    whole = plane.dtype.kind in "iu" and float(value).is_integer()
    return np.asarray(plane == (int(value) if whole else value))


def _as_floats(
    src: Scene, bands: Sequence[int], raw: NDArray[Any], valid: NDArray[np.bool_]
) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, hence NaN
        pixels = raw.astype(np.float32)
    chosen = [band - 1 for band in bands]
    scales = np.array(src.scales, dtype=np.float32)[chosen]
    offsets = np.array(src.offsets, dtype=np.float32)[chosen]
    if (scales != 1).any() or (offsets != 0).any():
        pixels *= scales[:, None, None]
        pixels += offsets[:, None, None]
    if raw.dtype.kind == "f":
        valid = valid & np.isfinite(pixels).all(axis=0)
    pixels[:, ~valid] = np.nan
    return pixels
