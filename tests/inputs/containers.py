"""Every way in which an image reaches the package: paths, arrays and Datasets of other readers."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import odc.stac
import pystac
import rasterio
import rioxarray
import xarray as xr
from odc.geo.geobox import GeoBox
from rasterio.crs import CRS

import hsi_xr
from hsi_xr.io.georef import coordinates
from tests.inputs.encodings import (
    COLOURS,
    COLUMNS,
    ROWS,
    WAVELENGTHS,
    Encoding,
    Order,
    write_geotiff,
)
from tests.scenes import GRID, UTM

CHUNKS = {"y": 16, "x": 21}
TIME = np.datetime64("2026-05-04T10:30:00", "ns")

Scene = Path | xr.DataArray | xr.Dataset


@dataclass(frozen=True, eq=False)
class Files:
    """Files of a folder, each written once."""

    folder: Path
    written: dict[tuple[str, ...], Path] = field(default_factory=dict)

    def geotiff(self, encoding: Encoding, order: Order) -> Path:
        return self._file(".tif", encoding, order, write_geotiff)

    def store(self, encoding: Encoding, order: Order, *, suffix: str, variables: bool) -> Path:
        """A NetCDF file or a Zarr store, with one array or with a variable for each band."""
        write = partial(write_store, variables=variables)
        return self._file(suffix, encoding, order, write, kind=f"variables={variables}")

    def single(self, encoding: Encoding, order: Order, band: str) -> Path:
        """A GeoTIFF of one band."""
        return self._file(".tif", encoding, order, partial(_write_band, band=band), kind=band)

    def _file(
        self,
        suffix: str,
        encoding: Encoding,
        order: Order,
        write: Callable[[Path, Encoding, Order], object],
        kind: str = "",
    ) -> Path:
        key = (suffix, encoding.name, order.name, kind)
        if key not in self.written:
            path = self.folder / f"{len(self.written)}{suffix}"
            write(path, encoding, order)
            self.written[key] = path
        return self.written[key]


@dataclass(frozen=True, eq=False)
class Container:
    """A way to open an image.

    Attributes:
        name: Name of the case.
        open: Returns the image.
        by: The statements about colours that it keeps; see `Order.by`.
        has_file: It is a file, or an array that names its file, so that alpha bands and masks are
            known.
        has_mask: Pixels that a mask makes invalid are NaN, or known.
        states_scale: Scale and offset are stated, unless they have been applied.
        is_float: Values are floating-point numbers, and nothing says what they were.
        keeps_nodata: It is known which value NaN was.
        one_order: It differs from another one in chunks or axes only, which say nothing about
            colours, and comes in one order.
        is_sorted: Bands are in the order of their names, and numbered in it.
        has_names: Names of the bands are kept, and not something else that says the same.
    """

    name: str
    open: Callable[[Files, Encoding, Order], Scene]
    by: tuple[str, ...] = ("position", "names")
    has_file: bool = False
    has_mask: bool = True
    states_scale: bool = True
    is_float: bool = False
    keeps_nodata: bool = True
    has_names: bool = True
    one_order: bool = False
    is_sorted: bool = False

    def __str__(self) -> str:
        return self.name

    def holds(self, encoding: Encoding, order: Order) -> bool:
        """True if the combination exists."""
        return order.by in self.by and (self.has_file or not (encoding.alpha or encoding.mask))

    def numbers(self, order: Order) -> tuple[int, ...]:
        """Numbers of red, green and blue."""
        bands = sorted(order.bands) if self.is_sorted else order.bands
        return tuple(bands.index(colour) + 1 for colour in COLOURS)

    def options(self, encoding: Encoding) -> dict[str, Any]:
        """What the user has to say, since neither file nor container says it."""
        options: dict[str, Any] = {}
        if encoding.dtype == "float32" or self.is_float or self._needs_scale(encoding):
            options["radiometry"] = encoding.kind
        if self.is_float and encoding.kind == "srgb":
            options["scale"] = 1 / 255
        if self._needs_scale(encoding):
            options |= {"scale": encoding.scale, "offset": encoding.offset}
        return options

    def _needs_scale(self, encoding: Encoding) -> bool:
        return encoding.is_scaled and not self.states_scale and not self.is_float


# files


def _rioxarray(files: Files, encoding: Encoding, order: Order, **options: Any) -> Scene:
    opened = rioxarray.open_rasterio(files.geotiff(encoding, order), **options)
    assert isinstance(opened, xr.DataArray | xr.Dataset)
    return opened


def _renamed(files: Files, encoding: Encoding, order: Order) -> Scene:
    return _rioxarray(files, encoding, order).rename(band="channel", y="northing", x="easting")


def _last_band(files: Files, encoding: Encoding, order: Order) -> Scene:
    return _rioxarray(files, encoding, order).transpose("y", "x", "band")


def _timed(files: Files, encoding: Encoding, order: Order) -> Scene:
    return _rioxarray(files, encoding, order).expand_dims(time=[TIME])


def _engine(files: Files, encoding: Encoding, order: Order, engine: str) -> Scene:
    return xr.open_dataset(files.geotiff(encoding, order), engine=engine)


def _hsi_xr_chunked(files: Files, encoding: Encoding, order: Order) -> Scene:
    return hsi_xr.open(files.geotiff(encoding, order), chunks=CHUNKS)


_RIOXARRAY: Mapping[str, Mapping[str, bool]] = {
    "raw": {},
    "masked": {"masked": True},
    "mask_and_scale": {"mask_and_scale": True},
    "band_as_variable": {"band_as_variable": True},
}

_OF_FILES: Mapping[str, Any] = {
    "by": ("position", "interpretation", "names", "both"),
    "has_file": True,
}
_RAW: Mapping[str, Any] = {**_OF_FILES, "has_mask": False}

# arrays and Datasets of other readers, which state what CF and STAC do


def _attrs(encoding: Encoding) -> dict[str, Any]:
    attrs: dict[str, Any] = {}
    if encoding.is_scaled:
        attrs |= {"scale_factor": encoding.scale, "add_offset": encoding.offset}
    if encoding.nodata is not None:
        attrs["_FillValue"] = np.dtype(encoding.dtype).type(encoding.nodata)
    return attrs


def _array(encoding: Encoding, order: Order) -> xr.DataArray:
    names: list[Any] = [*order.bands] if order.by == "names" else [1, 2, 3]
    located = coordinates(GRID, CRS.from_string(UTM), (ROWS, COLUMNS))
    return xr.DataArray(
        encoding.stored()[order.indices],
        dims=("band", "y", "x"),
        coords={"band": names, **located},
        attrs=_attrs(encoding),
        name="image",
    )


def _dataset(encoding: Encoding, order: Order, *, variables: bool) -> xr.Dataset:
    array = _array(encoding, order)
    if not variables:
        return array.to_dataset()
    planes = {
        band: array.isel(band=i, drop=True).rename(band) for i, band in enumerate(order.bands)
    }
    return xr.Dataset(planes)


def _by_wavelength(files: Files, encoding: Encoding, order: Order) -> Scene:
    nm = [WAVELENGTHS[band] for band in order.bands]
    array = _array(encoding, order).drop_vars("band").rename(band="wavelength")
    return array.assign_coords(wavelength=("wavelength", nm, {"units": "nm"}))


def _swapped(files: Files, encoding: Encoding, order: Order) -> Scene:
    array = _rioxarray(files, encoding, order)
    nm = [WAVELENGTHS[band] for band in order.bands] + [np.nan] * encoding.alpha
    return array.assign_coords(wavelength=("band", nm)).swap_dims(band="wavelength")


def _variables(files: Files, encoding: Encoding, order: Order) -> Scene:
    return _dataset(encoding, order, variables=True)


def write_store(
    path: Path, encoding: Encoding, order: Order, *, variables: bool, consolidated: bool = True
) -> None:
    """Write a NetCDF file or a Zarr store."""
    dataset = _dataset(encoding, order, variables=variables)
    for variable in dataset.data_vars.values():
        variable.encoding["grid_mapping"] = "spatial_ref"
    if path.suffix == ".nc":
        dataset.to_netcdf(path, engine="h5netcdf")
    else:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Consolidated metadata")
            dataset.to_zarr(path, consolidated=consolidated)


def _store_path(
    files: Files, encoding: Encoding, order: Order, *, suffix: str, variables: bool
) -> Scene:
    return files.store(encoding, order, suffix=suffix, variables=variables)


def _opened_store(
    files: Files, encoding: Encoding, order: Order, *, suffix: str, variables: bool, decode: bool
) -> Scene:
    path = files.store(encoding, order, suffix=suffix, variables=variables)
    engine = "h5netcdf" if suffix == ".nc" else "zarr"
    return xr.open_dataset(
        path, engine=engine, mask_and_scale=decode, decode_coords="all", chunks={}
    )


def _write_band(path: Path, encoding: Encoding, order: Order, *, band: str) -> None:
    settings = {"driver": "GTiff", "count": 1, "height": ROWS, "width": COLUMNS}
    settings |= {"dtype": encoding.dtype, "crs": UTM, "transform": GRID, "nodata": encoding.nodata}
    with rasterio.open(path, "w", **settings) as file:
        file.write(encoding.stored()[order.indices[order.bands.index(band)]], 1)
        file.scales, file.offsets = [encoding.scale], [encoding.offset]


def _odc(files: Files, encoding: Encoding, order: Order, **options: Any) -> Scene:
    """As odc-stac loads an item with an asset for each band; it ignores scales."""
    box = GeoBox((ROWS, COLUMNS), GRID, UTM)
    outline = box.extent.to_crs("EPSG:4326")
    time = TIME.astype("datetime64[ms]").item()
    item = pystac.Item("scene", outline.json, list(outline.boundingbox.bbox), time, {})
    item.stac_extensions = ["https://stac-extensions.github.io/raster/v1.1.0/schema.json"]
    fields: dict[str, Any] = {"data_type": encoding.dtype}
    fields |= {} if encoding.nodata is None else {"nodata": encoding.nodata}
    for band in order.bands:
        path = files.single(encoding, order, band)
        extra = {"raster:bands": [fields], "eo:bands": [{"name": band, "common_name": band}]}
        item.add_asset(
            band,
            pystac.Asset(
                str(path), media_type=pystac.MediaType.COG, roles=["data"], extra_fields=extra
            ),
        )
    return odc.stac.load([item], bands=order.bands, geobox=box, **options)


def _stackstac(
    files: Files, encoding: Encoding, order: Order, *, common_names: bool, timed: bool
) -> Scene:
    """As stackstac stacks an item: float64, scaled, NaN where nodata, corners as coordinates."""
    values = (encoding.stored() * np.float64(encoding.scale) + encoding.offset)[order.indices]
    if encoding.nodata is not None:
        values[encoding.stored()[order.indices] == encoding.nodata] = np.nan
    named = order.by == "names"
    ids = [f"asset{i}" for i in range(len(order.bands))]
    bands = [*order.bands] if named and not common_names else ids
    array = xr.DataArray(
        values[None],
        dims=("time", "band", "y", "x"),
        coords={
            "time": [TIME],
            "id": ("time", ["scene"]),
            "band": bands,
            "y": GRID.f + GRID.e * np.arange(ROWS),
            "x": GRID.c + GRID.a * np.arange(COLUMNS),
            "epsg": 32633,
            "title": ("band", [f"Band {i + 1}" for i in range(len(bands))]),
        },
        attrs={
            "spec": f"RasterSpec(epsg=32633, resolutions_xy=({GRID.a}, {-GRID.e}))",
            "crs": "epsg:32633",
            "transform": GRID,
            "resolution": GRID.a,
        },
        name="stackstac-0f",
    ).chunk(y=16, x=21)
    if common_names and named:
        array = array.assign_coords(common_name=("band", [*order.bands]))
    return array if timed else array.isel(time=0)


_NAMES = ("names",)

CONTAINERS = (
    Container("path", Files.geotiff, **_OF_FILES),
    *(
        Container(
            f"rioxarray {name}{', chunked' if chunks else ''}",
            partial(_rioxarray, **options, **({"chunks": CHUNKS} if chunks else {})),
            one_order=chunks,
            **(_OF_FILES if name.startswith("mask") else _RAW),
        )
        for name, options in _RIOXARRAY.items()
        for chunks in (False, True)
    ),
    Container("rioxarray, (y, x, band)", _last_band, one_order=True, **_RAW),
    Container("rioxarray, other names", _renamed, one_order=True, **_RAW),
    Container("rioxarray, time", _timed, one_order=True, **_RAW),
    Container("rioxarray, swap_dims", _swapped, **_RAW),
    Container("engine rasterio", partial(_engine, engine="rasterio"), **_OF_FILES),
    Container("engine hsi_xr", partial(_engine, engine="hsi_xr"), **_OF_FILES),
    Container("hsi_xr.open", lambda files, *case: hsi_xr.open(files.geotiff(*case)), **_OF_FILES),
    Container("hsi_xr.open, chunked", _hsi_xr_chunked, one_order=True, **_OF_FILES),
    Container("wavelength", _by_wavelength, has_names=False),
    Container("variables", _variables, by=_NAMES),
    Container("odc.stac", _odc, by=_NAMES, states_scale=False),
    Container(
        "odc.stac, chunked",
        partial(_odc, chunks=CHUNKS),
        by=_NAMES,
        states_scale=False,
        one_order=True,
    ),
    *(
        Container(
            f"stackstac{', common names' if common else ', one time'}",
            partial(_stackstac, common_names=common, timed=common),
            is_float=True,
            keeps_nodata=False,
        )
        for common in (False, True)
    ),
    *(
        Container(
            f"{suffix} {'variables' if variables else 'array'}{name}",
            partial(make, suffix=suffix, variables=variables, **options),
            **({"by": _NAMES, "is_sorted": suffix == ".zarr"} if variables else {}),
        )
        for suffix in (".nc", ".zarr")
        for variables in (False, True)
        for name, make, options in (
            ("", _store_path, {}),
            (", decoded", _opened_store, {"decode": True}),
            (", not decoded", _opened_store, {"decode": False}),
        )
    ),
)
PATHS = (
    CONTAINERS[0],
    *(each for each in CONTAINERS if getattr(each.open, "func", None) is _store_path),
)
