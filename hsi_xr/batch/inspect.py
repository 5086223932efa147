"""Inspection of images: what their headers state, and what can be refused before any work."""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

import xarray as xr
from affine import Affine

from hsi_xr.batch.config import Conversion, Failure, InputImage
from hsi_xr.errors import BandMismatch, HsiError, MissingFact, UsageError
from hsi_xr.io.grid_mapping import clean_transform
from hsi_xr.io.location import location_of
from hsi_xr.io.open import open as open_image
from hsi_xr.io.raster_dataset import alpha_bands, file_version, open_raster_dataset
from hsi_xr.io.raster_source import stated_radiometry
from hsi_xr.io.tags import is_product
from hsi_xr.pipeline.plan import plan
from hsi_xr.pipeline.radiometry import resolve_radiometry
from hsi_xr.stac.footprint import warn_without_geometry
from hsi_xr.times import utc_text

if TYPE_CHECKING:
    from rasterio.crs import CRS

    from hsi_xr.io.raster_dataset import RasterDataset

_AT_ONCE = 8
"""Headers that are read at once: most of the time is spent waiting for servers and disks."""
_LISTED = 3
"""Largest number of images that a message names."""


@dataclass(frozen=True, kw_only=True)
class ImageHeader:
    """What the header of an image states."""

    shape: tuple[int, int]
    """Rows, columns."""
    transform: Affine
    dtype: str
    bands: tuple[int, ...]
    """Numbers of the red, green and blue bands."""
    count: int
    """Bands of the file, including alpha."""
    alpha: int | None
    """Number of the alpha band."""
    has_mask: bool
    """True if the file has a mask or an alpha band."""
    nodata: float | None
    scale: float
    offset: float


@dataclass(frozen=True, kw_only=True)
class ImageInfo(ImageHeader):
    """An image that can be converted."""

    source: InputImage
    crs: "CRS | None"
    acquired: str | None
    """Acquisition time, ISO 8601 in UTC; two times with `/` between for a range."""
    version: tuple[int, int]
    """Modification time and size of a local file; zeros for others."""

    @property
    def id(self) -> str:
        return self.source.id

    @cached_property
    def pixels(self) -> int:
        return self.shape[0] * self.shape[1]

    @property
    def name(self) -> str:
        """The file name, without the query of a URL, which may be a secret signature."""
        return self.source.href.partition("?")[0].rpartition("/")[2]

    def open(self, config: Conversion) -> xr.DataArray:
        """Returns red, green and blue, lazily."""
        return open_image(self.source.href, rgb=self.bands, nodata=config.nodata)


class _Refusal(NamedTuple):
    source: InputImage
    error: HsiError


def inspect_images(
    sources: Sequence[InputImage], config: Conversion
) -> tuple[list[ImageInfo], list[Failure]]:
    """Read the headers of images.

    Returns:
        The images that can be converted, and why the others cannot.

    Raises:
        HsiError: No image can be converted, all for the same reason; or images of several data
            types share one scale.
        MissingFact: Items are to be written, and acquisition times are unknown.
    """
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="hsi-xr-header") as pool:
        inspected = list(pool.map(partial(_inspect_or_refuse, config=config), sources))
    images = [result for result in inspected if isinstance(result, ImageInfo)]
    refusals = [result for result in inspected if isinstance(result, _Refusal)]
    _check_scale(images, config)
    if not images and len({str(refusal.error) for refusal in refusals}) == 1:
        raise refusals[0].error
    if config.stac:
        _check_times(images)
        for wkt, image in {image.crs.to_wkt(): image for image in images if image.crs}.items():
            warn_without_geometry(image.transform, image.shape, wkt)
    return images, [Failure(refusal.source.id, str(refusal.error)) for refusal in refusals]


def _inspect_or_refuse(source: InputImage, config: Conversion) -> ImageInfo | _Refusal:
    try:
        return _inspect(source, config)
    except HsiError as error:
        return _Refusal(source, error)


def _inspect(source: InputImage, config: Conversion) -> ImageInfo:
    with open_raster_dataset(source.href) as raster:
        if is_product(raster.tags(ns="HSI_XR")):
            raise BandMismatch(
                "it is a reconstructed cube; give the RGB image that it was made from"
            )
        header = _read_header(raster, config.rgb or source.rgb)
    # the handle is closed first: opening a remote file twice makes GDAL request its header again
    image = open_image(source.href, rgb=header.bands, nodata=config.nodata)
    _check_radiometry(image, header.dtype, config)
    plan(image, config.model, **config.reconstruct_options(header.dtype, config.devices[0]))
    acquired = source.acquired or image.attrs.get("datetime") or config.datetime
    return ImageInfo(
        **vars(header),
        source=source,
        crs=location_of(image).crs,
        acquired=utc_text(acquired) if acquired else None,
        version=file_version(source.href),
    )


def _read_header(raster: "RasterDataset", rgb: tuple[int, ...] | None) -> ImageHeader:
    from rasterio.enums import MaskFlags

    alpha = alpha_bands(raster)
    colours = tuple(band for band in raster.indexes if band not in alpha)
    bands = rgb or _rgb_bands(raster) or colours
    first = min(bands[0], raster.count) - 1  # opening the image refuses a wrong number
    return ImageHeader(
        shape=raster.shape,
        transform=clean_transform(raster.transform),
        dtype=raster.dtypes[first],
        bands=bands,
        count=raster.count,
        alpha=alpha[0] if alpha else None,
        has_mask=MaskFlags.per_dataset in raster.mask_flag_enums[first],
        nodata=raster.nodatavals[first],
        scale=raster.scales[first],
        offset=raster.offsets[first],
    )


def _rgb_bands(raster: "RasterDataset") -> tuple[int, ...] | None:
    """Returns the bands whose colour interpretation is red, green and blue, if each is unique."""
    from rasterio.enums import ColorInterp

    kinds = list(raster.colorinterp)
    colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if any(kinds.count(colour) != 1 for colour in colours):
        return None
    return tuple(kinds.index(colour) + 1 for colour in colours)


def _check_radiometry(image: xr.DataArray, dtype: str, config: Conversion) -> None:
    """Check the radiometry of an image; the error adds how to give it for one data type."""
    try:
        resolve_radiometry(dtype, **config.radiometric(dtype), stated=stated_radiometry(image))
    except MissingFact as error:
        raise MissingFact(
            f"{error} (for all images of this type: --radiometry {dtype}=reflectance "
            f"--input-scale {dtype}=1e-4)"
        ) from error


def _check_scale(images: Sequence[ImageInfo], config: Conversion) -> None:
    """Refuse a single factor for several data types, such as 8-bit and 16-bit values."""
    dtypes = Counter(image.dtype for image in images)
    scale = config.input_scale
    if scale is not None and not isinstance(scale, Mapping) and len(dtypes) > 1:
        counts = ", ".join(f"{dtype} ({count})" for dtype, count in dtypes.items())
        raise UsageError(
            f"the images have several data types, {counts}, which one scale cannot fit; give one "
            f"for each type, e.g. --input-scale {min(dtypes)}={scale:g}"
        )


def _check_times(images: Sequence[ImageInfo]) -> None:
    unknown = [image.name for image in images if image.acquired is None]
    if unknown:
        names = ", ".join(unknown[:_LISTED]) + (", ..." if len(unknown) > _LISTED else "")
        raise MissingFact(
            f"the acquisition time of {len(unknown)} of {len(images)} images is unknown ({names}), "
            "and STAC items require it; give datetime= (--datetime), e.g. 2026-01-02T10:30:00Z, "
            "which applies to these images only, or stac=False (--no-stac)"
        )
