"""What a written product states about itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsi_xr.errors import InvalidData, UnreadableFile
from hsi_xr.raster import labels

if TYPE_CHECKING:
    from affine import Affine
    from pyproj import CRS


@dataclass(frozen=True, kw_only=True)
class Product:
    """The facts of one GeoTIFF of ours, none of them derived from a name or a default."""

    path: Path
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
    def read(cls, path: Path) -> "Product":
        """Read the facts of a file, and no pixel.

        Raises:
            UnreadableFile: There is no raster of that name.
            InvalidData: It does not say that hsi_xr made it.
        """
        import rasterio
        from pyproj import CRS

        try:
            src = rasterio.open(path)
        except rasterio.errors.RasterioIOError as error:
            raise UnreadableFile(f"{str(path)!r} cannot be read as a raster: {error}") from error
        with src:
            scene = {domain: src.tags(ns=domain) for domain in labels.DOMAINS}
            if not labels.is_product(scene["HSI_XR"]):
                raise InvalidData(
                    f"{str(path)!r} does not say that hsi_xr made it (it has no HSI_XR tags); "
                    "give a file that `hsi_xr.write` wrote"
                )
            attrs, made = labels.attributes(scene), labels.provenance(scene["HSI_XR"])
            bands = [src.tags(index, ns="IMAGERY") for index in src.indexes]
            return cls(
                path=path,
                shape=src.shape,
                transform=src.transform,
                crs=CRS.from_wkt(src.crs.to_wkt()) if src.crs else None,
                dtype=src.dtypes[0],
                nodata=src.nodata,
                scale=src.scales[0],
                offset=src.offsets[0],
                unit=src.units[0],
                sampling=scene[""].get("AREA_OR_POINT", "Area").lower(),
                written=scene[""].get("TIFFTAG_DATETIME"),
                acquired=attrs.get("datetime"),
                descriptions=src.descriptions,
                centres=tuple(_number(band.get("CENTRAL_WAVELENGTH_UM")) for band in bands),
                widths=tuple(_number(band.get("FWHM_UM")) for band in bands),
                quantity=str(attrs.get("long_name", "reflectance")),
                config={key.removeprefix("hsi_xr_"): value for key, value in made.items()},
            )


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)
