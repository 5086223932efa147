"""Opens a raster file as a lazy, labelled, georeferenced array, without reading pixels."""

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import dask.array
import numpy as np
import xarray as xr
from dask.base import tokenize
from numpy.typing import NDArray

from hsi_xr.errors import BandMismatch, UnknownName
from hsi_xr.io import band_facts, colours, georef, raster_source, tags, wavelengths
from hsi_xr.io.band_facts import BandFacts
from hsi_xr.io.chunks import DEFAULT, Chunks, chunk_sizes
from hsi_xr.io.colour_names import COLOURS
from hsi_xr.io.item_bands import ItemBand
from hsi_xr.io.open_checks import check_length, check_pixels
from hsi_xr.io.raster_dataset import (
    RasterDataset,
    file_version,
    open_raster_dataset,
    stated_crs,
)
from hsi_xr.io.raster_source import RasterSource
from hsi_xr.io.reader import read_window
from hsi_xr.io.remote import file_of, without_query
from hsi_xr.io.store_reader import StoredArray
from hsi_xr.io.stores import store_driver
from hsi_xr.io.variables import companion_path
from hsi_xr.output_variables import output_variable

Sizes = tuple[tuple[int, ...], ...]
"""Chunk sizes along band, y and x."""


def open(
    path: str | os.PathLike[str],
    *,
    chunks: Chunks = DEFAULT,
    rgb: Sequence[int | str] | None = None,
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
        rgb: The bands to keep, in order: numbers counted from 1, or names (descriptions, names of
            a store's variables). Three bands are then red, green and blue for `reconstruct`.
        nodata: The stored value that marks nodata, overriding the file's own; it is
            applied by the same rule.
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
        BandMismatch: The file has no bands of these numbers.
        UnknownName: The file has no such variable, or no bands of these names.
        UsageError: `chunks` is invalid.
    """
    return open_described(path, (), chunks=chunks, rgb=rgb, nodata=nodata, variable=variable)


def open_described(
    path: str | os.PathLike[str],
    item_bands: Sequence[ItemBand],
    *,
    chunks: Chunks = DEFAULT,
    rgb: Sequence[int | str] | None = None,
    nodata: float | None = None,
    variable: str | None = None,
) -> xr.DataArray:
    """Opens a raster as `open` does, with what a STAC item states about its bands.

    Args:
        path, chunks, rgb, nodata, variable: As for `open`.
        item_bands: Bands of the asset; empty without an item.

    Raises:
        HsiError: As for `open`.
        InvalidData: The file and the item state different scales or offsets.
    """
    name = str(path) if variable is None else _file_with(str(path), variable)
    version = file_version(name)
    with open_raster_dataset(name, variable) as raster:
        check_pixels(raster, name)
        check_length(raster, name, version[1])
        domains = tags.read_domains(raster)
        facts = _facts(raster, name, item_bands, nodata, domains)
        bands = _bands(facts, name, rgb)
        sizes = _sizes(chunks, (len(bands), raster.height, raster.width))
        inner = raster.inner if isinstance(raster, StoredArray) else None
        chosen = tuple(facts[band - 1] for band in bands)
        if rgb is not None and len(chosen) == 3:
            chosen = tuple(replace(f, given=name) for f, name in zip(chosen, COLOURS))
        token = tokenize(name, *version, bands, sizes and sizes[1:], chosen, inner)
        source = RasterSource(
            path=name,
            bands=bands,
            mtime_ns=version[0],
            size=version[1],
            array_name=f"hsi-open-{token}",
            facts=chosen,
            alpha=tuple(i for i, fact in enumerate(facts, start=1) if fact.is_alpha),
            variable=inner,
            nodata=nodata,
        )
        array = xr.DataArray(
            _pixels(source, sizes),
            name=_variable_name(bands, domains),
            dims=("band", "y", "x"),
            coords=_coordinates(raster, bands, chosen),
            attrs=_attributes(raster, bands, domains),
        )
    raster_source.attach(array, source)
    return array


def _facts(
    raster: RasterDataset,
    path: str,
    item_bands: Sequence[ItemBand],
    nodata: float | None,
    domains: tags.Domains,
) -> tuple[BandFacts, ...]:
    is_product = tags.is_product(domains["HSI_XR"])
    is_ordered = not isinstance(raster, StoredArray) or raster.inner is not None
    facts = band_facts.read_facts(raster, is_product=is_product, is_ordered=is_ordered)
    facts = band_facts.with_item(facts, item_bands, without_query(path))
    return facts if nodata is None else tuple(replace(fact, nodata=nodata) for fact in facts)


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
    known = output_variable(variable) is not None and variable != "reflectance"
    companion = companion_path(file_of(path), variable) if known else None
    if companion is None or not companion.exists():
        absent = f" and no companion file {companion.name!r}" if companion else ""
        raise UnknownName(
            f"{path!r} has no variable {variable!r}{absent}; omit `variable` to open "
            f"{repr(name) if name else 'its image'}"
        )
    return str(companion)


def _bands(
    facts: Sequence[BandFacts], path: str, rgb: Sequence[int | str] | None
) -> tuple[int, ...]:
    """Returns the numbers of the bands that were asked for, or else of all but alpha."""
    if rgb is not None:
        if not rgb:
            raise BandMismatch("rgb selects no bands; give numbers or names, or omit it")
        name = repr(without_query(path))
        return tuple(i + 1 for i in colours.indices_of(facts, rgb, name=name))
    opaque = tuple(i for i, fact in enumerate(facts, start=1) if not fact.is_alpha)
    return opaque or tuple(range(1, len(facts) + 1))


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


def _stated_colours(facts: Sequence[BandFacts]) -> list[str] | None:
    """Returns red, green and blue of an image by what is stated, and "" for other bands.

    As a coordinate, they outlive arithmetic, which drops what is in `encoding`.
    """
    if any(fact.is_product for fact in facts):
        return None
    try:
        chosen = colours.choose(facts)
    except BandMismatch:
        return None
    if chosen.rule == "by position":
        return None
    names = dict(zip(chosen.indices, COLOURS))
    return [names.get(i, "") for i in range(len(facts))]


def _coordinates(
    raster: RasterDataset, bands: tuple[int, ...], facts: Sequence[BandFacts]
) -> dict[str, xr.Variable]:
    shape = (raster.height, raster.width)
    numbers = np.arange(1, len(bands) + 1)
    coords = {"band": xr.Variable("band", numbers, raster_source.BAND_ATTRS)}
    coords |= georef.coordinates(raster.transform, stated_crs(raster), shape)
    if names := _stated_colours(facts):
        coords["common_name"] = xr.Variable("band", names)
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
