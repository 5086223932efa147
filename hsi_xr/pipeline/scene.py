"""Turns every accepted input into a scene: lazy RGB with location and radiometry.

What the bands of a scene mean is decided by `meaning_of` alone, from their facts
(`hsi_xr.io.band_facts`), in the same way for paths, arrays and Datasets.
"""

import os
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from hsi_xr.errors import BandMismatch, InvalidData, UsageError
from hsi_xr.io import colours
from hsi_xr.io.band_facts import BandFacts, State
from hsi_xr.io.channels import Channels
from hsi_xr.io.location import Location, require_location
from hsi_xr.io.open import open
from hsi_xr.io.raster_source import RasterSource, source_of
from hsi_xr.io.remote import without_query
from hsi_xr.pipeline.band_choice import choose_bands
from hsi_xr.pipeline.image import Image, decoded, image_of, is_lazy
from hsi_xr.pipeline.radiometry import Radiometry, resolve_radiometry
from hsi_xr.times import utc_text

_MARKS = {"hsi_xr_reconstructed", "hsi_xr_model"}
"""Attributes of cubes: the first of Datasets and files, the second of their arrays as well."""

Input = xr.Dataset | xr.DataArray | str | os.PathLike[str]


@dataclass(frozen=True)
class Meaning:
    """What the bands of an image mean.

    Attributes:
        chosen: Which bands are red, green and blue, or channels of a sensor.
        bands: Facts of these bands.
        radiometry: What their values mean.
    """

    chosen: colours.Chosen
    bands: tuple[BandFacts, ...]
    radiometry: Radiometry

    def __str__(self) -> str:
        return f"bands {self.colours}: {self.radiometry}; nodata {self.nodata}"

    @property
    def colours(self) -> str:
        """Which bands are the channels, and how they were found, as text."""
        return f"{', '.join(band.name for band in self.bands)} ({self.chosen.rule})"

    @property
    def nodata(self) -> str:
        """The nodata values of the bands, as text."""
        values = ["none" if band.nodata is None else f"{band.nodata:g}" for band in self.bands]
        return values[0] if len({*values}) == 1 else ", ".join(values)


@dataclass(frozen=True, eq=False)
class Scene:
    """A scene whose pixels have not been read yet.

    Attributes:
        rgb: (band, y, x) with the bands red, green and blue, or channels of a sensor, scaled, NaN
            where invalid.
        file: The file to read windows from, if the array is an unchanged file.
        meaning: What the bands mean.
        location: Where its pixels are.
        lazy: True if the caller expects a lazy result.
        source: Name of the file, or "".
    """

    rgb: xr.DataArray
    file: RasterSource | None
    meaning: Meaning
    location: Location
    lazy: bool
    source: str

    @property
    def radiometry(self) -> Radiometry:
        return self.meaning.radiometry


def as_scene(
    obj: Input,
    *,
    rgb: colours.Selection | None,
    radiometry: str | None,
    scale: float | None,
    offset: float | None,
    allow_ungeoreferenced: bool,
    channels: Channels | None = None,
) -> Scene:
    """Returns an object as a scene, after all checks that need no pixels.

    Arguments are those of `hsi_xr.reconstruct`; `rgb` may select channels of a sensor. Without
    `channels`, they are red, green and blue.

    Raises:
        BandMismatch: It is not clear which bands are red, green and blue, or channels.
        NotGeoreferenced: It has no location, and `allow_ungeoreferenced` is false.
        MissingFact: Its radiometry is unknown.
        UsageError: A scale or an offset is given that differs from the one that is stated.
        InvalidData: It has no pixels, other dimensions, or complex or boolean values.
    """
    opened = open(obj) if isinstance(obj, (str, os.PathLike)) else obj
    image = image_of(opened)
    _refuse_cube(opened, image, rgb)
    meaning = meaning_of(
        image, rgb=rgb, radiometry=radiometry, scale=scale, offset=offset, channels=channels
    )
    indices = meaning.chosen.indices
    array = image.take([*indices, *image.alpha])
    if source_of(array) is None:  # `open` has decoded the others
        array = decoded(array, meaning.bands, len(image.alpha))
    return Scene(
        rgb=_with_time(array),
        file=image.file(indices),
        meaning=meaning,
        location=require_location(array, allow_ungeoreferenced=allow_ungeoreferenced),
        lazy=is_lazy(opened),
        source=os.path.basename(without_query(str(array.encoding.get("source", "")))),
    )


def meaning_of(
    image: Image,
    *,
    rgb: colours.Selection | None = None,
    radiometry: str | None = None,
    scale: float | None = None,
    offset: float | None = None,
    channels: Channels | None = None,
) -> Meaning:
    """Returns what the bands of an image mean: as the caller states it, or as the image does.

    Raises:
        HsiError: As for `as_scene`.
    """
    chosen = choose_bands(image.bands, rgb, channels)
    bands = tuple(image.bands[i] for i in chosen.indices)
    _check_values(image.take(chosen.indices))
    _check_bands(bands)
    if any(band.state is None for band in bands):
        bands, is_applied = _settled(bands, scale, offset)
        scale, offset = (None, None) if is_applied else (scale, offset)
    found = resolve_radiometry(bands, radiometry=radiometry, scale=scale, offset=offset)
    if len(bands) > 3 and not found.level_known:
        raise UsageError(
            f"more than red, green and blue are used of reflectance alone, and these {len(bands)} "
            f"bands are {found.kind}; pass radiometry='reflectance' (--radiometry reflectance) if "
            "they are reflectance, or select red, green and blue (rgb=, --bands)"
        )
    return Meaning(chosen, bands, found)


def _refuse_cube(
    obj: xr.Dataset | xr.DataArray, image: Image, rgb: colours.Selection | None
) -> None:
    """Raises an error if an object is a reconstructed cube, and no bands of it are selected.

    Raises:
        BandMismatch: It is one.
    """
    marked = _MARKS & {*obj.attrs, *image.obj.attrs} or any(band.is_product for band in image.bands)
    if rgb is None and len(image.bands) > 3 and marked:
        raise BandMismatch(
            "this is a reconstructed cube; pass the RGB image that it was made from, or select "
            "bands, e.g. `cube.hsi.rgb()`"
        )


def _check_bands(bands: tuple[BandFacts, ...]) -> None:
    dtypes = {band.dtype: None for band in bands}
    if len(dtypes) > 1:
        raise BandMismatch(
            f"the bands of the scene differ in type: {', '.join(dtypes)}; convert them to one type"
        )
    if any(band.has_lost_mask for band in bands):
        raise InvalidData(
            "the file of this array has a mask of invalid pixels that the array does not have; "
            "open it with `rioxarray.open_rasterio(path, masked=True)` or `hsi_xr.open(path)`"
        )


def _settled(
    bands: tuple[BandFacts, ...], scale: float | None, offset: float | None
) -> tuple[tuple[BandFacts, ...], bool]:
    """Returns the facts of bands with a known state, and whether their scale has been applied.

    Arithmetic may keep the attributes of an array, so that floating-point values with a
    `scale_factor` may be stored values or physical ones. The caller's scale decides: 1 if they are
    physical.

    Raises:
        UsageError: No scale is given.
    """
    if scale is None and offset is None:
        raise UsageError(
            "it is not known whether the scale_factor and add_offset in the attributes of this "
            "floating-point array have been applied; pass scale=1 if they have, and the same scale "
            "and offset again if they have not"
        )
    is_applied = (1.0 if scale is None else scale, offset or 0.0) == (1.0, 0.0)
    state: State = "decoded" if is_applied else "stored"
    return tuple(replace(band, state=state) for band in bands), is_applied


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
