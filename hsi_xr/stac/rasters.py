"""What is wrong with a GeoTIFF product."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hsi_xr.errors import InvalidData
from hsi_xr.raster.cog import is_cog
from hsi_xr.raster.image import PLAIN
from hsi_xr.raster.product import Product
from hsi_xr.raster.source import open_raster
from hsi_xr.raster.wavelengths import envi_readings
from hsi_xr.stac.spectrum import implausible, nm

if TYPE_CHECKING:
    from rasterio import DatasetReader

COARSEST = 0.01
"""Reflectance of a step: integers of coarser ones hold no spectrum."""
_SAME = 1e-3
"""nm by which two statements of one wavelength may differ."""


def wrong_with(path: Path, *, cog: bool = True, pixels: bool = True) -> list[str]:
    """All that is wrong with a product, of which nothing is changed.

    Args:
        path: Of a GeoTIFF.
        cog: Whether it must be laid out as a cloud-optimised one.
        pixels: Whether to decode all of it; a checksum that is right makes that needless.
    """
    try:
        product = Product.read(path)
    except InvalidData as error:
        return [str(error)]
    found = [] if is_cog(path) or not cog else ["it is not laid out as a cloud-optimised GeoTIFF"]
    with open_raster(str(path)) as src:
        found += _storage(src)
        if _is_spectral(src):
            found += _spectrum(src, product)
        found += _unreadable(src) if pixels else []
    return found


def _is_spectral(src: "DatasetReader") -> bool:
    """Residuals and the like have one band, which is of no wavelength."""
    return src.tags(ns="XARRAY").get("NAME") not in PLAIN


def _storage(src: "DatasetReader") -> Iterator[str]:
    """Numbers and what they stand for."""
    stored = {*src.dtypes}
    if len(stored) > 1:
        yield f"its bands differ in type: {', '.join(sorted(stored))}"
    for what, told in (("nodata", src.nodatavals), ("scale", src.scales), ("offset", src.offsets)):
        if len({str(value) for value in told}) > 1:
            yield f"its bands differ in {what}"
    dtype, nodata, scale = np.dtype(src.dtypes[0]), src.nodata, src.scales[0]
    if nodata is None:
        yield "it has no nodata value, so that what is no pixel looks like one"
    elif dtype.kind in "iu" and not _fits(nodata, dtype):
        yield f"its nodata value {nodata:g} is none that {dtype} can hold"
    if not (math.isfinite(scale) and scale > 0):
        yield f"its scale is {scale:g}"
    elif dtype.kind in "iu" and scale > COARSEST:
        yield f"its scale is {scale:g}: {dtype} numbers in such steps hold no reflectance"


def _fits(value: float, dtype: np.dtype[Any]) -> bool:
    limits = np.iinfo(dtype)
    return value == int(value) and limits.min <= value <= limits.max


def _spectrum(src: "DatasetReader", product: Product) -> Iterator[str]:
    centres, widths = ([nm(um) for um in told] for told in (product.centres, product.widths))
    yield from implausible(centres, widths)
    others = {
        "ENVI's": [centre for centre, _ in envi_readings(src.tags(ns="ENVI"), src.count)],
        "EnMAP-Box's": [_number(src.tags(band).get("wavelength")) for band in src.indexes],
    }
    for whose, told in others.items():
        pairs = [(a, b) for a, b in zip(centres, told) if a is not None and b is not None]
        if any(abs(a - b) > _SAME for a, b in pairs):
            yield f"{whose} wavelengths are others than those of GDAL (domain IMAGERY)"


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _unreadable(src: "DatasetReader") -> Iterator[str]:
    """Decodes block by block; the first that cannot be is enough."""
    from rasterio.errors import RasterioIOError

    for band in src.indexes:
        for _, window in src.block_windows(band):
            try:
                src.read(band, window=window)
            except RasterioIOError as error:
                yield (
                    f"band {band} cannot be read at row {window.row_off}, column "
                    f"{window.col_off} ({error.__cause__ or error})"
                )
                return
