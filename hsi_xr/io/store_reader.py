"""An array of a Zarr or NetCDF store with the interface of a rasterio dataset.

It lets the code that reads, describes and validates rasters handle stores, too. GDAL cannot be
used: it reads sharded Zarr only since 3.13, and its paths name just one variable of a NetCDF file.
"""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.errors import UnreadableFile
from hsi_xr.io import georef, tags, wavelengths
from hsi_xr.io.remote import store_errors

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.control import GroundControlPoint
    from rasterio.crs import CRS
    from rasterio.enums import ColorInterp, MaskFlags
    from rasterio.windows import Window

_STORAGE_ATTRIBUTES = {"_FillValue", "scale_factor", "add_offset", "grid_mapping", "coordinates"}


class StoredArray:
    """An array of a store as a `hsi_xr.io.raster_dataset.RasterDataset`."""

    def __init__(self, driver: str, dataset: xr.Dataset, variable: str) -> None:
        self.driver, self.name = driver, variable
        self._dataset = dataset
        array = dataset[variable]
        self._array = array.transpose(*(dim for dim in ("band", "y", "x") if dim in array.dims))

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
    def count(self) -> int:
        return int(self._array.sizes.get("band", 1))

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
        return (str(self._array.dtype),) * self.count

    @property
    def scales(self) -> tuple[float, ...]:
        scale = self._array.attrs.get("scale_factor", 1)
        return (float(str(scale)),) * self.count  # via text, a float32 of 1e-4 becomes 1e-4

    @property
    def offsets(self) -> tuple[float, ...]:
        return (float(self._array.attrs.get("add_offset", 0)),) * self.count

    @property
    def nodata(self) -> float | None:
        value = self._array.attrs.get("_FillValue")
        return None if value is None else float(value)

    @property
    def nodatavals(self) -> tuple[float | None, ...]:
        return (self.nodata,) * self.count

    @property
    def units(self) -> tuple[str | None, ...]:
        unit = self._array.attrs.get("units")
        return (None if unit is None else str(unit),) * self.count

    @property
    def mask_flag_enums(self) -> list[list["MaskFlags"]]:
        from rasterio.enums import MaskFlags

        kind = MaskFlags.all_valid if self.nodata is None else MaskFlags.nodata
        return [[kind]] * self.count

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
        return tuple(
            None if centre is None else wavelengths.band_description(centre)
            for centre in self._spectrum["wavelength"]
        )

    def tags(self, bidx: int = 0, ns: str | None = None) -> dict[str, str]:
        """Returns the tags that a GeoTIFF of the same array would have."""
        if bidx:
            centre, width = (self._spectrum[name][bidx - 1] for name in ("wavelength", "fwhm"))
            domains = {} if centre is None else wavelengths.band_domains(centre, width)
        else:
            domains = tags.store_domains(self._dataset.attrs, self.name, self._own_attributes())
        return domains.get(ns or "", {})

    def read(
        self, indexes: int | Sequence[int] | None = None, *, window: "Window | None" = None
    ) -> NDArray[Any]:
        """Returns stored values, (bands, rows, columns), or (rows, columns) for one band."""
        rows, columns = window.toslices() if window is not None else (slice(None), slice(None))
        part = self._array.isel(y=rows, x=columns)
        try:
            values = part.to_numpy()
        except store_errors(ValueError, RuntimeError) as error:
            raise UnreadableFile(f"{self.name!r} is damaged ({error})") from error
        bands = values if values.ndim == 3 else values[None]
        if indexes is None or indexes == [*self.indexes]:
            return np.asarray(bands)
        return np.asarray(bands[np.asarray(indexes) - 1])

    @property
    def _georeferenced(self) -> xr.Dataset:
        """The array, with the grid-mapping variable that has its CRS and transform."""
        name = self._array.attrs.get("grid_mapping", "spatial_ref")
        array = self._array.to_dataset(name=self.name)
        return array.assign_coords({name: self._dataset[name]}) if name in self._dataset else array

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
