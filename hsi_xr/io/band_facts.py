"""Facts about the bands of an image, in one form for files, stores, arrays and STAC items."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from hsi_xr.errors import InvalidData
from hsi_xr.io.colour_names import colour_of
from hsi_xr.io.item_bands import ItemBand
from hsi_xr.io.known_products import product_of_file
from hsi_xr.io.remote import without_query
from hsi_xr.io.wavelengths import read_wavelengths

if TYPE_CHECKING:
    from hsi_xr.io.raster_dataset import RasterDataset

FILE, ITEM, ATTRIBUTES = "by the file", "by its STAC item", "by the attributes of the array"

ALPHA = "alpha"
"""The colour interpretation of a band that is transparency and not colour."""

_RELATIVE_TOLERANCE = 1e-6
"""Scales and offsets closer than this are equal: files store some of them as float32."""


State = Literal["stored", "masked", "decoded"]
"""What a reader has done to the values of a file: nothing; replaced nodata by NaN, band by band; or
also applied scale and offset."""


@dataclass(frozen=True)
class BandFacts:
    """What is known about a band. None means that nothing is stated."""

    dtype: str
    """Data type of the stored values, e.g. `uint8`."""
    label: int | float | str | None = None
    """Value of the coordinate `band`, or name of the variable."""
    number: int | None = None
    """Number of the band in its file, from 1."""
    names: tuple[str, ...] = ()
    """Description, label, or name and `long_name` of a variable."""
    given: str | None = None
    """Colour for which the caller of `open` selected the band."""
    interpretation: str | None = None
    """GDAL's colour interpretation in lower case: `red`, `alpha`, `nir`, ..."""
    common_name: str | None = None
    """STAC's `eo:common_name`."""
    wavelength: float | None = None
    """Centre in nm."""
    scale: float = 1.0
    offset: float = 0.0
    """Physical value = scale * stored value + offset."""
    nodata: float | None = None
    """Stored value that marks nodata."""
    state: State | None = "stored"
    """What a reader has done to the values; None if that cannot be told."""
    origin: str = FILE
    """Where scale and offset are stated: `FILE`, `ITEM` or `ATTRIBUTES`."""
    is_ordered: bool = True
    """False for variables of a Dataset, whose order has no meaning."""
    is_product: bool = False
    """True if the band belongs to a product of hsi_xr."""
    has_lost_mask: bool = False
    """True if the file has a mask that the array does not have."""
    known_product: str | None = None
    """Name of the product that it is part of, one of `hsi_xr.io.known_products.NAMES`."""

    @property
    def name(self) -> str:
        """The number in the file, or the label."""
        return str(self.label if self.number is None else self.number)

    @property
    def is_alpha(self) -> bool:
        """True if the band is transparency: by its name, or by an interpretation that fits it.

        GDAL interprets the fourth band of many files as alpha, whatever it is.
        """
        if any(name.strip().lower() == ALPHA for name in self.names):
            return True
        return self.interpretation == ALPHA and not any(map(colour_of, self.names))

    @property
    def is_scaled(self) -> bool:
        """True if a scale or an offset is stated."""
        return self.scale != 1 or self.offset != 0

    @property
    def nodata_can_be_colour(self) -> bool:
        """True if a valid pixel may have the nodata value: 0 in a shadow, 255 on a bright roof."""
        if self.nodata is None or not np.isfinite(self.nodata):
            return False
        unsigned = np.dtype(self.dtype).kind == "u" and not self.is_product
        return self.nodata == 0 or (unsigned and self.nodata > 0)


def read_facts(
    raster: "RasterDataset", *, is_product: bool = False, is_ordered: bool = True
) -> tuple[BandFacts, ...]:
    """Returns what the header of an open raster states about each of its bands.

    Args:
        raster: An open raster.
        is_product: The raster is a product of hsi_xr.
        is_ordered: The order of the bands has a meaning.
    """
    kinds, names, nodata = raster.colorinterp, raster.descriptions, raster.nodatavals
    centres, _ = read_wavelengths(raster, raster.indexes)
    dtypes, scales, offsets = raster.dtypes, raster.scales, raster.offsets
    known = None if is_product else product_of_file(without_query(raster.name), raster.tags())
    return tuple(
        BandFacts(
            dtype=dtypes[i],
            label=i + 1,
            number=i + 1,
            names=_distinct(names[i], raster.tags(i + 1).get("long_name")),
            interpretation=kinds[i].name.lower(),
            wavelength=centres[i] if centres else None,
            scale=float(scales[i]),
            offset=float(offsets[i]),
            nodata=nodata[i],
            is_product=is_product,
            is_ordered=is_ordered,
            known_product=known,
        )
        for i in range(raster.count)
    )


def with_item(
    facts: Sequence[BandFacts], item: Sequence[ItemBand], name: str
) -> tuple[BandFacts, ...]:
    """Adds the facts that the STAC item of a file states to those that the file states.

    Args:
        facts: Facts of each band of the file.
        item: Bands of the asset, with or without alpha; ignored if there are more or fewer
            than in the file.
        name: The file, for messages.

    Raises:
        InvalidData: Both state a scale or an offset, and they differ.
    """
    opaque = [i for i, fact in enumerate(facts) if not fact.is_alpha]
    described = range(len(facts)) if len(item) == len(facts) else opaque
    if len(item) != len(described):
        return tuple(facts)
    by_index = dict(zip(described, item))
    return tuple(
        _completed(fact, by_index[i], i + 1, name) if i in by_index else fact
        for i, fact in enumerate(facts)
    )


def _completed(fact: BandFacts, band: ItemBand, number: int, name: str) -> BandFacts:
    differ = not (nearly_equal(fact.scale, band.scale) and nearly_equal(fact.offset, band.offset))
    if fact.is_scaled and (band.scale != 1 or band.offset != 0) and differ:
        raise InvalidData(
            f"band {number} of {name!r} states scale {fact.scale:g} and offset {fact.offset:g}, "
            f"but its STAC item {band.scale:g} and {band.offset:g}; pass the image itself instead "
            "of its item, or correct the one that is wrong"
        )
    scaled: BandFacts | ItemBand = fact if fact.is_scaled else band
    is_of_item = scaled is band and (band.scale != 1 or band.offset != 0)
    return replace(
        fact,
        names=_distinct(*fact.names, band.name),
        common_name=band.common_name,
        wavelength=fact.wavelength or band.wavelength,
        scale=scaled.scale,
        offset=scaled.offset,
        origin=ITEM if is_of_item else fact.origin,
        nodata=band.nodata if fact.nodata is None else fact.nodata,
        known_product=band.product or fact.known_product,
    )


def _distinct(*names: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))


def nearly_equal(a: float, b: float) -> bool:
    """True if two scales or offsets are equal up to the rounding in files."""
    return bool(np.isclose(a, b, rtol=_RELATIVE_TOLERANCE, atol=0))
