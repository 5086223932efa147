"""What pictures tell without a pixel being read, and what can be refused then."""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import xarray as xr
from affine import Affine

from hsi_xr.batch.config import Conversion, Failure, InputImage
from hsi_xr.errors import BandMismatch, HsiError, MissingFact, UsageError
from hsi_xr.io.georef import crs_of
from hsi_xr.io.open import open as open_image
from hsi_xr.io.raster_dataset import alpha_bands, file_version, open_raster_dataset
from hsi_xr.io.raster_source import stated_radiometry
from hsi_xr.io.tags import is_product
from hsi_xr.pipeline.plan import plan
from hsi_xr.pipeline.radiometry import resolve_radiometry
from hsi_xr.times import utc_text

if TYPE_CHECKING:
    from rasterio import DatasetReader
    from rasterio.crs import CRS

_AT_ONCE = 8
"""Headers that are read at once: most of the time goes into waiting for servers and disks."""
_NAMED = 3
"""Pictures that a message names."""


@dataclass(frozen=True, kw_only=True)
class ImageInfo:
    """A picture that can be converted, as far as its header tells."""

    picture: InputImage
    shape: tuple[int, int]
    """Rows, columns."""
    transform: Affine
    crs: "CRS | None"
    dtype: str
    bands: tuple[int, ...]
    """Numbers of red, green and blue."""
    count: int
    """Bands of the file, alpha included."""
    alpha: int | None
    """Number of the band that is transparency."""
    masked: bool
    """Whether the file has a mask of its own, or alpha."""
    nodata: float | None
    scale: float
    offset: float
    taken: str | None
    """ISO 8601, in UTC; two with `/` between where they are a range."""
    stamp: tuple[int, int]
    """Time of change and size of a local file; zeros elsewhere."""

    @cached_property
    def pixels(self) -> int:
        return self.shape[0] * self.shape[1]

    @property
    def name(self) -> str:
        """The image's own file name; a signature of a URL is nobody's business."""
        return self.picture.href.partition("?")[0].rpartition("/")[2]

    def image(self, how: Conversion) -> xr.DataArray:
        """The picture, lazily: red, green, blue."""
        return open_image(self.picture.href, rgb=self.bands, nodata=how.nodata)


def inspected(
    pictures: Sequence[InputImage], how: Conversion
) -> tuple[list[ImageInfo], list[Failure]]:
    """Headers of all pictures, and why some cannot be converted.

    Raises:
        UsageError: No picture can be, and for one reason, which is about what was asked; or one
            factor was given for numbers of different types.
        MissingFact: Some do not tell when they were taken, and items were asked for.
    """
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="hsi-xr-header") as pool:
        found = list(pool.map(partial(_inspected, how=how), pictures))
    ready = [each for each in found if isinstance(each, ImageInfo)]
    refused = [each for each in found if not isinstance(each, ImageInfo)]
    _check_scale(ready, how)
    if not ready and len({str(error) for _, error in refused}) == 1:
        raise refused[0][1]
    if how.stac:
        _check_times(ready)
    return ready, [Failure(picture.id, str(error)) for picture, error in refused]


def _inspected(picture: InputImage, how: Conversion) -> ImageInfo | tuple[InputImage, HsiError]:
    try:
        with open_raster_dataset(picture.href) as src:
            if is_product(src.tags(ns="HSI_XR")):
                raise BandMismatch("it is an estimate itself; give the picture that it was made of")
            facts = _facts(src, how.rgb or picture.rgb or _coloured(src))
        image = open_image(picture.href, rgb=facts["bands"], nodata=how.nodata)
        _check_meaning(image, facts["dtype"], how)
        plan(image, how.model, **how.reading(facts["dtype"]), device=how.devices[0])
        told = picture.acquired or image.attrs.get("datetime") or how.datetime
        return ImageInfo(
            picture=picture,
            crs=crs_of(image),
            taken=utc_text(told) if told else None,
            stamp=file_version(picture.href),
            **facts,
        )
    except HsiError as error:
        return picture, error


def _check_meaning(image: xr.DataArray, dtype: str, how: Conversion) -> None:
    """Before all that is planned: here it can be told for pictures of one type alone."""
    try:
        resolve_radiometry(dtype, **how.meaning(dtype), stated=stated_radiometry(image))
    except MissingFact as error:
        raise MissingFact(
            f"{error} (of all such pictures: --radiometry {dtype}=reflectance "
            f"--input-scale {dtype}=1e-4)"
        ) from error


def _facts(src: "DatasetReader", rgb: tuple[int, ...] | None) -> dict[str, Any]:
    from rasterio.enums import MaskFlags

    alpha = alpha_bands(src)
    bands = rgb or tuple(band for band in src.indexes if band not in alpha)
    at = min(bands[0], src.count) - 1  # a wrong number is refused with the file's name, later
    flags = set(src.mask_flag_enums[at])
    return {
        "shape": src.shape,
        "transform": src.transform,
        "dtype": src.dtypes[at],
        "bands": bands,
        "count": src.count,
        "alpha": alpha[0] if alpha else None,
        "masked": MaskFlags.per_dataset in flags,
        "nodata": src.nodatavals[at],
        "scale": src.scales[at],
        "offset": src.offsets[at],
    }


def _coloured(src: "DatasetReader") -> tuple[int, ...] | None:
    """The bands that a file itself calls red, green and blue."""
    from rasterio.enums import ColorInterp

    kinds = list(src.colorinterp)
    wanted = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if any(kinds.count(kind) != 1 for kind in wanted):
        return None
    return tuple(kinds.index(kind) + 1 for kind in wanted)


def _check_scale(ready: Sequence[ImageInfo], how: Conversion) -> None:
    """One factor for bytes and for 16 bits would be wrong for one of them."""
    dtypes = Counter(each.dtype for each in ready)
    told = how.input_scale
    if told is not None and not isinstance(told, Mapping) and len(dtypes) > 1:
        found = ", ".join(f"{dtype} ({count})" for dtype, count in dtypes.items())
        raise UsageError(
            f"the pictures hold {found} numbers, and one factor cannot fit all; give it by type, "
            f"e.g. --input-scale {min(dtypes)}={told:g}"
        )


def _check_times(ready: Sequence[ImageInfo]) -> None:
    absent = [each.name for each in ready if each.taken is None]
    if absent:
        names = ", ".join(absent[:_NAMED]) + (", ..." if len(absent) > _NAMED else "")
        raise MissingFact(
            f"{len(absent)} of {len(ready)} pictures do not tell when they were taken ({names}), "
            "and a STAC item must; give --datetime, e.g. --datetime 2026-01-02T10:30:00Z, which "
            "counts for those alone, or --no-stac"
        )
