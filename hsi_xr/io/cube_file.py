"""What a written product states about itself."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsi_xr.errors import InvalidData, UnknownName
from hsi_xr.io import tags, wavelengths
from hsi_xr.io.raster_dataset import open_raster_dataset, stated_crs
from hsi_xr.io.stores import store_driver
from hsi_xr.io.variables import companion_paths

if TYPE_CHECKING:
    from affine import Affine
    from pyproj import CRS


@dataclass(frozen=True, kw_only=True)
class CubeFile:
    """The facts of one written array of ours, none of them derived from a name or a default."""

    path: Path
    variable: str
    """Its name, also where the file holds no other."""
    driver: str
    """Of GDAL, or that of a store."""
    shape: tuple[int, int]
    """Rows, columns."""
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
    """As TIFF writes it, in UTC: `2026:01:02 03:04:05`."""
    acquired: str | None
    """ISO 8601, in UTC."""
    descriptions: tuple[str | None, ...]
    centres: tuple[float | None, ...]
    """One per band, in um."""
    widths: tuple[float | None, ...]
    """Full width at half maximum, in um."""
    quantity: str
    """What the numbers are, in words."""
    config: Mapping[str, Any]
    """How they came about: version, model, model_sha256, seed, radiometry, source, ..."""

    @classmethod
    def read(cls, path: Path, variable: str | None = None) -> "CubeFile":
        """Read the facts of a file, of a store those of one variable, and no pixel.

        Raises:
            UnreadableFile: There is no raster of that name.
            UnknownName: A store has no such variable.
            InvalidData: It does not say that hsi_xr made it.
        """
        from pyproj import CRS

        with open_raster_dataset(str(path), variable) as src:
            scene = tags.read_domains(src)
            if not tags.is_product(scene["HSI_XR"]):
                raise InvalidData(
                    f"{str(path)!r} does not say that hsi_xr made it (it has no HSI_XR tags); "
                    "give a file that `hsi_xr.write` wrote"
                )
            attrs, made = tags.attributes(scene), tags.provenance_attributes(scene["HSI_XR"])
            centres, widths = wavelengths.read_wavelengths(src, src.indexes)
            crs = stated_crs(src)
            return cls(
                path=path,
                variable=scene["XARRAY"].get("NAME", "reflectance"),
                driver=src.driver,
                shape=src.shape,
                transform=src.transform,
                crs=CRS.from_wkt(crs.to_wkt()) if crs else None,
                dtype=src.dtypes[0],
                nodata=src.nodata,
                scale=src.scales[0],
                offset=src.offsets[0],
                unit=src.units[0],
                sampling=scene[""].get("AREA_OR_POINT", "Area").lower(),
                written=scene[""].get("TIFFTAG_DATETIME"),
                acquired=attrs.get("datetime"),
                descriptions=src.descriptions,
                centres=_micrometres(centres, src.count),
                widths=_micrometres(widths, src.count),
                quantity=str(attrs.get("long_name", "reflectance")),
                config={key.removeprefix("hsi_xr_"): value for key, value in made.items()},
            )

    @property
    def is_shared(self) -> bool:
        """Whether the file holds other variables as well."""
        return store_driver(str(self.path)) is not None

    def companion(self, variable: str) -> "CubeFile | None":
        """Another variable of the same run: of the same store, or of a file beside this one."""
        path = self.path if self.is_shared else companion_paths(self.path)[variable]
        if not path.exists():
            return None
        try:
            found = CubeFile.read(path, variable if self.is_shared else None)
        except UnknownName:
            return None
        return found if found.config == self.config else None


def _micrometres(lengths: Sequence[float] | None, count: int) -> tuple[float | None, ...]:
    """Of lengths in nm; rounding undoes what the division loses."""
    found = lengths or [math.nan] * count
    return tuple(None if math.isnan(nm) else round(nm / 1000, 12) for nm in found)
