"""An image in any container, as bands with facts: a DataArray, or variables of a Dataset."""

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.errors import BandMismatch, HsiError, InvalidData
from hsi_xr.io import colours
from hsi_xr.io.band_facts import BandFacts
from hsi_xr.io.decoding import State, decode
from hsi_xr.io.dimensions import DIMS, repair_of, with_standard_dims
from hsi_xr.io.grid_mapping import with_georeference
from hsi_xr.pipeline.array_facts import ArrayFacts, facts_of

_RIOXARRAY_BAND = re.compile(r"band_(\d+)")
"""Names of the variables that rioxarray makes of bands (`band_as_variable=True`)."""
_CHUNK = 512
"""Side of the chunks in which arrays that are not chunked are decoded."""


@dataclass(frozen=True, eq=False)
class Image:
    """An image whose bands have not been chosen yet.

    Attributes:
        obj: (band, y, x); or a Dataset with variables (y, x) that are its bands.
        facts: What is known about its bands.
        variables: Names of these variables.
    """

    obj: xr.DataArray | xr.Dataset
    facts: ArrayFacts
    variables: tuple[Hashable, ...] = ()

    @property
    def alpha(self) -> list[int]:
        """Indices of the bands that are transparency."""
        return [i for i, band in enumerate(self.facts.bands) if band.is_alpha]

    def take(self, indices: Sequence[int]) -> xr.DataArray:
        """Returns some of the bands, (band, y, x), without reading pixels."""
        if isinstance(self.obj, xr.DataArray):
            return self.obj.isel(band=list(indices))
        names = [self.variables[i] for i in indices]
        planes = self.obj[[*dict.fromkeys(names)]]
        if planes.chunks == {}:  # stacking would read the pixels
            planes = planes.chunk({"y": _CHUNK, "x": _CHUNK})
        stacked = planes.to_dataarray("band").sel(band=names)
        stacked = stacked.assign_coords(band=[i + 1 for i in indices]).transpose(*DIMS)
        return with_georeference(stacked, self.obj, names)


def image_of(obj: xr.Dataset | xr.DataArray, selection: colours.Selection | None) -> Image:
    """Returns the image of an object.

    Args:
        obj: A DataArray over y, x and bands, or a Dataset with a variable for each band, or with a
            single such array.
        selection: The bands that are wanted, if the caller names them.

    Raises:
        InvalidData: The dimensions are not those of one image.
        BandMismatch: A Dataset has neither colours nor a single image.
    """
    if isinstance(obj, xr.DataArray):
        return _image_of_array(obj)
    if not isinstance(obj, xr.Dataset):
        raise InvalidData(f"a scene is a path, Dataset or DataArray; got {type(obj).__name__}")
    dataset = with_standard_dims(obj)
    planes = [
        name for name, variable in dataset.data_vars.items() if {*variable.dims} == {"y", "x"}
    ]
    images = [name for name, variable in dataset.data_vars.items() if {*variable.dims} == {*DIMS}]
    stack = _image_of_variables(dataset, planes) if len(planes) >= 3 else None
    if stack is not None and (not images or _has_colours(stack, selection)):
        if selection is None and not _has_colours(stack, None) and not _from_one_file(planes):
            raise BandMismatch(_without_colours(stack))
        return stack
    if len(images) == 1:
        return _image_of_array(with_georeference(dataset[images[0]], dataset, images))
    raise BandMismatch(_without_image(dataset, images))


def decoded(
    array: xr.DataArray, bands: Sequence[BandFacts], alpha: int, state: State
) -> xr.DataArray:
    """Returns red, green and blue with scale and offset applied, and NaN where invalid, lazily.

    Args:
        array: (band, y, x): red, green and blue, then alpha bands.
        bands: Facts of red, green and blue.
        alpha: Number of alpha bands.
        state: What the reader of the array has done to its values.
    """
    has_nodata = any(band.nodata is not None for band in bands)
    is_pending = state != "decoded" and any(band.is_scaled for band in bands)
    if not (alpha or has_nodata or is_pending):
        return array
    chunked = array if array.chunks is not None else array.chunk({"y": _CHUNK, "x": _CHUNK})
    stored = chunked.data.rechunk({0: -1})
    values = da.map_blocks(
        _decode_block,
        stored,
        bands=tuple(bands),
        state=state,
        chunks=((len(bands),), *stored.chunks[1:]),
        meta=np.empty((0, 0, 0), np.float32),
    )
    return array.isel(band=slice(len(bands))).copy(data=values)


def _decode_block(
    block: NDArray[Any], bands: tuple[BandFacts, ...], state: State
) -> NDArray[np.float32]:
    colour, alpha = block[: len(bands)], block[len(bands) :]
    opaque = np.all((alpha != 0) & (alpha == alpha), axis=0)  # NaN is not equal to itself
    return decode(colour, bands, opaque if len(alpha) else None, state=state)


def _image_of_array(array: xr.DataArray) -> Image:
    standard = with_standard_dims(array)
    if {*standard.dims} == {"y", "x"}:
        standard = standard.expand_dims(band=1)
    if {*standard.dims} != {*DIMS}:
        raise InvalidData(_other_dims(array, standard))
    standard = standard.transpose(*DIMS)
    return Image(standard, facts_of(standard))


def _other_dims(array: xr.DataArray, standard: xr.DataArray) -> str:
    found = f"a scene has the dimensions band, y, x; this one has {', '.join(map(str, array.dims))}"
    return f"{found}. Choose or rename dimensions: `scene{repair_of(standard)}`"


def _image_of_variables(dataset: xr.Dataset, names: Sequence[Hashable]) -> Image:
    """Returns variables (y, x) as the bands of one image."""
    each = [_facts_of_variable(dataset, name) for name in names]
    bands = tuple(facts.bands[0] for facts in each)
    first = each[0]
    state = first.state if all(facts.state == first.state for facts in each) else None
    lost = any(facts.has_lost_mask for facts in each)
    labels = tuple(map(str, names))
    facts = ArrayFacts(bands, state, labels, first.origin, labels, has_lost_mask=lost)
    return Image(dataset, facts, tuple(names))


def _facts_of_variable(dataset: xr.Dataset, name: Hashable) -> ArrayFacts:
    variable = dataset[name]
    number = _RIOXARRAY_BAND.fullmatch(str(name))
    plane = variable.expand_dims(band=[int(number[1]) if number else 1])
    plane.encoding = dict(variable.encoding)
    if number is None:
        plane.encoding.pop("source", None)  # which band of the file it is, is not known
    facts = facts_of(plane)
    names = tuple(dict.fromkeys((str(name), *facts.bands[0].names)))
    return replace(facts, bands=(replace(facts.bands[0], names=names),))


def _from_one_file(names: Sequence[Hashable]) -> bool:
    return all(_RIOXARRAY_BAND.fullmatch(str(name)) for name in names)


def _has_colours(image: Image, selection: colours.Selection | None) -> bool:
    """True if the variables of a Dataset are the colours that are wanted."""
    try:
        chosen = colours.choose(image.facts.bands, selection, labels=image.facts.labels)
    except HsiError:
        return False
    return selection is not None or chosen.rule != "by position"


def _without_colours(image: Image) -> str:
    try:
        colours.choose(image.facts.bands, labels=image.facts.labels)
    except BandMismatch as error:
        return str(error)
    names = ", ".join(map(str, image.facts.labels))
    return (
        f"it is not stated which variables are red, green and blue; the dataset has {names}. "
        "Select three, e.g. rgb=('B4', 'B3', 'B2')"
    )


def _without_image(dataset: xr.Dataset, images: Sequence[Hashable]) -> str:
    if images:
        return (
            f"the dataset has several images, {', '.join(map(str, images))}; choose one, e.g. "
            f"`ds[{str(images[0])!r}].hsi.reconstruct()`"
        )
    arrays = [array for array in dataset.data_vars.values() if array.ndim > 1]
    if arrays and not any({*array.dims} == {"y", "x"} for array in arrays):
        dims = ", ".join(map(str, arrays[0].dims))
        return (
            f"a scene has the dimensions band, y, x, or a variable (y, x) for each band; "
            f"{arrays[0].name!r} has {dims}. Choose or rename dimensions: "
            f"`ds{repair_of(arrays[0])}`"
        )
    return (
        "the dataset has no red, green, blue and no single (band, y, x) variable; it has "
        f"{', '.join(map(str, dataset.data_vars)) or 'no variables'}. Select three, e.g. "
        "rgb=('B4', 'B3', 'B2')"
    )
