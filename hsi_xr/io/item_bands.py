"""What STAC items state about the bands of an asset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from hsi_xr.io.known_products import product_of_item

Json = Mapping[str, Any]

OFFSET_APPLIED = "earthsearch:boa_offset_applied"
"""Property of an item: the stored values include the offset already, although bands state it."""

_LISTS = ("raster:bands", "eo:bands", "bands")
"""Fields of an asset that describe its bands, the latest version of STAC last."""
_SHARED = ("nodata", "raster:scale", "raster:offset")
"""Fields of an asset that apply to all of its bands."""


@dataclass(frozen=True)
class ItemBand:
    """What a STAC item states about a band of an asset."""

    name: str | None = None
    common_name: str | None = None
    wavelength: float | None = None
    """Centre in nm."""
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    product: str | None = None
    """Name of the product that it is part of; see `hsi_xr.io.known_products`."""

    @classmethod
    def read(
        cls, fields: Json, *, offset_applied: bool = False, product: str | None = None
    ) -> "ItemBand":
        """Reads the fields of a band, of any version of STAC; those of another type are ignored."""

        def first(*names: str) -> Any:
            return next((fields[name] for name in names if fields.get(name) is not None), None)

        wavelength = _number(first("eo:center_wavelength", "center_wavelength"))
        return cls(
            name=_text(first("name")),
            common_name=_text(first("eo:common_name", "common_name")),
            wavelength=None if wavelength is None else round(wavelength * 1000, 6),  # um
            scale=_number(first("raster:scale", "scale")) or 1.0,
            offset=0.0 if offset_applied else _number(first("raster:offset", "offset")) or 0.0,
            nodata=_number(first("nodata")),
            product=product,
        )


def read_item_bands(asset: Json, properties: Json) -> tuple[ItemBand, ...]:
    """Returns what an item states about each band of an asset.

    Args:
        asset: The asset: bands are in `bands` (STAC 1.1), or in `eo:bands` and `raster:bands`.
        properties: Properties of the item.
    """
    lists = [_mappings(asset.get(name)) for name in _LISTS]
    shared = {name: asset[name] for name in _SHARED if name in asset}
    offset_applied = properties.get(OFFSET_APPLIED) is True
    product = product_of_item(properties, asset, offset_applied=offset_applied)
    return tuple(
        ItemBand.read(
            {**shared, **raster, **eo, **band}, offset_applied=offset_applied, product=product
        )
        for raster, eo, band in zip_longest(*lists, fillvalue={})
    )


def _mappings(value: Any) -> list[Json]:
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return [each if isinstance(each, Mapping) else {} for each in value] if is_list else []


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)
