"""A raster file as a lazy, labelled, georeferenced array: planned without reading a pixel."""

import os
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import dask.array
import numpy as np
import xarray as xr
from dask.base import tokenize

from hsi_xr.errors import BandMismatch, InvalidData, UnknownName, UnreadableFile, UsageError
from hsi_xr.io import georef, tags, wavelengths
from hsi_xr.io.georef import crs_of, transform_of
from hsi_xr.io.reader import Scene, Source, alpha_bands, crs_in, open_scene, read_window, stamp
from hsi_xr.io.remote import file_of
from hsi_xr.io.store_reader import StoredArray
from hsi_xr.io.stores import driver_of
from hsi_xr.io.variables import companion_paths

__all__ = ["Source", "crs_of", "open", "read_window", "source_of", "transform_of"]


def open(
    path: str | os.PathLike[str],
    *,
    chunks: int | tuple[int, int] | None = 512,
    rgb: Sequence[int] | None = None,
    nodata: float | None = None,
    variable: str | None = None,
) -> xr.DataArray:
    """A raster, or an array of a store, as float32 (band, y, x), scaled, NaN where invalid.

    A pixel is invalid, in every band, where the file says so by alpha, mask or nodata, and where
    any band is NaN or infinite. A nodata value that can be a colour (0, or any value of an
    unsigned type) counts where all bands have it. Alpha is not a band of the result.

    Args:
        path: Of a file, of a folder that is a Zarr store, or whatever else GDAL opens; `s3://` and
            `https://` (also signed) are read by ranges, and files beside them (masks, overviews)
            are not looked for.
        chunks: Side of the dask chunks in pixels, or (rows, columns); None reads at once.
        rgb: 1-based numbers of the bands to keep, in order.
        nodata: The number, as it is stored, of what is no pixel; takes the place of the file's
            own nodata value and counts by the same rule.
        variable: Of a product, e.g. `reflectance_std`, whether it is in the same file or in one
            beside it; by default what the file holds, of several `reflectance`.

    Returns:
        Coordinates `band` (1..n), the pixel centres `y` and `x` (`row` and `column` numbers
        where the grid is rotated), `spatial_ref` with CRS and transform, and where the file
        tells them `wavelength` and `fwhm` (band) in nm. Attributes are those of the file, of a
        product of ours those of its making (`hsi_xr_...`).

    Raises:
        UnreadableFile: The file is missing, truncated, or no raster.
        InvalidData: It has no pixels, or its numbers are complex or boolean.
        BandMismatch: It has no such bands.
        UnknownName: It has no such variable.
        UsageError: `chunks` is not positive.
    """
    name = str(path) if variable is None else _file_of(str(path), variable)
    changed, size = stamp(name)
    with open_scene(name, variable) as src:
        _check_pixels(src, name)
        _check_length(src, name, size)
        bands = _bands(src, name, rgb)
        blocks = _blocks((src.height, src.width), chunks)
        inner = src.name if isinstance(src, StoredArray) else None
        token = tokenize(name, changed, size, bands, blocks, nodata, inner)
        source = Source(name, bands, changed, size, f"hsi-open-{token}", inner, nodata)
        array = xr.DataArray(
            _lazy(source, blocks) if chunks else read_window(source, slice(None), slice(None)),
            dims=("band", "y", "x"),
            coords=_coordinates(src, bands),
        )
        return _described(array, src, source)


def source_of(array: xr.DataArray) -> Source | None:
    """Where the pixels of an array can be read by window, if `open` made it and nothing since."""
    source = array.encoding.get("hsi_xr_source")
    untouched = isinstance(source, Source) and getattr(array.data, "name", None) == source.name
    return source if untouched else None


def _file_of(path: str, variable: str) -> str:
    """The file that holds a variable of a product, which `path` is of.

    Raises:
        UnknownName: There is none.
    """
    if driver_of(path):
        return path
    with open_scene(path) as src:
        held = tags.domains_of(src)["XARRAY"].get("NAME")
    if held == variable:
        return path
    other = companion_paths(file_of(path)).get(variable)
    if other is None or not other.exists():
        raise UnknownName(
            f"{path!r} holds {held or 'no named variable'}, and no {variable!r} lies beside it"
            + (f" as {other.name!r}" if other else "")
            + "; leave `variable` away to read what it holds"
        )
    return str(other)


def _check_pixels(src: Scene, path: str) -> None:
    if not (src.count and src.height and src.width):
        raise InvalidData(
            f"{path!r} has no pixels ({src.count} bands of {src.height} x {src.width}); "
            "give one of its subdatasets" + "".join(f", e.g. {name!r}" for name in src.subdatasets)
        )
    odd = {dtype for dtype in src.dtypes if "complex" in dtype or dtype == "bool"}
    if odd:
        raise InvalidData(
            f"{path!r} holds {', '.join(sorted(odd))} numbers, which are no brightness; "
            "convert them first, e.g. `rio calc '(abs (read 1))'`"
        )


def _check_length(src: Scene, path: str, size: int) -> None:
    """A TIFF opens although its end is missing; where its last blocks lie tells."""
    if src.driver != "GTiff" or not size:
        return
    for band, (rows, columns) in zip(src.indexes, src.block_shapes):
        last = f"{(src.width - 1) // columns}_{(src.height - 1) // rows}"
        start, length = (
            int(src.get_tag_item(f"BLOCK_{item}_{last}", "TIFF", bidx=band) or 0)
            for item in ("OFFSET", "SIZE")
        )
        if start + length > size:
            raise UnreadableFile(
                f"{path!r} is truncated: it has {size} bytes, and band {band} ends at byte "
                f"{start + length}; get the file anew"
            )


def _bands(src: Scene, path: str, rgb: Sequence[int] | None) -> tuple[int, ...]:
    alpha = alpha_bands(src)
    colours = tuple(band for band in src.indexes if band not in alpha)
    if rgb is None:
        return colours or tuple(src.indexes)
    if not rgb or any(band not in colours for band in rgb):
        raise BandMismatch(
            f"{path!r} has no bands {', '.join(map(str, rgb)) or '(none named)'}; choose from "
            f"{', '.join(map(str, colours))}" + (", the rest is alpha" if alpha else "")
        )
    return tuple(int(band) for band in rgb)


def _blocks(
    shape: tuple[int, int], chunks: int | tuple[int, int] | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Sizes of the chunks along y and x."""
    if chunks is None:
        return (shape[0],), (shape[1],)
    sides = (chunks, chunks) if isinstance(chunks, int) else chunks
    if len(sides) != 2 or min(sides) < 1:
        raise UsageError(
            f"chunks are one positive number of pixels, (rows, columns), or None; got {chunks!r}"
        )
    rows, columns = dask.array.core.normalize_chunks(sides, shape)
    return rows, columns


def _lazy(source: Source, blocks: tuple[tuple[int, ...], tuple[int, ...]]) -> dask.array.Array:
    """One task per chunk, of names and numbers only: no handle, no lock, no pixel."""
    edges = [[0, *np.cumsum(sizes).tolist()] for sizes in blocks]
    graph = {
        (source.name, 0, i, j): (read_window, source, slice(*rows), slice(*columns))
        for i, rows in enumerate(pairwise(edges[0]))
        for j, columns in enumerate(pairwise(edges[1]))
    }
    chunks = ((len(source.bands),), *blocks)
    return dask.array.Array(graph, source.name, chunks, meta=np.empty((0, 0, 0), np.float32))


def _coordinates(src: Scene, bands: tuple[int, ...]) -> dict[str, Any]:
    shape = (src.height, src.width)
    coords: dict[str, Any] = {"band": ("band", np.arange(1, len(bands) + 1))}
    coords |= georef.coordinates(src.transform, crs_in(src), shape)
    centres, widths = wavelengths.spectrum_in(src, bands)
    for name, values in {"wavelength": centres, "fwhm": widths}.items():
        if values is not None:
            coords[name] = ("band", np.array(values), wavelengths.COORDINATE_ATTRS[name])
    return coords


def _described(array: xr.DataArray, src: Scene, source: Source) -> xr.DataArray:
    scene = tags.domains_of(src)
    product = tags.is_product(scene["HSI_XR"])
    scales, offsets = src.scales, src.offsets  # rasterio asks every band each time
    scaled = any(scales[band - 1] != 1 or offsets[band - 1] != 0 for band in source.bands)
    unnamed = "reflectance" if product else "rgb" if len(source.bands) == 3 else "image"
    array.name = scene["XARRAY"].get("NAME", unnamed)
    array.attrs = tags.attributes(scene)
    told = src.descriptions
    descriptions = [told[band - 1] for band in source.bands]
    if any(descriptions) and not product:
        array.attrs["long_name"] = tuple(text or "" for text in descriptions)
    array.encoding = {
        "dtype": src.dtypes[source.bands[0] - 1],
        "source": source.path,
        "grid_mapping": "spatial_ref",
        "hsi_xr_source": source,
    }
    if scaled or product:
        array.encoding["radiometry"] = "reflectance"
    points, _ = src.gcps
    if points:
        array.encoding["gcps"] = len(points)
    return array
