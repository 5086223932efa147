"""Settings of a conversion, and the images that it converts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict, TypeVar

import numpy as np

from hsi_xr.errors import UsageError
from hsi_xr.io.item_bands import ItemBand
from hsi_xr.pipeline.argument_checks import selected
from hsi_xr.pipeline.arguments import ReconstructOptions

T = TypeVar("T")


class StorageOptions(TypedDict, total=False):
    """Options of `hsi_xr.write`."""

    dtype: str
    scale: float
    format: str | None
    creation_options: Mapping[str, str]


class Radiometric(TypedDict):
    """How the stored values of an image are interpreted."""

    radiometry: str | None
    scale: float | None
    offset: float | None


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """Settings of `hsi_xr.convert`, the same for all images."""

    model: str = "default"
    """Name of the model, its weights file or its folder, as in `hsi_xr.reconstruct`."""
    options: ReconstructOptions = field(default_factory=ReconstructOptions)
    """Further options of `hsi_xr.reconstruct`: camera, seed, samples, tile, ..."""
    radiometry: str | Mapping[str, str] | None = None
    """Radiometry of all images; or data type -> radiometry."""
    rgb: tuple[int | str, ...] | None = None
    """Numbers or names of the red, green and blue bands. None finds them by what the files and
    their STAC items state, as `hsi_xr.reconstruct` does."""
    bands: tuple[int | str, ...] | None = None
    """Numbers or names of the bands that are channels of the sensor in `options["camera"]`, instead
    of `rgb`. None finds them by what the files and their STAC items state."""
    input_scale: float | Mapping[str, float] | None = None
    """Factor from stored values to [0, 1]; or data type -> factor. None uses the factor stated by
    the file or its STAC item."""
    input_offset: float | Mapping[str, float] | None = None
    """Number that is added after the scale; or data type -> number."""
    nodata: float | None = None
    """Stored value that marks nodata, instead of the nodata values of the files."""
    asset: str | None = None
    """Key of the asset of STAC items; None takes the asset that is an image."""
    datetime: str | None = None
    """Acquisition time, ISO 8601 (`START/END` for a range), of images that do not state theirs."""
    storage: StorageOptions = field(default_factory=StorageOptions)
    """Options of `hsi_xr.write`: dtype, scale, format (cog or geotiff), creation_options."""
    as_mosaic: bool = False
    """Treat the images as tiles of one scene: they share its statistics, and each uses
    the pixels of its neighbours as context, so that no seams appear."""
    vrt: bool = False
    """Write `mosaic.vrt`, a virtual raster of all products."""
    stac: bool = True
    """Write STAC items of products and model, and a collection."""
    licence: str | None = None
    """SPDX identifier of the licence of the products."""
    collection: str | None = None
    """Id of the collection; None takes the name of the folder."""
    title: str | None = None
    """Title of the collection."""
    devices: tuple[str, ...] = ("auto",)
    """Devices to which images are assigned in turn, by their position in the list of images."""
    jobs: int = 2
    """Images in progress on each device: while one is computed, others are read and written."""

    def __post_init__(self) -> None:
        if self.jobs < 1 or not self.devices:
            raise UsageError(
                "a conversion needs at least one job and one device; got "
                f"jobs={self.jobs}, devices={self.devices!r}"
            )
        if (format := self.storage.get("format")) not in (None, "cog", "geotiff"):
            raise UsageError(
                f"a conversion writes GeoTIFFs (cog or geotiff), not {format!r}; write single "
                "products in other formats with `hsi_xr.write_product`"
            )
        if (
            reserved := {"rgb", "bands", "radiometry", "scale", "offset", "device", "survey"}
            & self.options.keys()
        ):
            raise UsageError(
                f"options= does not take {', '.join(sorted(reserved))}; use rgb=, bands=, "
                "radiometry=, input_scale=, input_offset= and devices= of `Conversion` instead; "
                "mosaics are surveyed automatically"
            )
        selected(self.rgb, self.bands)
        reference = self.options.get("level_from")
        if reference is not None and not isinstance(reference, str | os.PathLike):
            raise UsageError(
                "options= of a conversion are recorded, so level_from must be a path; write the "
                "array to a file first, e.g. `array.rio.to_raster('reference.tif')`"
            )
        _check_dtypes(self.radiometry)
        _check_dtypes(self.input_scale)
        _check_dtypes(self.input_offset)

    def radiometric(self, dtype: str) -> Radiometric:
        """Returns radiometry, scale and offset of images of a data type."""
        return {
            "radiometry": _for_dtype(self.radiometry, dtype),
            "scale": _for_dtype(self.input_scale, dtype),
            "offset": _for_dtype(self.input_offset, dtype),
        }

    def reconstruct_options(self, dtype: str, device: str) -> ReconstructOptions:
        """Returns the options of `hsi_xr.reconstruct` for images of a data type."""
        return {
            **self.options,
            **self.radiometric(dtype),
            "rgb": self.rgb,
            "bands": self.bands,
            "device": device,
        }


@dataclass(frozen=True, kw_only=True)
class InputImage:
    """An RGB image that will become a product."""

    id: str
    """Name of the product and its STAC item, valid as a file name."""
    href: str
    """Path or URL, as GDAL takes it."""
    item: str | None = None
    """Path or URL of the STAC item that lists the image."""
    acquired: str | None = None
    """Acquisition time that the item states: an instant, or `START/END`."""
    bands: tuple[ItemBand, ...] = ()
    """What the item states about the bands."""


@dataclass(frozen=True)
class Failure:
    """An image that did not become a product, and why."""

    id: str
    reason: str


def _for_dtype(value: T | Mapping[str, T] | None, dtype: str) -> T | None:
    return value.get(dtype) if isinstance(value, Mapping) else value


def _check_dtypes(by_dtype: object) -> None:
    for dtype in by_dtype if isinstance(by_dtype, Mapping) else ():
        try:
            is_known = np.dtype(dtype).name == dtype
        except TypeError:
            is_known = False
        if not is_known:
            raise UsageError(f"no data type is called {dtype!r}; give e.g. uint8, uint16, float32")
