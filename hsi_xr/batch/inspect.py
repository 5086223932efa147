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
from hsi_xr.camera.spectral_response import RGB
from hsi_xr.checkpoints.registry import find
from hsi_xr.errors import BandMismatch, HsiError, MissingFact, UsageError
from hsi_xr.io.band_facts import BandFacts, read_facts
from hsi_xr.io.grid_mapping import clean_transform
from hsi_xr.io.open import open_described
from hsi_xr.io.palette import is_expanded
from hsi_xr.io.raster_dataset import file_version, open_raster_dataset
from hsi_xr.io.tags import is_product
from hsi_xr.pipeline.argument_checks import response_of, selected
from hsi_xr.pipeline.array_facts import facts_of
from hsi_xr.pipeline.band_choice import channels_of, choose_bands
from hsi_xr.pipeline.plan import Plan, plan
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
    """Numbers of the bands that are used: red, green and blue, or channels of a sensor."""
    bands_origin: str
    """How these bands were found."""
    channels: tuple[str, ...]
    """Names of the channels that these bands are."""
    dtype: str
    facts: tuple[BandFacts, ...]
    """Facts of these bands."""
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
            types share one scale, offset or white.
        MissingFact: Items are to be written, and acquisition times are unknown.
    """
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="hsi-xr-header") as pool:
        inspected = list(pool.map(partial(_inspect_or_refuse, config=config), sources))
    images = [result for result in inspected if isinstance(result, ImageInfo)]
    refusals = [result for result in inspected if isinstance(result, _Refusal)]
    _check_stored(images, config)
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
            raise BandMismatch("it is a reconstructed cube; give the image that it was made from")
        file = _FileHeader.read(raster)
    # the handle is closed first: opening a remote file twice makes GDAL request its header again
    image = open_described(source.href, source.bands, nodata=config.nodata)
    dtype = _dtype(image, config)
    planned = _planned(image, dtype, config)
    scene, response = planned.scene, planned.response
    assert scene.file is not None  # the image has just been opened
    acquired = source.acquired or image.attrs.get("datetime") or config.datetime
    return ImageInfo(
        **vars(file),
        bands=scene.file.bands,
        bands_origin=scene.meaning.chosen.rule,
        channels=RGB if response is None else response.channels,
        dtype=dtype,
        facts=scene.meaning.bands,
        meaning=_meaning(planned),
        source=source,
        crs=scene.location.crs,
        acquired=utc_text(acquired) if acquired else None,
        version=file_version(source.href),
    )


def _meaning(planned: Plan) -> str:
    meaning = str(planned.scene.meaning)
    return f"{meaning}; camera {planned.camera}" if planned.camera else meaning


def _dtype(image: xr.DataArray, config: Conversion) -> str:
    """Returns the data type of the bands that are used, which decides how values are read."""
    card = find(config.model, untrained=bool(config.options.get("untrained")))
    channels = channels_of(response_of(config.options.get("camera"), card))
    facts = facts_of(image)
    chosen = choose_bands(facts, selected(config.rgb, config.bands), channels)
    return facts[chosen.indices[0]].dtype


def _planned(image: xr.DataArray, dtype: str, config: Conversion) -> Plan:
    """Plan an image; if its radiometry is unknown, the error adds how to give it for one type."""
    try:
        options = config.reconstruct_options(dtype, config.devices[0])
        return plan(image, config.model, **options)
    except MissingFact as error:
        raise MissingFact(
            f"{error} (for all images of this type: --radiometry {dtype}=reflectance "
            f"--input-scale {dtype}=1e-4)"
        ) from error


def _check_stored(images: Sequence[ImageInfo], config: Conversion) -> None:
    """Refuse one stored value, scale or offset for several data types, such as 8 and 16 bits."""
    dtypes = Counter(image.dtype for image in images)
    if len(dtypes) < 2:
        return
    counts = ", ".join(f"{dtype} ({count})" for dtype, count in dtypes.items())
    for name, number in (("scale", config.input_scale), ("offset", config.input_offset)):
        if number is not None and not isinstance(number, Mapping):
            raise UsageError(
                f"the images have several data types, {counts}, which one {name} cannot fit; give "
                f"one for each type, e.g. --input-{name} {min(dtypes)}={number:g}"
            )
    if config.options.get("white") is not None:
        raise UsageError(
            f"the images have several data types, {counts}, which one stored value white= "
            "(--white) cannot fit; give the linear value level= (--level), or convert them "
            "separately"
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
