"""The xarray engine `hsi_xr`: `xr.open_dataset("cube.tif", engine="hsi_xr")`."""

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.core import indexing

from hsi_xr.errors import UsageError
from hsi_xr.io.chunks import DEFAULT
from hsi_xr.io.cube import shared_attributes
from hsi_xr.io.cube_file import companions_of
from hsi_xr.io.open import open
from hsi_xr.io.raster_source import RasterSource, source_of
from hsi_xr.io.reader import read_window
from hsi_xr.output_variables import output_variable


class HsiXrBackendEntrypoint(BackendEntrypoint):
    """Opens RGB scenes and products as `hsi_xr.open` reads them.

    xarray never chooses this engine by itself: `guess_can_open` stays False for every file, so
    that other engines keep their files.
    """

    description = "RGB scenes and hyperspectral products, scaled, with NaN where invalid (hsi_xr)"

    def open_dataset(
        self,
        filename_or_obj: object,
        *,
        drop_variables: str | Iterable[str] | None = None,
        rgb: Sequence[int | str] | None = None,
        nodata: float | None = None,
        variable: str | None = None,
    ) -> xr.Dataset:
        """Opens a file or a store as a Dataset, lazily.

        Args:
            filename_or_obj: Path or URL; see `hsi_xr.open`.
            drop_variables: Names of variables to leave out.
            rgb: See `hsi_xr.open`.
            nodata: See `hsi_xr.open`.
            variable: The only variable to open.

        Returns:
            Dataset with the image of a scene (`rgb` or `image`), or with the `reflectance` of a
            product and its companions from the same run (`reflectance_std`, ...), whether they
            are in the same file or in files next to it. Provenance is in the attributes of the
            Dataset, everything else in those of the variables.

        Raises:
            UsageError: The argument is not a path or URL.
            HsiError: See `hsi_xr.open`.
        """
        if not isinstance(filename_or_obj, str | os.PathLike):
            raise UsageError(
                f"the engine 'hsi_xr' opens paths and URLs, not {type(filename_or_obj).__name__}"
            )
        path = os.fspath(filename_or_obj)
        dropped = {drop_variables} if isinstance(drop_variables, str) else {*(drop_variables or ())}
        array = open(path, rgb=rgb, nodata=nodata, variable=variable)
        attrs = shared_attributes(array)
        images = {str(array.name): _lazy(array)}
        if variable is None:
            names = [name for name in companions_of(path) if name not in dropped]
            images |= {name: _companion(path, name) for name in names}
        coords = {name: each.variable for name, each in array.coords.items()}
        return xr.Dataset(images, coords, attrs).drop_vars(dropped, errors="ignore")


class WindowArray(BackendArray):
    """The pixels of a file as an array that reads only the window that an index needs."""

    def __init__(self, source: RasterSource, shape: tuple[int, ...]) -> None:
        self.source, self.shape, self.dtype = source, shape, np.dtype("float32")

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._read
        )

    def _read(self, key: tuple[int | slice, ...]) -> NDArray[np.float32]:
        band, *spatial = key
        (rows, y), (columns, x) = map(_window, spatial, self.shape[1:])
        if rows.start == rows.stop or columns.start == columns.stop:
            return np.empty(self.shape, self.dtype)[key]
        return read_window(self.source, rows, columns)[band, y, x]


def _window(index: int | slice, size: int) -> tuple[slice, int | slice]:
    """Returns the window that an index needs, and the index within that window."""
    if not isinstance(index, slice):
        start = range(size)[index]
        return slice(start, start + 1), 0
    pixels = range(size)[index]
    if not pixels:
        return slice(0, 0), index
    return slice(min(pixels), max(pixels) + 1), slice(None, None, pixels.step)


def _lazy(array: xr.DataArray) -> xr.Variable:
    """Returns an opened array without dask, so that xarray chooses the chunks."""
    source = source_of(array)
    assert source is not None  # `open` attaches it
    shared = shared_attributes(array)
    return xr.Variable(
        array.dims,
        indexing.LazilyIndexedArray(WindowArray(source, array.shape)),
        {name: value for name, value in array.attrs.items() if name not in shared},
        {**array.encoding, "preferred_chunks": _preferred_chunks(array)},
    )


def _preferred_chunks(array: xr.DataArray) -> dict[str, int]:
    rows, columns = array.sizes["y"], array.sizes["x"]
    return {"band": array.sizes["band"], "y": min(rows, DEFAULT), "x": min(columns, DEFAULT)}


def _companion(path: str, name: str) -> xr.Variable:
    image = _lazy(open(path, variable=name))
    known = output_variable(name)
    return image if known is not None and known.per_band else image.isel(band=0)
