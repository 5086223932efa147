"""Names of bands for odc-stac: by wavelength, by name and by colour."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hsi_xr.errors import BandMismatch

if TYPE_CHECKING:
    import pystac

Stac = Mapping[str, Any]


def odc_config(
    stac: "Stac | pystac.Item | pystac.Collection", asset: str = "reflectance"
) -> dict[str, Any]:
    """Returns `stac_cfg=` for `odc.stac.load`, to load bands as "550" (nm), "B16" or "green".

    odc-stac 0.5 only numbers the bands of an asset ("reflectance.1"), unless they are named in
    `eo:bands` of STAC 1.0, which items with version 2 of the EO extension must not have.

    Args:
        stac: The collection whose items are to be loaded, or an item; from pystac, or as JSON.
        asset: Key of the asset whose bands are named.

    Returns:
        A configuration in which every band is called by its wavelength in nm ("550"), its name
        ("B16") and, if it is blue, green or red, its common name.

    Raises:
        BandMismatch: The asset has no bands, or they differ between the items of the collection.

    Examples:
        >>> items = list(collection.get_items())
        >>> odc.stac.load(items, bands=["550", "red"], stac_cfg=odc_config(collection))
    """
    content = stac if isinstance(stac, Mapping) else stac.to_dict(transform_hrefs=False)
    is_item = content.get("type") == "Feature"
    assets = content.get("assets" if is_item else "item_assets") or {}
    bands = assets.get(asset, {}).get("bands", ())
    if not bands:
        lack = "states no bands" if is_item else "states no bands common to its items"
        raise BandMismatch(
            f"{content.get('id')!r} {lack} for asset {asset!r}; load bands by number, e.g. "
            f"bands=['{asset}.1'], from items that have the same bands"
        )
    aliases = {name: (asset, at) for at, band in enumerate(bands, 1) for name in _names(band)}
    config = {"aliases": aliases}
    collection = content.get("collection") if is_item else content.get("id")
    return config if collection is None else {str(collection): config}


def _names(band: Stac) -> list[str]:
    names = [str(band[key]) for key in ("name", "eo:common_name") if band.get(key) is not None]
    centre = band.get("eo:center_wavelength")
    return names if centre is None else [*names, f"{1000 * centre:g}"]
