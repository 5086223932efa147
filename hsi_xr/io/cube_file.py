"""Reads the metadata of a written product."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsi_xr.errors import InvalidData, UnknownName
from hsi_xr.io import tags, wavelengths
from hsi_xr.io.raster_dataset import open_raster_dataset, stated_crs
from hsi_xr.io.remote import is_remote
from hsi_xr.io.stores import store_driver
from hsi_xr.io.variables import companion_path
from hsi_xr.output_variables import companion_names, draw_name

if TYPE_CHECKING:
    from affine import Affine
    from pyproj import CRS


@dataclass(frozen=True, kw_only=True)
class CubeFile:
    """The metadata of one variable of a product, as stated in its file, without defaults."""

    path: Path
    variable: str
    """Name of the variable, even if it is the only one in the file."""
    driver: str
    """Name of GDAL's driver; `Zarr` or `netCDF` for a store."""
    shape: tuple[int, int]
    """(rows, columns)"""
    transform: "Affine"
    crs: "CRS | None"
    dtype: str
    nodata: float | None
    scale: float
    offset: float
    unit: str | None
    sampling: str
    """`area` or `point`."""
    written: str | None
    """Time of writing in UTC, in TIFF's notation: `2026:01:02 03:04:05`."""
    acquired: str | None
    """Time or period of acquisition in UTC, ISO 8601."""
    descriptions: tuple[str | None, ...]
    centres: tuple[float | None, ...]
    """Wavelength of each band in um."""
    widths: tuple[float | None, ...]
    """Full width at half maximum of each band in um."""
    quantity: str
    """What the values are, in words."""
    config: Mapping[str, Any]
    """The provenance: version, model, model_sha256, seed, radiometry, source, ..."""

    @classmethod
    def read(cls, path: Path, variable: str | None = None) -> "CubeFile":
        """Reads the metadata of a file, or of a variable of a store, but no pixels.

        Raises:
            UnreadableFile: There is no such raster.
            UnknownName: A store has no such variable.
            InvalidData: The file is not a product of hsi_xr.
        """
        from pyproj import CRS

        with open_raster_dataset(str(path), variable) as raster:
            domains = tags.read_domains(raster)
            if not tags.is_product(domains["HSI_XR"]):
                raise InvalidData(
                    f"{str(path)!r} is not a product of hsi_xr (it has no HSI_XR tags); give a "
                    "file that `hsi_xr.write` wrote"
                )
            attrs = tags.attributes(domains)
            centres, widths = wavelengths.read_wavelengths(raster, raster.indexes)
            crs = stated_crs(raster)
            return cls(
                path=path,
                variable=domains["XARRAY"].get("NAME", "reflectance"),
                driver=raster.driver,
                shape=raster.shape,
                transform=raster.transform,
                crs=CRS.from_wkt(crs.to_wkt()) if crs else None,
                dtype=raster.dtypes[0],
                nodata=raster.nodata,
                scale=raster.scales[0],
                offset=raster.offsets[0],
                unit=raster.units[0],
                sampling=domains[""].get("AREA_OR_POINT", "Area").lower(),
                written=domains[""].get("TIFFTAG_DATETIME"),
                acquired=attrs.get("datetime"),
                descriptions=raster.descriptions,
                centres=_micrometres(centres, raster.count),
                widths=_micrometres(widths, raster.count),
                quantity=str(attrs.get("long_name", "reflectance")),
                config=tags.provenance_in(domains["HSI_XR"]),
            )

    @property
    def is_shared(self) -> bool:
        """True if the file is a store, which contains all variables of a product."""
        return store_driver(str(self.path)) is not None

    @property
    def companions(self) -> dict[str, "CubeFile"]:
        """Name -> the other variables of the same run, in the same store or in companion files."""
        names = [name for name in companion_names(self.config) if name != self.variable]
        found = {name: self.companion(name) for name in names}
        return {name: file for name, file in found.items() if file is not None}

    def companion(self, variable: str) -> "CubeFile | None":
        """Returns another variable of the same run, from the same store or a companion file."""
        path = self.path if self.is_shared else companion_path(self.path, variable)
        if not path.exists():
            return None
        try:
            companion = CubeFile.read(path, variable if self.is_shared else None)
        except UnknownName:
            return None
        return companion if companion.config == self.config else None


def companions_of(path: str) -> list[str]:
    """Returns the names of the companions of a product; none if it is not a product."""
    if is_remote(path) and store_driver(path) is None:
        return []  # companions would cost requests, and a signed URL is for one file
    try:
        product = CubeFile.read(Path(path))
    except InvalidData:
        return []
    is_main = product.variable == "reflectance" or (
        product.is_shared and product.variable == draw_name(1)
    )
    if not is_main:
        return []
    return [*product.companions]


def _micrometres(lengths: Sequence[float] | None, count: int) -> tuple[float | None, ...]:
    """Converts lengths from nm to um; rounding removes the error of the division."""
    values = lengths or [math.nan] * count
    return tuple(None if math.isnan(nm) else round(nm / 1000, 12) for nm in values)
