"""The variables of a cube as files store them: value encoding, georeference and metadata."""

import glob
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.errors import InvalidData, UsageError
from hsi_xr.io import wavelengths
from hsi_xr.io.draws import mean_of_draws, split_draws
from hsi_xr.io.location import location_of
from hsi_xr.output_variables import (
    COMPANIONS,
    SAMPLE,
    companions_among,
    output_variable,
)

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.crs import CRS

DTYPES = ("int16", "float32")
DEFAULT_DTYPE: Final = "int16"
DEFAULT_SCALE: Final = 1e-4
"""Reflectance per stored step."""

StoredValues: TypeAlias = NDArray[np.generic]
"""Values as a file stores them: int16, uint16 or float32."""


@dataclass(frozen=True)
class Storage:
    """How values are stored: as float32, or as whole steps of `scale` in an integer type."""

    dtype: str
    nodata: float
    scale: float = 1.0
    limits: tuple[float, float] = (-np.inf, np.inf)
    """Smallest and largest number of steps."""

    @classmethod
    def for_variable(cls, variable: str, dtype: str, scale: float) -> Self:
        """Returns the storage of a variable in a product of a given dtype and scale.

        Raises:
            UsageError: The dtype is not supported, or the scale is not positive and finite.
        """
        if dtype not in DTYPES:
            raise UsageError(f"dtype must be one of {', '.join(DTYPES)}; got {dtype!r}")
        if not 0 < scale < np.inf:
            raise UsageError(
                f"scale is the size of a stored step and must be positive; got {scale!r}"
            )
        known = output_variable(variable)
        integer = "int16" if known is None else known.integer
        if dtype == "float32" or integer is None:
            return cls("float32", np.nan)
        if integer == "uint16":
            return cls("uint16", 65535, scale, (0, 65534))
        return cls("int16", -32768, scale, (-32767, 32767))

    def encode(self, values: NDArray[np.number]) -> tuple[StoredValues, bool]:
        """Returns the values to store, and True if some were clipped to the limits.

        Args:
            values: Any shape; values that are not finite are stored as nodata.
        """
        if self.dtype == "float32":
            stored = np.array(values, dtype=np.float32, order="C")
            stored[np.isnan(stored)] = np.nan  # NaN has many bit patterns, a checksum needs one
            return stored, False
        steps = np.asarray(values / np.float32(self.scale))
        np.rint(steps, out=steps)
        missing = ~np.isfinite(steps)
        steps[missing] = 0
        is_clipped = bool(steps.min() < self.limits[0] or steps.max() > self.limits[1])
        if is_clipped:
            steps.clip(*self.limits, out=steps)
        steps[missing] = self.nodata
        return steps.astype(self.dtype, order="C"), is_clipped


@dataclass(frozen=True, eq=False)
class StoredVariable:
    """A variable to be written: its lazy pixels, and everything that its file states about them."""

    array: xr.DataArray
    """(band, y, x) or (y, x)."""
    name: str
    path: Path
    """File that will contain it, alone or with other variables."""
    storage: Storage
    transform: "Affine | None"
    crs: "CRS | None"
    attrs: Mapping[Hashable, Any]
    """Attributes of the whole cube: provenance and acquisition time."""

    @property
    def count(self) -> int:
        """Number of bands."""
        return int(self.array.sizes.get("band", 1))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.array.sizes["y"], self.array.sizes["x"]

    @property
    def rgb_bands(self) -> tuple[int, int, int] | None:
        """1-based numbers of the bands nearest to red, green and blue; None if it has none."""
        return wavelengths.default_bands(self.wavelengths or [])

    @property
    def style_path(self) -> Path:
        """QGIS reads the style of a raster from this file."""
        return self.path.with_suffix(".qml")

    @cached_property
    def wavelengths(self) -> list[float] | None:
        """Centre wavelengths in nm."""
        return self._nanometres("wavelength")

    @cached_property
    def fwhm(self) -> list[float] | None:
        """Full widths at half maximum in nm."""
        return self._nanometres("fwhm")

    def _nanometres(self, name: str) -> list[float] | None:
        if name not in self.array.coords or self.array[name].dims != ("band",):
            return None
        unit = str(self.array[name].attrs.get("units", "nm"))
        nm = wavelengths.nm_per_unit(unit)
        if nm is None:
            raise InvalidData(
                f"coordinate {name!r} has the unit {unit!r}, which is not a known unit of "
                f"wavelength; convert it to nm and set cube.{name}.attrs['units'] = 'nm'"
            )
        return [float(value) * nm for value in self.array[name].values]


def stored_variables(
    obj: xr.Dataset | xr.DataArray, path: Path, *, dtype: str, scale: float, in_one_file: bool
) -> list[StoredVariable]:
    """Returns the variables of a cube, reflectance first.

    Args:
        obj: A dataset with a variable `reflectance`, or one array. Joint draws become a variable
            each; if each variable has a file, the main file contains their mean.
        path: The main file.
        dtype: See `write`.
        scale: See `write`.
        in_one_file: True if the main file contains all variables, False if each has its own.

    Raises:
        UsageError: There is no array to write, its dimensions are not band, y, x, or dtype or
            scale are not supported.
        InvalidData: The arrays have no pixels or differ in size, or a georeference or wavelength
            is invalid.
    """
    arrays = _arrays(obj, in_one_file=in_one_file)
    _check_sizes(arrays)
    main = next(iter(arrays.values()))
    location = location_of(obj)
    georeferenced = "yes" if location.is_known else "no"
    attrs = {**main.attrs, **obj.attrs, "hsi_xr_georeferenced": georeferenced}
    return [
        StoredVariable(
            array=array,
            name=name,
            path=path if in_one_file or array is main else companion_path(path, name),
            storage=Storage.for_variable(name, dtype, scale),
            transform=location.transform,
            crs=location.crs,
            attrs=attrs,
        )
        for name, array in arrays.items()
    ]


def companion_path(main: Path, variable: str) -> Path:
    """Returns the file of a variable that accompanies the reflectance."""
    known = output_variable(variable)
    return main.with_name(f"{main.stem}{known.suffix if known else ''}{main.suffix}")


def companion_paths(main: Path) -> dict[str, Path]:
    """Returns variable -> file, for the variables that can accompany the reflectance.

    Quantiles, which can have any probability, and draws are left out.
    """
    return {name: companion_path(main, name) for name in COMPANIONS}


def existing_companions(main: Path) -> dict[str, Path]:
    """Returns variable -> file, for all files next to a product that are named as companions."""
    paths = {name: path for name, path in companion_paths(main).items() if path.exists()}
    for path in sorted(main.parent.glob(f"{glob.escape(main.stem)}_[dq]*{main.suffix}")):
        name = f"reflectance{path.stem.removeprefix(main.stem)}"
        if output_variable(name) is not None:
            paths[name] = path
    return paths


def _arrays(obj: xr.Dataset | xr.DataArray, *, in_one_file: bool) -> dict[str, xr.DataArray]:
    if isinstance(obj, xr.DataArray):
        name = str(obj.name or "reflectance")
        if SAMPLE in obj.dims and name == "reflectance":
            return _of_draws(obj, in_one_file=in_one_file)
        return {name: _transpose(obj)}
    if "reflectance" not in obj:
        raise UsageError(
            f"write needs a variable called 'reflectance'; this dataset has "
            f"{', '.join(map(str, obj.data_vars)) or 'none'}. "
            "Select one, e.g. `hsi_xr.write(ds['radiance'], path)`"
        )
    companions = {name: _transpose(obj[name]) for name in companions_among(obj.data_vars)}
    main = obj["reflectance"]
    if SAMPLE in main.dims:
        return _of_draws(main, in_one_file=in_one_file) | companions
    return {"reflectance": _transpose(main), **companions}


def _of_draws(array: xr.DataArray, *, in_one_file: bool) -> dict[str, xr.DataArray]:
    """Returns each of several joint draws and, if each has its own file, first their mean."""
    mean = {} if in_one_file else {"reflectance": mean_of_draws(array)}
    return {name: _transpose(each) for name, each in (mean | split_draws(array)).items()}


def _transpose(array: xr.DataArray) -> xr.DataArray:
    dims = ("band", "y", "x") if "band" in array.dims else ("y", "x")
    if set(array.dims) != set(dims):
        raise UsageError(
            f"write needs the dimensions band, y, x; {array.name!r} has "
            f"{', '.join(map(str, array.dims))}. Rename them, e.g. `.rename(wavelength='band')`"
        )
    return array.transpose(*dims)


def _check_sizes(arrays: Mapping[str, xr.DataArray]) -> None:
    (name, main), *_ = arrays.items()
    shape = main.sizes["y"], main.sizes["x"]
    for other, array in arrays.items():
        if (array.sizes["y"], array.sizes["x"]) != shape or not array.size:
            raise InvalidData(
                f"{other!r} has the sizes {dict(array.sizes)}, {name!r} {dict(main.sizes)}; all "
                "variables must have the same rows and columns, and at least one pixel"
            )
