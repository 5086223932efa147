"""Arrays of a Zarr or NetCDF store with the interface of a rasterio dataset.

It lets the code that reads, describes and validates rasters handle stores, too. GDAL cannot be
used: it reads sharded Zarr only since 3.13, and its paths name just one variable of a NetCDF file.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.errors import UnreadableFile
from hsi_xr.io import georef, tags, wavelengths
from hsi_xr.io.grid_mapping import with_georeference
from hsi_xr.io.remote import store_errors

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.control import GroundControlPoint
    from rasterio.crs import CRS
    from rasterio.enums import ColorInterp, MaskFlags
    from rasterio.windows import Window

_NODATA_ATTRIBUTES = ("_FillValue", "missing_value", "fill_value", "nodata")
"""Attributes that state the nodata value of an array, in the order of rioxarray."""
_STORAGE_ATTRIBUTES = {"_FillValue", "scale_factor", "add_offset", "grid_mapping", "coordinates"}


class StoredArray:
    """An array of a store, or several as bands, as a `hsi_xr.io.raster_dataset.RasterDataset`."""

    def __init__(self, driver: str, dataset: xr.Dataset, variables: Sequence[str]) -> None:
        self.driver, self.name = driver, variables[0]
        self._dataset = dataset
        dims = ("band", "y", "x")
        arrays = [dataset[name] for name in variables]
        self._arrays = [array.transpose(*(d for d in dims if d in array.dims)) for array in arrays]
        self._array = self._arrays[0]

    def __enter__(self) -> "StoredArray":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._dataset.close()

    @property
    def variables(self) -> list[str]:
        return [str(name) for name in self._dataset.data_vars]

    @property
    def inner(self) -> str | None:
        """The name that opens the same array again; None for several as bands."""
        return self.name if len(self._arrays) == 1 else None

    @property
    def count(self) -> int:
        return len(self._per_band)

    @property
    def indexes(self) -> tuple[int, ...]:
        return tuple(range(1, self.count + 1))

    @property
    def shape(self) -> tuple[int, int]:
        return self._array.sizes["y"], self._array.sizes["x"]

    @property
    def height(self) -> int:
        return self.shape[0]

    @property
    def width(self) -> int:
        return self.shape[1]

    @property
    def dtypes(self) -> tuple[str, ...]:
        return tuple(str(array.dtype) for array in self._per_band)

    @property
    def scales(self) -> tuple[float, ...]:
        # via text, a float32 of 1e-4 becomes 1e-4
        return tuple(float(str(a.attrs.get("scale_factor", 1))) for a in self._per_band)

    @property
    def offsets(self) -> tuple[float, ...]:
        return tuple(float(str(a.attrs.get("add_offset", 0))) for a in self._per_band)

    @property
    def nodata(self) -> float | None:
        return self.nodatavals[0]

    @property
    def nodatavals(self) -> tuple[float | None, ...]:
        return tuple(nodata_of(array.attrs) for array in self._per_band)

    @property
    def units(self) -> tuple[str | None, ...]:
        units = (array.attrs.get("units") for array in self._per_band)
        return tuple(None if unit is None else str(unit) for unit in units)

    @property
    def mask_flag_enums(self) -> list[list["MaskFlags"]]:
        from rasterio.enums import MaskFlags

        return [
            [MaskFlags.all_valid if value is None else MaskFlags.nodata]
            for value in self.nodatavals
        ]

    @property
    def colorinterp(self) -> tuple["ColorInterp", ...]:
        from rasterio.enums import ColorInterp

        return (ColorInterp.undefined,) * self.count

    @property
    def gcps(self) -> "tuple[list[GroundControlPoint], None]":
        return [], None

    @property
    def rpcs(self) -> None:
        return None

    @property
    def subdatasets(self) -> list[str]:
        return []

    @cached_property
    def crs(self) -> "CRS | None":
        return georef.crs_of(self._georeferenced)

    @cached_property
    def transform(self) -> "Affine":
        from affine import Affine

        return georef.pixel_grid_of(self._georeferenced) or Affine.identity()

    @property
    def descriptions(self) -> tuple[str | None, ...]:
        if len(self._arrays) > 1:
            return tuple(str(array.name) for array in self._arrays)
        if "band" in self._array.coords and self._array["band"].dtype.kind in "OSU":
            return tuple(map(str, self._array["band"].values))
        return tuple(
            None if centre is None else wavelengths.band_description(centre)
            for centre in self._spectrum["wavelength"]
        )

    def tags(self, bidx: int = 0, ns: str | None = None) -> dict[str, str]:
        """Returns the tags that a GeoTIFF of the same array would have."""
        if bidx:
            centre, width = (self._spectrum[name][bidx - 1] for name in ("wavelength", "fwhm"))
            domains = {} if centre is None else wavelengths.band_domains(centre, width)
            if len(self._arrays) > 1 and "long_name" in self._arrays[bidx - 1].attrs:
                domains[""] = {"long_name": str(self._arrays[bidx - 1].attrs["long_name"])}
        else:
            domains = tags.store_domains(self._dataset.attrs, self.name, self._own_attributes())
        return domains.get(ns or "", {})

    def read(
        self, indexes: int | Sequence[int] | None = None, *, window: "Window | None" = None
    ) -> NDArray[Any]:
        """Returns stored values, (bands, rows, columns), or (rows, columns) for one band."""
        rows, columns = window.toslices() if window is not None else (slice(None), slice(None))
        wanted = [*self.indexes] if indexes is None else indexes
        parts = [self._arrays[at] for at in self._needed(wanted)]
        try:
            values = [part.isel(y=rows, x=columns).to_numpy() for part in parts]
        except store_errors(ValueError, RuntimeError) as error:
            raise UnreadableFile(f"{self.name!r} is damaged ({error})") from error
        if len(self._arrays) > 1:
            return values[0] if isinstance(wanted, int) else np.stack(values)
        bands = values[0] if values[0].ndim == 3 else values[0][None]
        if wanted == [*self.indexes]:
            return np.asarray(bands)
        return np.asarray(bands[np.asarray(wanted) - 1])

    def _needed(self, bands: int | Sequence[int]) -> list[int]:
        """Returns the indices of the arrays that have some bands."""
        if len(self._arrays) == 1:
            return [0]
        return [bands - 1] if isinstance(bands, int) else [band - 1 for band in bands]

    @cached_property
    def _per_band(self) -> list[xr.DataArray]:
        """The array of each band."""
        return [array for array in self._arrays for _ in range(array.sizes.get("band", 1))]

    @cached_property
    def _georeferenced(self) -> xr.DataArray:
        """The array, with the grid mapping that has its CRS and transform."""
        names = [array.name for array in self._arrays]
        return with_georeference(self._array, self._dataset, names)

    def _own_attributes(self) -> dict[str, Any]:
        attrs = self._array.attrs.items()
        return {str(key): value for key, value in attrs if key not in _STORAGE_ATTRIBUTES}

    @cached_property
    def _spectrum(self) -> dict[str, list[float | None]]:
        """Wavelengths and widths in nm, read once: each access to a remote store is a request."""
        return {name: self._lengths(name) for name in ("wavelength", "fwhm")}

    def _lengths(self, name: str) -> list[float | None]:
        """Returns a coordinate of the bands in nm, None where it is missing or has no unit."""
        coordinate = self._array.coords.get(name)
        unit = "" if coordinate is None else str(coordinate.attrs.get("units", ""))
        nm = wavelengths.nm_per_unit(unit)
        if coordinate is None or coordinate.dims != ("band",) or nm is None:
            return [None] * self.count
        values = [float(value) * nm for value in coordinate.values]
        return [value if math.isfinite(value) else None for value in values]


def nodata_of(attrs: Mapping[Any, Any]) -> float | None:
    """Returns the nodata value that the attributes of an array state, or None."""
    values = (attrs.get(name) for name in _NODATA_ATTRIBUTES)
    value = next((value for value in values if value is not None), None)
    return None if value is None else float(np.asarray(value).reshape(-1)[0])
