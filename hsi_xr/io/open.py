"""Opens a raster file as a lazy, labelled, georeferenced array, without reading pixels."""

import os
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import dask.array
import numpy as np
import xarray as xr
from dask.base import tokenize
from numpy.typing import NDArray

from hsi_xr.errors import BandMismatch, InvalidData, UnknownName, UnreadableFile
from hsi_xr.io import georef, raster_source, tags, wavelengths
from hsi_xr.io.chunks import DEFAULT, Chunks, chunk_sizes
from hsi_xr.io.raster_dataset import (
    RasterDataset,
    alpha_bands,
    file_version,
    open_raster_dataset,
    stated_crs,
)
from hsi_xr.io.raster_source import RasterSource
from hsi_xr.io.reader import read_window
from hsi_xr.io.remote import file_of
from hsi_xr.io.store_reader import StoredArray
from hsi_xr.io.stores import store_driver
from hsi_xr.io.variables import companion_paths

if TYPE_CHECKING:
    from rasterio import DatasetReader

Sizes = tuple[tuple[int, ...], ...]
"""Chunk sizes along band, y and x."""


def open(
    path: str | os.PathLike[str],
    *,
    chunks: Chunks = DEFAULT,
    rgb: Sequence[int] | None = None,
    nodata: float | None = None,
    variable: str | None = None,
) -> xr.DataArray:
    """Opens a raster, or an array of a store, as float32 (band, y, x) with NaN where invalid.

    Scale and offset are applied. A pixel is invalid, in every band, where the file's alpha
    band, mask or nodata value marks it as invalid, and where any band is NaN or infinite. A nodata
    value that can be a colour (0, or any value of an unsigned type) counts only where all bands
    have it. The alpha band is not part of the result.

    Args:
        path: A file, a folder that is a Zarr store, or any other name that GDAL opens. `s3://` and
            `https://` (including signed URLs) are read with range requests; sidecar files next to
            them (masks, overviews) are ignored.
        chunks: Sizes of the dask chunks, in any form that xarray and dask accept: a number of
            pixels along y and x, (rows, columns), a mapping such as `{"y": 400, "x": 400}`,
            `"auto"`, or -1 for one chunk. None reads the pixels at once.
        rgb: 1-based numbers of the bands to keep, in order.
        nodata: The stored value that marks nodata, instead of the file's own; the same rule
            applies.
        variable: The variable of a product to open, e.g. `reflectance_std`, in the same file or in
            its companion file. By default the only variable of the file, or `reflectance`.

    Returns:
        Coordinates are `band` (1..n), the pixel centres `y` and `x` (or `row` and `column` numbers
        if the grid is rotated), `spatial_ref` with CRS and transform, and, if the file states
        them, `wavelength` and `fwhm` (band) in nm. Attributes are those of the file; a product of
        hsi_xr has its provenance in `hsi_xr_...`.

    Raises:
        UnreadableFile: The file is missing, truncated, or not a raster.
        InvalidData: The file has no pixels, or its values are complex or boolean.
        BandMismatch: The file has no such bands.
        UnknownName: The file has no such variable.
        UsageError: `chunks` is invalid.
    """
    name = str(path) if variable is None else _file_with(str(path), variable)
    version = file_version(name)
    with open_raster_dataset(name, variable) as raster:
        _check_pixels(raster, name)
        _check_length(raster, name, version[1])
        bands = _bands(raster, name, rgb)
        sizes = _sizes(chunks, (len(bands), raster.height, raster.width))
        domains = tags.read_domains(raster)
        inner = raster.name if isinstance(raster, StoredArray) else None
        token = tokenize(name, *version, bands, sizes and sizes[1:], nodata, inner)
        source = RasterSource(
            path=name,
            bands=bands,
            mtime_ns=version[0],
            size=version[1],
            array_name=f"hsi-open-{token}",
            dtype=raster.dtypes[bands[0] - 1],
            variable=inner,
            nodata=nodata,
            radiometry=_radiometry(raster, bands, domains),
        )
        array = xr.DataArray(
            _pixels(source, sizes),
            name=_variable_name(bands, domains),
            dims=("band", "y", "x"),
            coords=_coordinates(raster, bands),
            attrs=_attributes(raster, bands, domains),
        )
    raster_source.attach(array, source)
    return array


def _file_with(path: str, variable: str) -> str:
    """Returns the file that has a variable of the product that `path` belongs to.

    Raises:
        UnknownName: No file has it.
    """
    if store_driver(path):
        return path
    with open_raster_dataset(path) as raster:
        name = tags.read_domains(raster)["XARRAY"].get("NAME")
    if name == variable:
        return path
    companion = companion_paths(file_of(path)).get(variable)
    if companion is None or not companion.exists():
        absent = f" and no companion file {companion.name!r}" if companion else ""
        raise UnknownName(
            f"{path!r} has no variable {variable!r}{absent}; omit `variable` to open "
            f"{repr(name) if name else 'its image'}"
        )
    return str(companion)


def _check_pixels(raster: RasterDataset, path: str) -> None:
    if not (raster.count and raster.height and raster.width):
        raise InvalidData(
            f"{path!r} has no pixels ({raster.count} bands of {raster.height} x {raster.width}); "
            "open one of its subdatasets"
            + "".join(f", e.g. {name!r}" for name in raster.subdatasets)
        )
    unusable = {dtype for dtype in raster.dtypes if "complex" in dtype or dtype == "bool"}
    if unusable:
        raise InvalidData(
            f"the values of {path!r} are {', '.join(sorted(unusable))}, which cannot be "
            "brightness; convert them first, e.g. `rio calc '(abs (read 1))'`"
        )


def _check_length(raster: RasterDataset, path: str, size: int) -> None:
    """Raises an error if the end of a TIFF is missing, which GDAL does not notice on opening."""
    if raster.driver != "GTiff" or not size:
        return
    tiff = cast("DatasetReader", raster)
    for band, (rows, columns) in zip(tiff.indexes, tiff.block_shapes):
        last = f"{(tiff.width - 1) // columns}_{(tiff.height - 1) // rows}"
        start, length = (
            int(tiff.get_tag_item(f"BLOCK_{item}_{last}", "TIFF", bidx=band) or 0)
            for item in ("OFFSET", "SIZE")
        )
        if start + length > size:
            raise UnreadableFile(
                f"{path!r} is truncated: it has {size} bytes, and band {band} ends at byte "
                f"{start + length}; get a fresh copy of the file"
            )


def _bands(raster: RasterDataset, path: str, rgb: Sequence[int] | None) -> tuple[int, ...]:
    alpha = alpha_bands(raster)
    colours = tuple(band for band in raster.indexes if band not in alpha)
    if rgb is None:
        return colours or tuple(raster.indexes)
    if not rgb or any(band not in colours for band in rgb):
        raise BandMismatch(
            f"{path!r} has no bands {', '.join(map(str, rgb)) or '(none given)'}; choose from "
            f"{', '.join(map(str, colours))}" + (" (the others are alpha)" if alpha else "")
        )
    return tuple(int(band) for band in rgb)


def _sizes(chunks: Chunks, shape: tuple[int, int, int]) -> Sizes | None:
    return None if chunks is None else chunk_sizes(chunks, shape)


def _pixels(source: RasterSource, sizes: Sizes | None) -> dask.array.Array | NDArray[np.float32]:
    """Returns one task per window, of names and numbers only: no file handles, locks or pixels."""
    if sizes is None:
        return read_window(source, slice(None), slice(None))
    edges = [[0, *np.cumsum(lengths).tolist()] for lengths in sizes[1:]]
    graph = {
        (source.array_name, 0, i, j): (read_window, source, slice(*rows), slice(*columns))
        for i, rows in enumerate(pairwise(edges[0]))
        for j, columns in enumerate(pairwise(edges[1]))
    }
    chunks = ((len(source.bands),), *sizes[1:])
    meta = np.empty((0, 0, 0), np.float32)
    return dask.array.Array(graph, source.array_name, chunks, meta=meta).rechunk({0: sizes[0]})


def _coordinates(raster: RasterDataset, bands: tuple[int, ...]) -> dict[str, xr.Variable]:
    shape = (raster.height, raster.width)
    coords = {"band": xr.Variable("band", np.arange(1, len(bands) + 1))}
    coords |= georef.coordinates(raster.transform, stated_crs(raster), shape)
    centres, widths = wavelengths.read_wavelengths(raster, bands)
    for name, values in {"wavelength": centres, "fwhm": widths}.items():
        if values is not None:
            attrs = wavelengths.COORDINATE_ATTRS[name]
            coords[name] = xr.Variable("band", np.array(values), attrs)
    return coords


def _variable_name(bands: tuple[int, ...], domains: tags.Domains) -> str:
    if name := domains["XARRAY"].get("NAME"):
        return name
    if tags.is_product(domains["HSI_XR"]):
        return "reflectance"
    return "rgb" if len(bands) == 3 else "image"


def _attributes(
    raster: RasterDataset, bands: tuple[int, ...], domains: tags.Domains
) -> dict[str, Any]:
    attrs = tags.attributes(domains)
    stated = raster.descriptions
    descriptions = [stated[band - 1] for band in bands]
    if any(descriptions) and not tags.is_product(domains["HSI_XR"]):
        attrs["long_name"] = tuple(text or "" for text in descriptions)
    return attrs


def _radiometry(raster: RasterDataset, bands: tuple[int, ...], domains: tags.Domains) -> str | None:
    scales, offsets = raster.scales, raster.offsets
    is_scaled = any(scales[band - 1] != 1 or offsets[band - 1] != 0 for band in bands)
    return "reflectance" if is_scaled or tags.is_product(domains["HSI_XR"]) else None
