"""Checks of a product: a GeoTIFF, an ENVI file, or a variable of a Zarr or NetCDF store."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from hsi_xr.errors import InvalidData, UnknownName
from hsi_xr.io import formats
from hsi_xr.io.cog_layout import is_cog
from hsi_xr.io.cube_file import CubeFile
from hsi_xr.io.raster_dataset import RasterDataset, open_raster_dataset
from hsi_xr.io.store_reader import StoredArray
from hsi_xr.io.stores import store_driver
from hsi_xr.io.tags import is_product
from hsi_xr.output_variables import output_variable
from hsi_xr.stac.validate.band_checks import RESTORE, raster_band_faults
from hsi_xr.stac.validate.findings import Fault, fault_of

if TYPE_CHECKING:
    from rasterio import DatasetReader

RASTERS = (".tif", ".tiff", ".img", ".nc", ".nc4", ".zarr")
"""Suffixes of products."""
_COARSEST = 0.01
"""Largest step of reflectance with which integers can represent a spectrum."""
_SIDE = 1024
"""Pixels per side of the windows in which a store is read."""
_REPLACE = "copy the file again, or recreate it"


def variables_of(path: Path) -> list[str | None]:
    """Returns the variables of a store to check; [None] for a file with one array.

    Raises:
        UnreadableFile: The store cannot be read.
        UsageError: The package that reads such stores is not installed.
    """
    if store_driver(str(path)) is None:
        return [None]
    with open_raster_dataset(str(path)) as src:
        variables = src.variables if isinstance(src, StoredArray) else []
        return [name for name in variables if output_variable(name)] or [None]


def is_foreign(path: Path) -> bool:
    """True if a raster can be read, but does not state that hsi_xr wrote it."""
    try:
        with open_raster_dataset(str(path)) as src:
            return not is_product(src.tags(ns="HSI_XR"))
    except InvalidData:
        return False


def product_faults(
    path: Path, variable: str | None = None, *, pixels: bool = True
) -> Iterator[Fault]:
    """Yields everything that is wrong with a product, without changing it.

    Args:
        path: A file or a store.
        variable: Name of the variable in a store.
        pixels: Decode all pixels, which is unnecessary if a checksum has proved them intact.

    Raises:
        UsageError: The package that reads such stores is not installed.
    """
    try:
        product = CubeFile.read(path, variable)
        with open_raster_dataset(str(path), variable) as src:
            yield from _layout(src, path)
            yield from _storage(src)
            yield from _georeference(product)
            output = output_variable(src.tags(ns="XARRAY").get("NAME", ""))
            if output is None or output.per_band:
                yield from raster_band_faults(src, product)
            yield from _unreadable(src) if pixels else ()
    except (InvalidData, UnknownName) as error:
        yield fault_of(error, path)


def _layout(src: RasterDataset, path: Path) -> Iterator[Fault]:
    # only COGs have overviews; a GeoTIFF without them is valid as it is
    if src.driver == "GTiff" and cast("DatasetReader", src).overviews(1) and not is_cog(path):
        yield Fault(
            "it has overviews, but not the layout of a cloud-optimised GeoTIFF",
            f"{RESTORE}, or write it again: `hsi_xr.write(hsi_xr.open({path.name!r}), 'new.tif')`",
        )
    layout = formats.by_driver(src.driver)
    for kind, file in {} if layout is None else layout.sidecars(path).items():
        if not file.exists():
            yield Fault(f"its {kind} {file.name!r} is missing", "put it next to the product")
    if src.driver == "ENVI":
        rows, columns = src.shape
        expected = rows * columns * src.count * np.dtype(src.dtypes[0]).itemsize
        if (size := path.stat().st_size) != expected:
            yield Fault(f"it has {size} bytes, but its header implies {expected}", _REPLACE)


def _storage(src: RasterDataset) -> Iterator[Fault]:
    """Yields what is wrong with data type, nodata, scale and offset."""
    if len(types := {*src.dtypes}) > 1:
        yield Fault(f"its bands have different data types: {', '.join(sorted(types))}", RESTORE)
    by_name = {"nodata values": src.nodatavals, "scales": src.scales, "offsets": src.offsets}
    for name, values in by_name.items():
        if len({str(value) for value in values}) > 1:
            yield Fault(f"its bands have different {name}", RESTORE)
    dtype, nodata, scale = np.dtype(src.dtypes[0]), src.nodata, src.scales[0]
    if nodata is None:
        yield Fault("it has no nodata value, so missing pixels look valid", RESTORE)
    elif dtype.kind in "iu" and not _fits(nodata, dtype):
        yield Fault(f"its nodata value {nodata:g} cannot be stored as {dtype}", RESTORE)
    if not (math.isfinite(scale) and scale > 0):
        yield Fault(f"its scale is {scale:g}, but must be positive", RESTORE)
    elif dtype.kind in "iu" and scale > _COARSEST:
        yield Fault(f"its scale is {scale:g}, too coarse for reflectance as {dtype}", RESTORE)


def _fits(value: float, dtype: np.dtype[Any]) -> bool:
    limits = np.iinfo(dtype)
    return math.isfinite(value) and value == int(value) and limits.min <= value <= limits.max


def _georeference(product: CubeFile) -> Iterator[Fault]:
    if product.config.get("georeferenced") == "yes" and product.crs is None:
        yield Fault("it states that it is georeferenced, but has no CRS", RESTORE)
    if product.crs is not None and product.transform.is_identity:
        yield Fault("it has a CRS, but no transform", RESTORE)


def _unreadable(src: RasterDataset) -> Iterator[Fault]:
    """Yields the first block that cannot be decoded."""
    from rasterio.errors import RasterioIOError

    for bands, window in _windows(src):
        try:
            src.read(bands, window=window)
        except RasterioIOError as error:
            yield Fault(
                f"band {bands[0]} cannot be read at row {window.row_off}, column "
                f"{window.col_off} ({error.__cause__ or error})",
                _REPLACE,
            )
            return


def _windows(src: RasterDataset) -> Iterator[tuple[list[int], Any]]:
    """Yields bands and window of everything to decode: blocks of a file, or squares of a store."""
    from rasterio.windows import Window

    if not isinstance(src, StoredArray):
        file = cast("DatasetReader", src)
        for band in file.indexes:
            yield from (([band], window) for _, window in file.block_windows(band))
        return
    rows, columns = src.shape
    for top in range(0, rows, _SIDE):
        for left in range(0, columns, _SIDE):
            size = min(_SIDE, columns - left), min(_SIDE, rows - top)
            yield [*src.indexes], Window(left, top, *size)
