"""The images that a cube becomes: which array, in which numbers, under which labels."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.errors import InvalidData, UsageError
from hsi_xr.io import wavelengths
from hsi_xr.io.georef import crs_of, transform_of
from hsi_xr.output_variables import COMPANIONS, OUTPUT_VARIABLES

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.crs import CRS

DTYPES = ("int16", "float32")
DEFAULT_DTYPE: Final = "int16"
DEFAULT_SCALE: Final = 1e-4
"""Reflectance of one stored step."""


@dataclass(frozen=True)
class Storage:
    """How numbers lie in a file: as they are, or as whole steps of `scale`."""

    dtype: str
    nodata: float
    scale: float = 1.0
    limits: tuple[float, float] = (-np.inf, np.inf)
    """The least and greatest number of steps."""

    @classmethod
    def of(cls, variable: str, dtype: str, scale: float) -> "Storage":
        """How a variable is stored.

        Raises:
            UsageError: There is no such type or step.
        """
        if dtype not in DTYPES:
            raise UsageError(f"dtype is one of {', '.join(DTYPES)}; got {dtype!r}")
        if not 0 < scale < np.inf:
            raise UsageError(f"scale is the positive size of a stored step; got {scale!r}")
        known = OUTPUT_VARIABLES.get(variable)
        integer = "int16" if known is None else known.integer
        if dtype == "float32" or integer is None:
            return cls("float32", np.nan)
        if integer == "uint16":
            return cls("uint16", 65535, scale, (0, 65534))
        return cls("int16", -32768, scale, (-32767, 32767))

    def encode(self, values: NDArray[Any]) -> tuple[NDArray[Any], bool]:
        """The numbers to store, and whether some had to be cut to the limits.

        Args:
            values: Any shape; what is not finite becomes nodata.
        """
        if self.dtype == "float32":
            numbers = np.array(values, dtype=np.float32, order="C")
            numbers[np.isnan(numbers)] = np.nan  # there are many; a checksum wants one
            return numbers, False
        steps = np.asarray(values / np.float32(self.scale))
        np.rint(steps, out=steps)
        missing = ~np.isfinite(steps)
        steps[missing] = 0
        clipped = bool(steps.min() < self.limits[0] or steps.max() > self.limits[1])
        if clipped:
            steps.clip(*self.limits, out=steps)
        steps[missing] = self.nodata
        return steps.astype(self.dtype, order="C"), clipped


@dataclass(frozen=True, eq=False)
class StoredVariable:
    """What is to be stored: pixels still to be computed, and all that is said about them."""

    array: xr.DataArray
    """(band, y, x) or (y, x)."""
    name: str
    path: Path
    """Of the file that will hold it, alone or with others."""
    storage: Storage
    transform: "Affine | None"
    crs: "CRS | None"
    attrs: Mapping[Hashable, Any]
    """Of the whole cube: provenance and time of acquisition."""

    @property
    def count(self) -> int:
        return int(self.array.sizes.get("band", 1))

    @property
    def shape(self) -> tuple[int, int]:
        return self.array.sizes["y"], self.array.sizes["x"]

    @property
    def shown(self) -> tuple[int, int, int] | None:
        """The bands nearest to red, green and blue, if it has them."""
        return wavelengths.default_bands(self.wavelengths or [])

    @property
    def style(self) -> Path:
        """Of the style file that QGIS looks for beside it."""
        return self.path.with_suffix(".qml")

    @cached_property
    def wavelengths(self) -> list[float] | None:
        return self._lengths("wavelength")

    @cached_property
    def fwhm(self) -> list[float] | None:
        return self._lengths("fwhm")

    def _lengths(self, name: str) -> list[float] | None:
        """A coordinate of the bands in nm."""
        if name not in self.array.coords or self.array[name].dims != ("band",):
            return None
        unit = str(self.array[name].attrs.get("units", "nm"))
        nm = wavelengths.nm_per_unit(unit)
        if nm is None:
            raise InvalidData(
                f"coordinate {name!r} is in {unit!r}, which is no unit of wavelength known here; "
                f"convert it to nm and set cube.{name}.attrs['units'] = 'nm'"
            )
        return [float(value) * nm for value in self.array[name].values]


def stored_variables(
    obj: xr.Dataset | xr.DataArray, path: Path, dtype: str, scale: float, *, together: bool
) -> list[StoredVariable]:
    """The images of a cube, the main one first; in one file all `together`, or each in its own.

    Raises:
        UsageError: There is no array to write, its dimensions are not band, y, x, or there is no
            such way to store it.
        InvalidData: It has no pixels, or states a place or a wavelength that is none.
    """
    arrays = _arrays(obj)
    name = next(iter(arrays))
    shape = arrays[name].sizes["y"], arrays[name].sizes["x"]
    for other, array in arrays.items():
        if (array.sizes["y"], array.sizes["x"]) != shape or not array.size:
            raise InvalidData(
                f"{other!r} has {dict(array.sizes)} pixels, {name!r} {dict(arrays[name].sizes)}; "
                "all must be of one size, which is not zero"
            )
    crs, transform = crs_of(obj), transform_of(obj)
    if crs is None and transform is not None and transform.is_identity:
        transform = None  # numbers of pixels are no place
    attrs = {**arrays[name].attrs, **obj.attrs, "hsi_xr_georeferenced": "yes" if crs else "no"}
    return [
        StoredVariable(
            array=array,
            name=variable,
            path=companion_paths(path)[variable] if at and not together else path,
            storage=Storage.of(variable, dtype, scale),
            transform=transform,
            crs=crs,
            attrs=attrs,
        )
        for at, (variable, array) in enumerate(arrays.items())
    ]


def companion_paths(main: Path) -> dict[str, Path]:
    """Variables beside the reflectance -> their files."""
    return {
        name: main.with_name(f"{main.stem}{variable.suffix}{main.suffix}")
        for name, variable in COMPANIONS.items()
    }


def _arrays(obj: xr.Dataset | xr.DataArray) -> dict[str, xr.DataArray]:
    if isinstance(obj, xr.DataArray):
        return {str(obj.name or "reflectance"): _ordered(obj)}
    if "reflectance" not in obj:
        raise UsageError(
            f"write needs a variable called 'reflectance'; this dataset has "
            f"{', '.join(map(str, obj.data_vars)) or 'none'}. "
            "Pick one, e.g. `hsi_xr.write(ds['radiance'], path)`"
        )
    names = ["reflectance", *(name for name in COMPANIONS if name in obj)]
    return {name: _ordered(obj[name]) for name in names}


def _ordered(array: xr.DataArray) -> xr.DataArray:
    dims = ("band", "y", "x") if "band" in array.dims else ("y", "x")
    if set(array.dims) != set(dims):
        raise UsageError(
            f"write needs dimensions band, y, x; {array.name!r} has "
            f"{', '.join(map(str, array.dims))}. Rename them, e.g. `.rename(wavelength='band')`"
        )
    return array.transpose(*dims)
