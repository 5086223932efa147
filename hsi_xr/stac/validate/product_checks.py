"""What is wrong with a product: a GeoTIFF, an ENVI file, or an array of a Zarr or NetCDF store."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from hsi_xr.errors import InvalidData, UnknownName
from hsi_xr.io import formats
from hsi_xr.io.cog_layout import is_cog
from hsi_xr.io.cube_file import Product
from hsi_xr.io.raster_dataset import RasterDataset, open_raster_dataset
from hsi_xr.io.store_reader import StoredArray
from hsi_xr.io.stores import driver_of
from hsi_xr.io.tags import is_product
from hsi_xr.io.variables import sibling_paths
from hsi_xr.io.wavelengths import envi_readings
from hsi_xr.output_variables import OUTPUT_VARIABLES
from hsi_xr.stac.validate.band_checks import implausible, nm
from hsi_xr.stac.validate.findings import Fault, fault_of

if TYPE_CHECKING:
    from rasterio import DatasetReader

RASTERS = (".tif", ".tiff", ".img", ".nc", ".nc4", ".zarr")
"""What products end in."""
COARSEST = 0.01
"""Reflectance of a step: integers of coarser ones hold no spectrum."""
_SAME = 1e-3
"""nm by which two statements of one wavelength may differ."""
_SIDE = 1024
"""Pixels of a window of a store that is decoded at once."""
_CHANGED = "a tool has changed it since it was written; get back the file that was written"
_DAMAGED = "get the file anew, or make it again"


def variables_of(path: Path) -> list[str | None]:
    """What there is to look at in a store; None of a file with one array.

    Raises:
        UnreadableFile: It is a store that cannot be read.
        UsageError: What reads such stores is not installed.
    """
    if driver_of(str(path)) is None:
        return [None]
    with open_raster_dataset(str(path)) as src:
        ours = {"reflectance", *sibling_paths(path)}
        variables = src.variables if isinstance(src, StoredArray) else []
        return [name for name in variables if name in ours] or [None]


def is_of_others(path: Path) -> bool:
    """Whether it is a raster that does not say that it was made here."""
    try:
        with open_raster_dataset(str(path)) as src:
            return not is_product(src.tags(ns="HSI_XR"))
    except InvalidData:
        return False  # what it is cannot be told, since it is damaged


def wrong_with(path: Path, variable: str | None = None, *, pixels: bool = True) -> Iterator[Fault]:
    """All that is wrong with a product, of which nothing is changed.

    Args:
        path: Of a file or a store.
        variable: Of a store.
        pixels: Whether to decode all of it; a checksum that is right makes that needless.

    Raises:
        UsageError: What reads such stores is not installed.
    """
    try:
        product = Product.read(path, variable)
        with open_raster_dataset(str(path), variable) as src:
            yield from _layout(src, path)
            yield from _storage(src)
            yield from _place(product)
            known = OUTPUT_VARIABLES.get(src.tags(ns="XARRAY").get("NAME", ""))
            if known is None or known.per_band:
                yield from _spectrum(src, product)
            yield from _unreadable(src) if pixels else ()
    except (InvalidData, UnknownName) as error:
        yield fault_of(error, path)


def _layout(src: RasterDataset, path: Path) -> Iterator[Fault]:
    """A GeoTIFF with overviews was a COG; one without is a plain one, which is in order."""
    if src.driver == "GTiff" and cast("DatasetReader", src).overviews(1) and not is_cog(path):
        yield Fault(
            "it has overviews, and is not laid out as a cloud-optimised GeoTIFF",
            f"{_CHANGED}, or write it anew: `hsi_xr.write(hsi_xr.open({path.name!r}), 'new.tif')`",
        )
    laid_out = formats.of_driver(src.driver)
    for what, file in {} if laid_out is None else laid_out.beside(path).items():
        if not file.exists():
            yield Fault(f"{file.name!r}, its {what}, is not beside it", "put it there")
    if src.driver == "ENVI":
        rows, columns = src.shape
        wanted = rows * columns * src.count * np.dtype(src.dtypes[0]).itemsize
        if (size := path.stat().st_size) != wanted:
            yield Fault(f"it has {size} bytes, and its header tells of {wanted}", _DAMAGED)


def _storage(src: RasterDataset) -> Iterator[Fault]:
    """Numbers and what they stand for."""
    stored = {*src.dtypes}
    if len(stored) > 1:
        yield Fault(f"its bands differ in type: {', '.join(sorted(stored))}", _CHANGED)
    for what, told in (("nodata", src.nodatavals), ("scale", src.scales), ("offset", src.offsets)):
        if len({str(value) for value in told}) > 1:
            yield Fault(f"its bands differ in {what}", _CHANGED)
    dtype, nodata, scale = np.dtype(src.dtypes[0]), src.nodata, src.scales[0]
    if nodata is None:
        yield Fault("it has no nodata value, so that what is no pixel looks like one", _CHANGED)
    elif dtype.kind in "iu" and not _fits(nodata, dtype):
        yield Fault(f"its nodata value {nodata:g} is none that {dtype} can hold", _CHANGED)
    if not (math.isfinite(scale) and scale > 0):
        yield Fault(f"its scale is {scale:g}", _CHANGED)
    elif dtype.kind in "iu" and scale > COARSEST:
        yield Fault(
            f"its scale is {scale:g}: {dtype} numbers in such steps hold no reflectance", _CHANGED
        )


def _fits(value: float, dtype: np.dtype[Any]) -> bool:
    limits = np.iinfo(dtype)
    return math.isfinite(value) and value == int(value) and limits.min <= value <= limits.max


def _place(product: Product) -> Iterator[Fault]:
    told = product.config.get("georeferenced")
    if told == "yes" and product.crs is None:
        yield Fault("it says that it is georeferenced, and has no CRS", _CHANGED)
    if product.crs is not None and product.transform.is_identity:
        yield Fault("it has a CRS, and no transform that tells where in it", _CHANGED)


def _spectrum(src: RasterDataset, product: Product) -> Iterator[Fault]:
    centres, widths = ([nm(um) for um in told] for told in (product.centres, product.widths))
    for wrong in implausible(centres, widths):
        yield Fault(wrong, _CHANGED)
    by_band = [src.tags(band, ns="IMAGERY").get("CENTRAL_WAVELENGTH_UM") for band in src.indexes]
    for band, text in enumerate(by_band, start=1):
        if text is not None and _number(text) is None:
            yield Fault(f"band {band} has {text!r} for a wavelength (domain IMAGERY)", _CHANGED)
    others = {
        "ENVI's": [centre for centre, _ in envi_readings(src.tags(ns="ENVI"), src.count)],
        "EnMAP-Box's": [_number(src.tags(band).get("wavelength")) for band in src.indexes],
    }
    for whose, told in others.items():
        pairs = [(a, b) for a, b in zip(centres, told) if a is not None and b is not None]
        if any(abs(a - b) > _SAME for a, b in pairs):
            yield Fault(
                f"{whose} wavelengths are others than those of GDAL (domain IMAGERY)", _CHANGED
            )


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _unreadable(src: RasterDataset) -> Iterator[Fault]:
    """Decodes block by block; the first that cannot be is enough."""
    from rasterio.errors import RasterioIOError

    for bands, window in _windows(src):
        try:
            src.read(bands, window=window)
        except RasterioIOError as error:
            yield Fault(
                f"band {bands[0]} cannot be read at row {window.row_off}, column "
                f"{window.col_off} ({error.__cause__ or error})",
                _DAMAGED,
            )
            return


def _windows(src: RasterDataset) -> Iterator[tuple[list[int], Any]]:
    """Bands and window of all there is to decode: by a file's own blocks, or squares of a store."""
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
