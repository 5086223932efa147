"""Information about the file behind an array, which `open` records under one key.

`hsi_xr.open` attaches a `RasterSource` to `array.encoding`, where xarray keeps what it knows about
storage. All information about the file that the array itself does not show comes from there:
the data type and meaning of the stored values, and whether pixels can be read from the file by
window. xarray copies `encoding` when it selects (`isel`, `sel`, `transpose`) and drops it when it
computes (`* 2`, `where`), so the record never outlives the values that it describes.
`array.drop_encoding()` removes it by hand; the array then counts as one in memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import xarray as xr

from hsi_xr.io.band_facts import BandFacts

_KEY = "hsi_xr"
"""The only key in `encoding` that is not one of xarray's own."""


@dataclass(frozen=True)
class RasterSource:
    """The pixels of a file that an array stands for, and what the file states about them."""

    path: str
    bands: tuple[int, ...]
    """1-based band numbers, in the order of the array."""
    mtime_ns: int
    size: int
    """Modification time, and size in bytes, when the file was opened; both 0 if it is remote."""
    array_name: str
    """Name of the dask array that has exactly these pixels."""
    facts: tuple[BandFacts, ...]
    """What is stated about each of the bands; the array itself is float32 and scaled."""
    chosen: bool = False
    """True if the caller of `open` chose the bands: three are then red, green and blue."""
    variable: str | None = None
    """Name of the array within a store; None for a raster file."""
    nodata: float | None = None
    """A stored value that overrides the nodata value of the file."""

    def select(self, indices: Sequence[int]) -> "RasterSource":
        """Returns some of the bands, by their indices counted from 0."""
        bands = tuple(self.bands[i] for i in indices)
        return replace(self, bands=bands, facts=tuple(self.facts[i] for i in indices))

    def matches(self, array: xr.DataArray) -> bool:
        """True if the array still has all these pixels, so that windows can be read directly.

        Not if it was persisted: its pixels are in memory, and the file may be out of reach.
        """
        if array.chunks is None or array.data.name != self.array_name:
            return False
        layer = array.data.dask.layers.get(self.array_name, {})
        return isinstance(next(iter(layer.values()), None), tuple)  # a task, not its result


def attach(array: xr.DataArray, source: RasterSource) -> None:
    """Records the file behind an array in its `encoding`."""
    array.encoding = {"source": source.path, "grid_mapping": "spatial_ref", _KEY: source}


def source_of(array: xr.DataArray) -> RasterSource | None:
    """Returns what is known about the file behind an array, or None."""
    source = array.encoding.get(_KEY)
    return source if isinstance(source, RasterSource) else None


def stored_dtype(array: xr.DataArray) -> str:
    """Returns the data type of the values in the file behind an array, else that of the array."""
    source = source_of(array)
    return source.facts[0].dtype if source else str(array.dtype)
