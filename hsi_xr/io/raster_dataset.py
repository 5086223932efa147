"""Opens rasters with one interface: files that GDAL reads, and arrays of Zarr and NetCDF stores."""

import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

from numpy.typing import NDArray

from hsi_xr.errors import UnreadableFile
from hsi_xr.io.palette import expanded, is_palette
from hsi_xr.io.remote import gdal_environment, is_remote, without_query
from hsi_xr.io.stores import metadata_file, open_store, store_driver

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.control import GroundControlPoint
    from rasterio.crs import CRS
    from rasterio.enums import ColorInterp, MaskFlags
    from rasterio.rpc import RPC
    from rasterio.windows import Window

_opening = threading.Lock()  # `catch_warnings` is process-wide: two at once would lose filters


class RasterDataset(Protocol):
    """The part of `rasterio.DatasetReader` that hsi_xr uses; `StoredArray` implements it, too.

    Per-band sequences (`dtypes`, `scales`, ...) start at band 1. rasterio collects each of them
    from GDAL on every access, so read them once and index the result.
    """

    @property
    def driver(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def count(self) -> int: ...
    @property
    def indexes(self) -> tuple[int, ...]: ...
    @property
    def shape(self) -> tuple[int, int]: ...
    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def crs(self) -> "CRS | None": ...
    @property
    def transform(self) -> "Affine": ...
    @property
    def dtypes(self) -> tuple[str, ...]: ...
    @property
    def scales(self) -> tuple[float, ...]: ...
    @property
    def offsets(self) -> tuple[float, ...]: ...
    @property
    def nodata(self) -> float | None: ...
    @property
    def nodatavals(self) -> tuple[float | None, ...]: ...
    @property
    def units(self) -> tuple[str | None, ...]: ...
    @property
    def descriptions(self) -> tuple[str | None, ...]: ...
    @property
    def mask_flag_enums(self) -> "Sequence[Sequence[MaskFlags]]": ...
    @property
    def colorinterp(self) -> "tuple[ColorInterp, ...]": ...
    @property
    def gcps(self) -> "tuple[list[GroundControlPoint], CRS | None]": ...
    @property
    def rpcs(self) -> "RPC | None": ...
    @property
    def subdatasets(self) -> list[str]: ...

    def tags(self, bidx: int = 0, ns: str | None = None) -> dict[str, str]:
        """Returns the tags of the dataset, or of a band, in a domain."""

    def read(
        self, indexes: int | Sequence[int] | None = None, *, window: "Window | None" = None
    ) -> NDArray[Any]:
        """Returns stored values, (bands, rows, columns), or (rows, columns) for one band."""

    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...


def open_raster_dataset(path: str, variable: str | None = None) -> RasterDataset:
    """Opens a raster file, or an array of a store, for reading; expands a palette to its colours.

    Args:
        path: A file, a folder that is a Zarr store, or any other name that GDAL or fsspec opens.
        variable: The name of the array in a store; by default `reflectance`, else the first over
            (band, y, x), else all arrays over (y, x) as bands.

    Raises:
        UnreadableFile: There is no such raster.
        UnknownName: A store has no such variable.
    """
    from rasterio.errors import RasterioIOError

    if driver := store_driver(path):
        return open_store(path, driver, variable)
    try:
        raster = rasterio_open(path)
        if not is_palette(raster):
            return cast(RasterDataset, raster)
        with raster:
            return cast(RasterDataset, rasterio_open(expanded(raster, path)))
    except RasterioIOError as error:
        raise UnreadableFile(_unreadable(path, error)) from error


def rasterio_open(path: str, mode: str = "r", **options: Any) -> Any:
    """`rasterio.open` without its warning about missing georeferences.

    Callers check for a georeference themselves, and explain how to add one.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    with gdal_environment(path), _opening, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(path, mode, **options)


def _unreadable(path: str, error: Exception) -> str:
    if is_remote(path):
        reason = str(error).replace(path, without_query(path))
        return f"{without_query(path)!r} cannot be read as a raster ({reason}); {_advice(reason)}"
    is_gdal_name = path.startswith("/vsi") or ":" in path[2:]  # a subdataset
    if not is_gdal_name and not Path(path).exists():
        return f"{path!r} does not exist; check the path"
    return (
        f"{path!r} cannot be read as a raster ({error}); "
        "give an image that `rio info` understands, such as a GeoTIFF"
    )


def _advice(reason: str) -> str:
    if "Range downloading not supported" in reason:
        return "this server sends only whole files; download the file and open the local copy"
    return (
        "check the address and the credentials (AWS_ACCESS_KEY_ID or AWS_PROFILE, "
        "AWS_ENDPOINT_URL, AWS_NO_SIGN_REQUEST=YES for public data, or a fresh signature)"
    )


def stated_crs(raster: RasterDataset) -> "CRS | None":
    """Returns the CRS that a file states, without the one that GDAL invents for ENVI files."""
    crs = raster.crs
    if raster.driver == "ENVI" and crs is not None and 'LOCAL_CS["Arbitrary"' in crs.to_wkt():
        return None
    return crs


def alpha_bands(raster: RasterDataset) -> list[int]:
    """Returns the numbers of the bands that are transparency and not colour."""
    from rasterio.enums import ColorInterp

    kinds = zip(raster.indexes, raster.colorinterp)
    return [band for band, kind in kinds if kind == ColorInterp.alpha]


def file_version(path: str) -> tuple[int, int]:
    """Returns modification time (ns) and size of a local file or store; zeros if it is remote."""
    local = Path(path)
    try:
        status = (metadata_file(local) if local.is_dir() else local).stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size
