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
from hsi_xr.io.band_facts import BandFacts, read_facts
from hsi_xr.io.colours import choose
from hsi_xr.io.grid_mapping import clean_transform
from hsi_xr.io.open import open_described
from hsi_xr.io.palette import is_expanded
from hsi_xr.io.raster_dataset import file_version, open_raster_dataset
from hsi_xr.io.tags import is_product
from hsi_xr.pipeline.array_facts import facts_of
from hsi_xr.pipeline.plan import plan
from hsi_xr.pipeline.scene import Scene
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
class _FileHeader:
    """What the header of an image states, whatever its colours are."""

    shape: tuple[int, int]
    """Rows, columns."""
    transform: Affine
    count: int
    """Bands of the file, including alpha."""
    alpha: int | None
    """Number of the alpha band."""
    has_mask: bool
    """True if the file has a mask or an alpha band."""
    is_palette: bool
    """True if the pixels of the file are indices into a table of colours."""

    @classmethod
    def read(cls, raster: "RasterDataset") -> "_FileHeader":
        from rasterio.enums import MaskFlags

        alpha = [fact.number for fact in read_facts(raster) if fact.is_alpha]
        flags = [{*each} for each in raster.mask_flag_enums]
        masks = [each for each in flags if alpha or MaskFlags.alpha not in each]
        return cls(
            shape=raster.shape,
            transform=clean_transform(raster.transform),
            count=raster.count,
            alpha=alpha[0] if alpha else None,
            has_mask=any(MaskFlags.per_dataset in each for each in masks),
            is_palette=is_expanded(raster.name),
        )


@dataclass(frozen=True, kw_only=True)
class ImageInfo(_FileHeader):
    """An image that can be converted."""

    source: InputImage
    bands: tuple[int, ...]
    """Numbers of the red, green and blue bands."""
    dtype: str
    facts: tuple[BandFacts, ...]
    """Facts of the red, green and blue bands."""
    meaning: str
    """Which bands they are, what their values mean, and where that is stated."""
    crs: "CRS | None"
    acquired: str | None
    """Acquisition time, ISO 8601 in UTC; two times with `/` between them for a range."""
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
        """Returns the image, lazily."""
        return open_described(self.source.href, self.source.bands, nodata=config.nodata)


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
        file = _FileHeader.read(raster)
    # the handle is closed first: opening a remote file twice makes GDAL request its header again
    image = open_described(source.href, source.bands, nodata=config.nodata)
    bands = choose(facts_of(image), config.rgb).indices
    dtype = facts_of(image)[bands[0]].dtype
    scene = _planned(image, dtype, config)
    assert scene.file is not None  # the image has just been opened
    acquired = source.acquired or image.attrs.get("datetime") or config.datetime
    return ImageInfo(
        **vars(file),
        bands=scene.file.bands,
        dtype=dtype,
        facts=scene.meaning.bands,
        meaning=str(scene.meaning),
        source=source,
        crs=scene.location.crs,
        acquired=utc_text(acquired) if acquired else None,
        version=file_version(source.href),
    )


def _planned(image: xr.DataArray, dtype: str, config: Conversion) -> Scene:
    """Plan an image; if its radiometry is unknown, the error adds how to give it for one type."""
    try:
        options = config.reconstruct_options(dtype, config.devices[0])
        return plan(image, config.model, **options).scene
    except MissingFact as error:
        raise MissingFact(
            f"{error} (for all images of this type: --radiometry {dtype}=reflectance "
            f"--input-scale {dtype}=1e-4)"
        ) from error


def _check_scale(images: Sequence[ImageInfo], config: Conversion) -> None:
    """Refuse a single scale or offset for several data types, such as 8-bit and 16-bit values."""
    dtypes = Counter(image.dtype for image in images)
    for name, number in (("scale", config.input_scale), ("offset", config.input_offset)):
        if number is not None and not isinstance(number, Mapping) and len(dtypes) > 1:
            counts = ", ".join(f"{dtype} ({count})" for dtype, count in dtypes.items())
            raise UsageError(
                f"the images have several data types, {counts}, which one {name} cannot fit; give "
                f"one for each type, e.g. --input-{name} {min(dtypes)}={number:g}"
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
