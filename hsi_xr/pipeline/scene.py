"""Any accepted object as one thing: lazy red, green, blue with georeference and radiometry."""

import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from hsi_xr.errors import BandMismatch, InvalidData, NotGeoreferenced, UnknownName
from hsi_xr.io.georef import crs_of, transform_of
from hsi_xr.io.open import open
from hsi_xr.io.raster_source import RasterSource, source_of, stated_radiometry, stored_dtype
from hsi_xr.io.remote import without_query
from hsi_xr.pipeline.radiometry import Radiometry, resolve_radiometry

if TYPE_CHECKING:
    from affine import Affine

Selection = Sequence[int | str | float]
COLOURS = ("red", "green", "blue")


@dataclass(frozen=True, eq=False)
class Scene:
    """A scene as the pipeline sees it; nothing of it has been read.

    Attributes:
        rgb: (band, y, x) with exactly red, green, blue.
        file: Where windows can be read directly, when the array is a file's, untouched.
        lazy: Whether the caller expects a lazy answer.
    """

    rgb: xr.DataArray
    file: RasterSource | None
    radiometry: Radiometry
    transform: "Affine | None"
    georeferenced: bool
    lazy: bool
    source: str


def as_scene(
    obj: "xr.Dataset | xr.DataArray | str | os.PathLike[str]",
    *,
    rgb: Selection | None,
    radiometry: str | None,
    scale: float | None,
    allow_ungeoreferenced: bool,
) -> Scene:
    """Checks everything that can be known without reading a pixel.

    Raises:
        BandMismatch: Not three bands, and no choice of three.
        NotGeoreferenced: No CRS or no transform, and that was not allowed.
        MissingFact: The radiometry cannot be told.
        InvalidData: No pixels, no such axes, complex or boolean numbers.
    """
    is_path = isinstance(obj, (str, os.PathLike))
    array = open(obj) if is_path else obj
    chosen, file = _three(array, rgb)
    chosen = _without_nodata(chosen)
    _check_numbers(chosen)
    crs, transform = crs_of(chosen), transform_of(chosen)
    georeferenced = crs is not None and transform is not None
    if not (georeferenced or allow_ungeoreferenced):
        raise NotGeoreferenced(_what_is_missing(chosen))
    return Scene(
        rgb=chosen,
        file=file,
        radiometry=resolve_radiometry(
            stored_dtype(chosen),
            radiometry=radiometry,
            scale=scale,
            stated=stated_radiometry(chosen),
        ),
        transform=transform,
        georeferenced=georeferenced,
        lazy=chosen.chunks is not None,
        source=os.path.basename(without_query(str(chosen.encoding.get("source", "")))),
    )


def _what_is_missing(array: xr.DataArray) -> str:
    source = source_of(array)
    if source is not None and (points := source.ground_control_points):
        return (
            f"the scene is placed by {points} ground control points, not by a grid; warp it first, "
            "e.g. `gdalwarp scene.tif warped.tif`, or pass allow_ungeoreferenced=True "
            "(--allow-ungeoreferenced) to leave them away"
        )
    missing = "coordinate reference system" if crs_of(array) is None else "transform"
    return (
        f"the scene has no {missing}; assign it, e.g. `scene.rio.write_crs('EPSG:32633')`, or "
        "pass allow_ungeoreferenced=True (--allow-ungeoreferenced)"
    )


def _three(obj: Any, choice: Selection | None) -> tuple[xr.DataArray, RasterSource | None]:
    if choice is not None and len(choice) != 3:
        raise BandMismatch(f"red, green and blue are three bands; the choice has {len(choice)}")
    if isinstance(obj, xr.Dataset):
        return _three_of_dataset(obj, choice)
    if not isinstance(obj, xr.DataArray):
        raise InvalidData(f"a scene is a path, Dataset or DataArray; got {type(obj).__name__}")
    array = _ordered(obj)
    if choice is not None:
        at = [_position(array, each) for each in choice]
        file = _file_of(array)
        return array.isel(band=at), file and replace(file, bands=tuple(file.bands[i] for i in at))
    if (count := array.sizes["band"]) != 3:
        raise BandMismatch(
            f"reconstruction reads exactly red, green, blue; this scene has {count} "
            f"band{'s' if count != 1 else ''}. "
            + (
                "Choose three, e.g. rgb=(1, 2, 3) (--bands 1,2,3)"
                if count > 3
                else "Give one in colour"
            )
        )
    return array, _file_of(array)


def _file_of(array: xr.DataArray) -> RasterSource | None:
    """The file from which windows can be read directly, if the array is still all of its pixels."""
    source = source_of(array)
    return source if source is not None and source.matches(array) else None


def _three_of_dataset(
    dataset: xr.Dataset, choice: Selection | None
) -> tuple[xr.DataArray, RasterSource | None]:
    named = {str(name).lower(): name for name in dataset.data_vars}
    if choice is not None and all(each in dataset.data_vars for each in choice):
        return _stacked(dataset, list(choice)), None
    if choice is None and all(colour in named for colour in COLOURS):
        return _stacked(dataset, [named[colour] for colour in COLOURS]), None
    images = [name for name, v in dataset.data_vars.items() if {"band", "y", "x"} == set(v.dims)]
    if len(images) == 1:
        return _three(dataset[images[0]], choice)
    raise BandMismatch(
        f"the dataset has no red, green, blue and no single (band, y, x) variable; it has "
        f"{', '.join(map(str, dataset.data_vars)) or 'nothing'}. Choose: rgb=('B4', 'B3', 'B2')"
    )


def _stacked(dataset: xr.Dataset, names: list[Any]) -> xr.DataArray:
    stacked = dataset[names].to_dataarray("band").assign_coords(band=[1, 2, 3])
    dtypes = {stored_dtype(dataset[name]) for name in names}
    if len(dtypes) > 1:
        raise BandMismatch(f"red, green and blue differ in type: {', '.join(sorted(dtypes))}")
    stacked.encoding = {"dtype": dtypes.pop()}
    return _ordered(stacked)


def _ordered(array: xr.DataArray) -> xr.DataArray:
    wanted: tuple[Hashable, ...] = ("band", "y", "x")
    if set(array.dims) != set(wanted):
        raise InvalidData(
            f"a scene has the axes band, y, x; this one has {', '.join(map(str, array.dims))}. "
            "Rename them, e.g. `scene.rename(latitude='y', longitude='x')`"
        )
    return array.transpose(*wanted)


def _position(array: xr.DataArray, band: int | str | float) -> int:
    """Index of a band given by its number, or by its name in `long_name`."""
    numbers = [int(n) for n in array["band"].values] if "band" in array.coords else []
    if not numbers:
        numbers = list(range(1, array.sizes["band"] + 1))
    names = array.attrs.get("long_name", ())
    names = (names,) if isinstance(names, str) else tuple(names)
    if band in numbers:
        return numbers.index(int(band))
    if band in names:
        return names.index(str(band))
    raise UnknownName(f"no band {band!r}; the scene has bands {numbers}")


def _without_nodata(array: xr.DataArray) -> xr.DataArray:
    """NaN where all bands hold the nodata value that readers leave in `_FillValue`.

    A value below every colour (-9999) rules a pixel out in one band already.
    """
    nodata = array.attrs.get("_FillValue")
    if nodata is None or not np.isfinite(nodata):
        return array
    holds = array == nodata
    hole = holds.any("band") if nodata < 0 else holds.all("band")
    masked = array.where(~hole)
    masked.encoding = {"dtype": str(array.dtype), **array.encoding}
    masked.attrs = {name: value for name, value in array.attrs.items() if name != "_FillValue"}
    return masked


def _check_numbers(array: xr.DataArray) -> None:
    if 0 in array.shape:
        raise InvalidData(f"the scene is empty: its shape is {array.shape}")
    if not (np.issubdtype(array.dtype, np.number)) or np.iscomplexobj(array.dtype.type(0)):
        raise InvalidData(
            f"pixels must be real numbers; these are {array.dtype}. Convert them first, "
            "e.g. `abs(scene)` or `scene.astype('float32')`"
        )
