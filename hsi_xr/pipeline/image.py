"""An image in any container, as bands with facts: a DataArray, or variables of a Dataset."""

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.errors import InvalidData
from hsi_xr.io.band_facts import BandFacts
from hsi_xr.io.decoding import decode
from hsi_xr.io.dimensions import DIMS, image_variables, repair_of, with_standard_dims
from hsi_xr.io.grid_mapping import with_georeference
from hsi_xr.io.raster_source import RasterSource, source_of
from hsi_xr.pipeline.array_facts import facts_of, with_header

_RIOXARRAY_BAND = re.compile(r"band_(\d+)")
"""Names of the variables that rioxarray makes of bands (`band_as_variable=True`)."""
_STORAGE = ("scale_factor", "add_offset", "_FillValue", "missing_value", "nodata")
"""Attributes that say how values are stored."""
_CHUNK = 512
"""Side of the chunks in which arrays that are not chunked are decoded."""


@dataclass(frozen=True, eq=False)
class Image:
    """An image whose bands have not been chosen yet.

    Attributes:
        obj: (band, y, x); or a Dataset with variables (y, x) that are its bands.
        bands: What is known about each band.
        variables: Names of these variables.
    """

    obj: xr.DataArray | xr.Dataset
    bands: tuple[BandFacts, ...]
    variables: tuple[Hashable, ...] = ()

    @property
    def alpha(self) -> list[int]:
        """Indices of the bands that are transparency."""
        return [i for i, band in enumerate(self.bands) if band.is_alpha]

    def file(self, indices: Sequence[int]) -> RasterSource | None:
        """Returns the file that windows of some bands can be read from, if it is unchanged."""
        if isinstance(self.obj, xr.Dataset):
            return None
        source = source_of(self.obj)
        return source.select(indices) if source and source.matches(self.obj) else None

    def take(self, indices: Sequence[int]) -> xr.DataArray:
        """Returns some of the bands, (band, y, x), without reading pixels."""
        if isinstance(self.obj, xr.DataArray):
            is_whole = list(indices) == list(range(self.obj.sizes["band"]))
            return self.obj if is_whole else self.obj.isel(band=list(indices))
        names = [self.variables[i] for i in indices]
        planes = self.obj[[*dict.fromkeys(names)]]
        if not is_lazy(planes):  # stacking would read the pixels
            planes = planes.chunk({"y": _CHUNK, "x": _CHUNK})
        stacked = planes.to_dataarray("band").sel(band=names)
        stacked = stacked.assign_coords(band=[i + 1 for i in indices]).transpose(*DIMS)
        return with_georeference(stacked, self.obj, names)


def image_of(obj: xr.Dataset | xr.DataArray) -> Image:
    """Returns the image of an object.

    Args:
        obj: A DataArray over y, x and bands, or a Dataset with a variable for each band, or with a
            single such array.

    Raises:
        InvalidData: The dimensions are not those of one image.
        BandMismatch: A Dataset has several images, or none.
    """
    if isinstance(obj, xr.DataArray):
        return _image_of_array(obj)
    if not isinstance(obj, xr.Dataset):
        raise InvalidData(
            f"a scene is a path, Dataset or DataArray; got {type(obj).__name__}. Wrap an array, "
            "e.g. `xr.DataArray(array, dims=('band', 'y', 'x'))`"
        )
    dataset = with_standard_dims(obj)
    names = image_variables(dataset)
    if "band" in dataset[names[0]].dims:
        return _image_of_array(with_georeference(dataset[names[0]], dataset, names))
    return _image_of_variables(dataset, names)


def is_lazy(obj: xr.Dataset | xr.DataArray) -> bool:
    """True if the pixels of an object are dask arrays."""
    arrays = [obj] if isinstance(obj, xr.DataArray) else [*obj.data_vars.values()]
    return any(array.chunks is not None for array in arrays)


def decoded(array: xr.DataArray, bands: Sequence[BandFacts], alpha: int) -> xr.DataArray:
    """Returns red, green and blue with scale and offset applied, and NaN where invalid, lazily.

    Args:
        array: (band, y, x): red, green and blue, then alpha bands.
        bands: Facts of red, green and blue.
        alpha: Number of alpha bands.
    """
    has_nodata = any(band.nodata is not None for band in bands)
    is_pending = any(band.is_scaled and band.state != "decoded" for band in bands)
    if not (alpha or has_nodata or is_pending):
        return array
    chunked = array if is_lazy(array) else array.chunk({"y": _CHUNK, "x": _CHUNK})
    stored = chunked.data.rechunk({0: -1})
    values = da.map_blocks(
        _decode_block,
        stored,
        bands=tuple(bands),
        chunks=((len(bands),), *stored.chunks[1:]),
        meta=np.empty((0, 0, 0), np.float32),
    )
    return array.isel(band=slice(len(bands))).copy(data=values)


def _decode_block(block: NDArray[Any], bands: tuple[BandFacts, ...]) -> NDArray[np.float32]:
    colour, alpha = block[: len(bands)], block[len(bands) :]
    opaque = np.all((alpha != 0) & (alpha == alpha), axis=0)  # NaN is not equal to itself
    return decode(colour, bands, opaque if len(alpha) else None)


def _image_of_array(array: xr.DataArray) -> Image:
    standard = with_standard_dims(array)
    if {*standard.dims} == {"y", "x"}:
        standard = standard.expand_dims(band=1)
    if {*standard.dims} != {*DIMS}:
        raise InvalidData(
            "a scene has the dimensions band, y, x; this one has "
            f"{', '.join(map(str, array.dims))}. Choose or rename dimensions: "
            f"`scene{repair_of(standard)}`"
        )
    standard = standard.transpose(*DIMS)
    facts = facts_of(standard)
    numbers = [fact.label if "band" in standard.coords else None for fact in facts]
    return Image(standard, with_header(facts, standard, numbers))


def _image_of_variables(dataset: xr.Dataset, names: Sequence[Hashable]) -> Image:
    """Returns variables (y, x) as the bands of one image."""
    found = [_RIOXARRAY_BAND.fullmatch(str(name)) for name in names]
    numbers = [int(match[1]) if match else None for match in found]
    bands = tuple(
        _facts_of_variable(dataset, name, is_ordered=None not in numbers) for name in names
    )
    return Image(dataset, with_header(bands, dataset[names[0]], numbers), tuple(names))


def _facts_of_variable(dataset: xr.Dataset, name: Hashable, *, is_ordered: bool) -> BandFacts:
    variable = dataset[name]
    plane = variable.expand_dims(band=1)
    plane.encoding = dict(variable.encoding)
    if not {*_STORAGE} & {*variable.attrs, *variable.encoding}:
        # `DataArray.to_dataset("band")` moves the attributes of the array to the Dataset
        plane.attrs = {key: dataset.attrs[key] for key in _STORAGE if key in dataset.attrs}
        plane.attrs |= variable.attrs
    (fact,) = facts_of(plane)
    names = tuple(dict.fromkeys((str(name), *fact.names)))
    return replace(fact, label=str(name), names=names, is_ordered=is_ordered)
