"""Bands of a collection by wavelength, for those who load it with odc-stac."""

from collections.abc import Mapping
from typing import Any

from hsi_xr.errors import BandMismatch


def odc_config(collection: Mapping[str, Any], asset: str = "reflectance") -> dict[str, Any]:
    """`stac_cfg=` of `odc.stac.load`, by which bands are called by their wavelength: `"550"`.

    odc-stac (0.5) itself numbers the bands of an asset, and reads no `eo:center_wavelength`.

    Args:
        collection: As JSON: `pystac.Collection.from_file(path).to_dict()`.
        asset: The asset whose bands are meant.

    Raises:
        BandMismatch: Items of the collection do not have the same bands there.
    """
    bands = collection.get("item_assets", {}).get(asset, {}).get("bands", ())
    if not bands:
        raise BandMismatch(
            f"items of {collection.get('id')!r} have no bands of {asset!r} in common; load those "
            f"of one kind, by number: bands=['{asset}.1']"
        )
    aliases = {
        f"{1000 * band['eo:center_wavelength']:g}": (asset, number)
        for number, band in enumerate(bands, start=1)
        if "eo:center_wavelength" in band
    }
    return {str(collection["id"]): {"aliases": aliases}}
