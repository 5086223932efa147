"""Turns every accepted input into a scene: lazy RGB with location and radiometry.

What a scene means is decided here alone, from the facts of its bands (`hsi_xr.io.band_facts`), in
the same way for paths, arrays and Datasets: which bands are red, green and blue, which pixels are
nodata, and what the numbers are.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from hsi_xr.errors import BandMismatch, InvalidData, UsageError
from hsi_xr.io import colours
from hsi_xr.io.band_facts import BandFacts
from hsi_xr.io.location import Location, require_location
from hsi_xr.io.open import open
from hsi_xr.io.raster_source import RasterSource, source_of
from hsi_xr.io.remote import without_query
from hsi_xr.pipeline.array_facts import ArrayFacts
from hsi_xr.pipeline.image import Image, decoded, image_of
from hsi_xr.pipeline.radiometry import Radiometry, resolve_radiometry
from hsi_xr.times import utc_text

_MARKS = {"hsi_xr_reconstructed", "hsi_xr_model"}
"""Attributes of cubes: the first of Datasets and files, the second of their arrays as well."""

Input = xr.Dataset | xr.DataArray | str | os.PathLike[str]


@dataclass(frozen=True, eq=False)
class Scene:
    """An RGB scene whose pixels have not been read yet.

    Attributes:
        rgb: (band, y, x) with the bands red, green and blue, scaled, NaN where invalid.
        file: The file to read windows from, if the array is an unchanged file.
        bands: Facts of red, green and blue.
        colours: Which bands they are, and how they were found.
        radiometry: What the values mean.
        location: Where its pixels are.
        lazy: True if the caller expects a lazy result.
        source: Name of the file, or "".
    """

    rgb: xr.DataArray
    file: RasterSource | None
    bands: tuple[BandFacts, ...]
    colours: colours.Chosen
    radiometry: Radiometry
    location: Location
    lazy: bool
    source: str

    @property
    def nodata(self) -> str:
        """The nodata values of red, green and blue, as text."""
        values = ["none" if band.nodata is None else f"{band.nodata:g}" for band in self.bands]
        return values[0] if len({*values}) == 1 else ", ".join(values)


def as_scene(
    obj: Input,
    *,
    rgb: colours.Selection | None,
    radiometry: str | None,
    scale: float | None,
    offset: float | None,
    allow_ungeoreferenced: bool,
) -> Scene:
    """Returns an object as a scene, after all checks that need no pixels.

    Arguments are those of `hsi_xr.reconstruct`.

    Raises:
        BandMismatch: It is not clear which bands are red, green and blue.
        NotGeoreferenced: It has no location, and `allow_ungeoreferenced` is false.
        MissingFact: Its radiometry is unknown.
        UsageError: A scale or an offset is given that differs from the one that is stated.
        InvalidData: It has no pixels, other dimensions, or complex or boolean values.
    """
    opened = open(obj) if isinstance(obj, (str, os.PathLike)) else obj
    image = image_of(opened, rgb)
    facts = image.facts
    _refuse_cube(opened, image, rgb)
    if rgb is None and facts.is_chosen:
        rgb = (1, 2, 3)
    chosen = colours.choose(facts.bands, rgb, labels=facts.labels)
    array = image.take([*chosen.indices, *image.alpha])
    _check_values(array)
    bands = tuple(facts.bands[i] for i in chosen.indices)
    _check_bands(bands, facts)
    facts = _settled(facts, bands, scale, offset)
    meaning = resolve_radiometry(
        facts.bands, radiometry=radiometry, scale=scale, offset=offset, origin=facts.origin
    )
    if source_of(array) is None:  # `open` has decoded the others
        array = decoded(array, facts.bands, len(image.alpha), facts.state or "stored")
    return Scene(
        rgb=_with_time(array),
        file=_file_of(image, chosen.indices),
        bands=bands,
        colours=replace(chosen, labels=_labels(facts, chosen)),
        radiometry=meaning,
        location=require_location(array, allow_ungeoreferenced=allow_ungeoreferenced),
        lazy=opened.chunks not in (None, {}),
        source=os.path.basename(without_query(str(array.encoding.get("source", "")))),
    )


def _refuse_cube(
    obj: xr.Dataset | xr.DataArray, image: Image, rgb: colours.Selection | None
) -> None:
    """Raises an error if an object is a reconstructed cube, and no bands of it are selected.

    Raises:
        BandMismatch: It is one.
    """
    marked = _MARKS & {*obj.attrs, *image.obj.attrs}
    if rgb is None and len(image.facts.bands) > 3 and marked:
        raise BandMismatch(
            "this is a reconstructed cube; give the RGB image that it was made from, or select "
            "bands, e.g. `cube.hsi.rgb()`"
        )


def _file_of(image: Image, indices: Sequence[int]) -> RasterSource | None:
    """Returns the file that windows can be read from directly, if the array is unchanged."""
    if isinstance(image.obj, xr.Dataset):
        return None
    source = source_of(image.obj)
    return source.select(indices) if source and source.matches(image.obj) else None


def _check_bands(bands: tuple[BandFacts, ...], facts: ArrayFacts) -> None:
    dtypes = {band.dtype: None for band in bands}
    if len(dtypes) > 1:
        raise BandMismatch(
            f"red, green and blue differ in type: {', '.join(dtypes)}; convert them to one type"
        )
    if facts.has_lost_mask:
        raise InvalidData(
            "the file of this array has a mask of invalid pixels that the array does not have; "
            "open it with `rioxarray.open_rasterio(path, masked=True)` or `hsi_xr.open(path)`"
        )


def _settled(
    facts: ArrayFacts, bands: tuple[BandFacts, ...], scale: float | None, offset: float | None
) -> ArrayFacts:
    """Returns the facts of red, green and blue with a known state.

    Arithmetic may keep the attributes of an array, so that floating-point values with a
    `scale_factor` may be stored values or physical ones. The caller's scale decides.

    Raises:
        UsageError: The state is unknown, and no scale is given.
    """
    if facts.state is not None:
        return replace(facts, bands=bands)
    if scale is None and offset is None:
        raise UsageError(
            "it is not known whether the scale_factor and add_offset in the attributes of this "
            "floating-point array have been applied; remove them if they have, e.g. `del "
            "scene.attrs['scale_factor']`, or give scale= and offset= of its values"
        )
    if (1.0 if scale is None else scale, offset or 0.0) == (1.0, 0.0):
        bands = tuple(replace(band, scale=1.0, offset=0.0) for band in bands)
    return replace(facts, bands=bands, state="stored")


def _check_values(array: xr.DataArray) -> None:
    if 0 in array.shape:
        raise InvalidData(f"the scene is empty: its shape is {array.shape}")
    if not (np.issubdtype(array.dtype, np.number)) or np.iscomplexobj(array.dtype.type(0)):
        raise InvalidData(
            f"values must be real numbers; these are {array.dtype}. Convert them first, "
            "e.g. `abs(scene)` or `scene.astype('float32')`"
        )


def _with_time(array: xr.DataArray) -> xr.DataArray:
    """Returns the array with its time coordinate, if it has one, as the acquisition time."""
    time = array.coords.get("time")
    if "datetime" in array.attrs or time is None or time.ndim or time.dtype.kind != "M":
        return array
    moment = time.values.astype("datetime64[s]")
    if np.isnat(moment) or moment == moment.astype("datetime64[D]"):
        return array  # a day without a time of day
    return array.assign_attrs(datetime=utc_text(f"{moment}Z"))


def _labels(facts: ArrayFacts, chosen: colours.Chosen) -> tuple[str, str, str]:
    red, green, blue = (str(facts.numbers[i]) for i in chosen.indices)
    return red, green, blue
