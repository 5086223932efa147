"""Decides whether a scene is a known product, by the name that the caller gives or by metadata."""

from collections.abc import Sequence

from hsi_xr.errors import MissingFact, UsageError
from hsi_xr.io.band_facts import BandFacts, nearly_equal
from hsi_xr.io.known_products import AMBIGUOUS, NAMES, PRODUCTS, KnownProduct

_DISPLAYED = "-tci"
"""Suffix of the names of products that look like 8-bit photographs but are reflectance."""


def product_of(
    bands: Sequence[BandFacts],
    radiometry: str | None,
    scale: float | None,
    offset: float | None,
) -> KnownProduct | None:
    """Returns the known product that a scene belongs to, or None.

    Args:
        bands: Facts of red, green and blue.
        radiometry: What the caller states: a kind of radiometry, the name of a product, or None.
        scale, offset: What the caller states.

    Raises:
        MissingFact: The name stands for several products, and nothing states which of them applies.
        UsageError: Statements contradict each other.
    """
    found = {band.known_product for band in bands}
    recognised = found.pop() if len(found) == 1 else None
    name = radiometry if radiometry in NAMES else None
    if name is None and radiometry in (None, "reflectance") and _is_displayed(bands, recognised):
        name = recognised
    if name is None:
        return None
    product = _decided(name, recognised, bands)
    _check_names(product, recognised)
    _check_dtype(product, bands[0].dtype)
    _check_numbers(product, bands, scale, offset)
    return product


def _is_displayed(bands: Sequence[BandFacts], recognised: str | None) -> bool:
    """True if a scene would be read as a photograph, but is recognised as reflectance."""
    is_scaled = any(band.is_scaled for band in bands)
    is_known = recognised is not None and recognised.endswith(_DISPLAYED)
    return is_known and bands[0].dtype == "uint8" and not is_scaled


def _decided(name: str, recognised: str | None, bands: Sequence[BandFacts]) -> KnownProduct:
    """Returns the product of a name that may stand for several."""
    if name in PRODUCTS:
        return PRODUCTS[name]
    candidates = [PRODUCTS[each] for each in AMBIGUOUS[name]]
    if recognised in AMBIGUOUS[name]:
        return PRODUCTS[recognised]
    for product in candidates:
        if any(band.is_scaled for band in bands) and all(_states(b, product) for b in bands):
            return product
    raise MissingFact(_CHOICE[name])


_CHOICE = {
    "sentinel-2-l2a": "it is not stated whether these values of Sentinel-2 L2A have the offset of "
    "-0.1 that products have had since processing baseline 04.00; pass radiometry="
    "'sentinel-2-l2a-offset' (--radiometry) if they do, as in Copernicus files since 2022, "
    "or 'sentinel-2-l2a-harmonized' if they are older or the offset was removed",
    "sentinel-2-tci": "this looks like the true-colour image (TCI) of a Sentinel-2 product, whose "
    "values are reflectance; pass radiometry='sentinel-2-l2a-tci' or 'sentinel-2-l1c-tci' "
    "(--radiometry), depending on the processing level, or 'srgb' if it is a photograph",
}


def _check_names(product: KnownProduct, recognised: str | None) -> None:
    if recognised in PRODUCTS and recognised != product.name:
        raise UsageError(
            f"radiometry={product.name!r} contradicts {recognised!r}, which is stated by the "
            "name or the metadata of the image; omit it, or pass radiometry='reflectance' "
            "(--radiometry) with scale= (--input-scale) and offset= (--input-offset)"
        )


def _check_dtype(product: KnownProduct, dtype: str) -> None:
    if (dtype == "uint8") != (product.dtype == "uint8"):
        raise UsageError(
            f"{product.name} is stored as {product.dtype}, but this scene as {dtype}; pass another "
            "radiometry= (--radiometry)"
        )


def _check_numbers(
    product: KnownProduct, bands: Sequence[BandFacts], scale: float | None, offset: float | None
) -> None:
    own = f"scale {product.scale:g} and offset {product.offset:g} of {product.name}"
    for name, given, known in (("scale", scale, product.scale), ("offset", offset, product.offset)):
        if given is not None and not nearly_equal(given, known):
            raise UsageError(
                f"{name}={given:g} contradicts {own}, the product that you, the name or the "
                f"metadata of the image state; omit {name}= (--input-{name}) or pass another "
                "radiometry= (--radiometry)"
            )
    for band in bands:
        if band.is_scaled and not _states(band, product):
            raise UsageError(
                f"{own} contradict scale {band.scale:g} and offset {band.offset:g}, which are "
                f"stated {band.origin}; omit radiometry= (--radiometry) to apply what is stated"
            )


def _states(band: BandFacts, product: KnownProduct) -> bool:
    same_scale = nearly_equal(band.scale, product.scale)
    return same_scale and nearly_equal(band.offset, product.offset)
