"""Turns every accepted input into a scene: lazy RGB with georeference and radiometry."""

import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from hsi_xr.errors import BandMismatch, InvalidData, UnknownName
from hsi_xr.io.grid_mapping import with_georeference
from hsi_xr.io.location import Location, require_location
from hsi_xr.io.open import open
from hsi_xr.io.raster_source import RasterSource, source_of, stated_radiometry, stored_dtype
from hsi_xr.io.remote import without_query
from hsi_xr.pipeline.radiometry import Radiometry, resolve_radiometry

Selection = Sequence[int | str | float]
COLOURS = ("red", "green", "blue")


@dataclass(frozen=True, eq=False)
class Scene:
    """An RGB scene whose pixels have not been read yet.

    Attributes:
        rgb: (band, y, x) with the bands red, green and blue.
        file: The file to read windows from, if the array is an unchanged file.
        radiometry: What the stored values mean.
        location: Where its pixels are.
        lazy: True if the caller expects a lazy result.
        source: Name of the file, or "".
    """

    rgb: xr.DataArray
    file: RasterSource | None
    radiometry: Radiometry
    location: Location
    lazy: bool
    source: str


def as_scene(
    obj: xr.Dataset | xr.DataArray | str | os.PathLike[str],
    *,
    rgb: Selection | None,
    radiometry: str | None,
    scale: float | None,
    allow_ungeoreferenced: bool,
) -> Scene:
    """Returns an object as a scene, after all checks that need no pixels.

    Arguments are those of `hsi_xr.reconstruct`.

    Raises:
        BandMismatch: The object does not have three bands, and no three are selected.
        NotGeoreferenced: It has no CRS or no transform, and `allow_ungeoreferenced` is false.
        MissingFact: Its radiometry is unknown.
        InvalidData: It has no pixels, other dimensions, or complex or boolean values.
    """
    opened = open(obj) if isinstance(obj, (str, os.PathLike)) else obj
    array, file = _select_rgb(opened, rgb)
    array = _mask_nodata(array)
    _check_values(array)
    location = require_location(array, allow_ungeoreferenced=allow_ungeoreferenced)
    return Scene(
        rgb=array,
        file=file,
        radiometry=resolve_radiometry(
            stored_dtype(array),
            radiometry=radiometry,
            scale=scale,
            stated=stated_radiometry(array),
        ),
        location=location,
        lazy=array.chunks is not None,
        source=os.path.basename(without_query(str(array.encoding.get("source", "")))),
    )


def _select_rgb(
    obj: xr.Dataset | xr.DataArray, selection: Selection | None
) -> tuple[xr.DataArray, RasterSource | None]:
    if selection is not None and len(selection) != 3:
        raise BandMismatch(f"rgb must select three bands; got {len(selection)}")
    if isinstance(obj, xr.Dataset):
        return _select_rgb_of_dataset(obj, selection)
    if not isinstance(obj, xr.DataArray):
        raise InvalidData(f"a scene is a path, Dataset or DataArray; got {type(obj).__name__}")
    array = _transpose(obj)
    file = _file_of(array)
    if selection is not None:
        indices = [_index(array, band) for band in selection]
        if file is not None:
            file = replace(file, bands=tuple(file.bands[i] for i in indices))
        return array.isel(band=indices), file
    if (count := array.sizes["band"]) != 3:
        raise BandMismatch(
            f"a reconstruction needs exactly red, green and blue; this scene has {count} "
            f"band{'s' if count != 1 else ''}. "
            + (
                "Select three, e.g. rgb=(1, 2, 3) (--bands 1,2,3)"
                if count > 3
                else "Use a colour image"
            )
        )
    return array, file


def _file_of(array: xr.DataArray) -> RasterSource | None:
    """The file that windows can be read from directly, if the array is unchanged."""
    source = source_of(array)
    return source if source is not None and source.matches(array) else None


def _select_rgb_of_dataset(
    dataset: xr.Dataset, selection: Selection | None
) -> tuple[xr.DataArray, RasterSource | None]:
    by_lower_case = {str(name).lower(): name for name in dataset.data_vars}
    if selection is not None and all(name in dataset.data_vars for name in selection):
        return _stack(dataset, list(selection)), None
    if selection is None and all(colour in by_lower_case for colour in COLOURS):
        return _stack(dataset, [by_lower_case[colour] for colour in COLOURS]), None
    images = [name for name, v in dataset.data_vars.items() if {"band", "y", "x"} == set(v.dims)]
    if len(images) == 1:
        image = with_georeference(dataset[images[0]], dataset, images)
        return _select_rgb(image, selection)
    raise BandMismatch(
        f"the dataset has no red, green, blue and no single (band, y, x) variable; it has "
        f"{', '.join(map(str, dataset.data_vars)) or 'no variables'}. Select three, e.g. "
        "rgb=('B4', 'B3', 'B2')"
    )


def _stack(dataset: xr.Dataset, names: list[Hashable]) -> xr.DataArray:
    stacked = dataset[names].to_dataarray("band").assign_coords(band=[1, 2, 3])
    dtypes = {stored_dtype(dataset[name]) for name in names}
    if len(dtypes) > 1:
        raise BandMismatch(f"red, green and blue differ in type: {', '.join(sorted(dtypes))}")
    stacked.encoding = {"dtype": dtypes.pop()}
    return _transpose(with_georeference(stacked, dataset, names))


def _transpose(array: xr.DataArray) -> xr.DataArray:
    dims: tuple[Hashable, ...] = ("band", "y", "x")
    if set(array.dims) != set(dims):
        raise InvalidData(
            f"a scene has the dimensions band, y, x; this one has "
            f"{', '.join(map(str, array.dims))}. "
            "Rename them, e.g. `scene.rename(latitude='y', longitude='x')`"
        )
    return array.transpose(*dims)


def _index(array: xr.DataArray, band: int | str | float) -> int:
    """Returns the index of a band, given by its number or by its name in `long_name`."""
    numbers = [int(n) for n in array["band"].values] if "band" in array.coords else []
    if not numbers:
        numbers = list(range(1, array.sizes["band"] + 1))
    names = array.attrs.get("long_name", ())
    names = (names,) if isinstance(names, str) else tuple(names)
    if band in numbers:
        return numbers.index(int(band))
    if band in names:
        return names.index(str(band))
    raise UnknownName(f"no band is called {band!r}; the scene has the bands {numbers}")


def _mask_nodata(array: xr.DataArray) -> xr.DataArray:
    """Returns the array with NaN where all bands have the nodata value in `_FillValue`.

    A negative nodata value cannot be a colour, so a single band with it is enough.
    """
    nodata = array.attrs.get("_FillValue")
    if nodata is None or not np.isfinite(nodata):
        return array
    is_nodata = array == nodata
    invalid = is_nodata.any("band") if nodata < 0 else is_nodata.all("band")
    masked = array.where(~invalid)
    masked.encoding = {"dtype": str(array.dtype), **array.encoding}
    masked.attrs = {name: value for name, value in array.attrs.items() if name != "_FillValue"}
    return masked


def _check_values(array: xr.DataArray) -> None:
    if 0 in array.shape:
        raise InvalidData(f"the scene is empty: its shape is {array.shape}")
    if not (np.issubdtype(array.dtype, np.number)) or np.iscomplexobj(array.dtype.type(0)):
        raise InvalidData(
            f"values must be real numbers; these are {array.dtype}. Convert them first, "
            "e.g. `abs(scene)` or `scene.astype('float32')`"
        )
