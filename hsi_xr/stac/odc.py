"""Bands of items by wavelength or name, for those who load them with odc-stac."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hsi_xr.errors import BandMismatch

if TYPE_CHECKING:
    import pystac

Stac = Mapping[str, Any]


def odc_config(
    stac: "Stac | pystac.Item | pystac.Collection", asset: str = "reflectance"
) -> dict[str, Any]:
    """`stac_cfg=` of `odc.stac.load`, by which bands are called `"550"` (nm), `"B16"` or `"green"`.

    odc-stac (0.5) numbers the bands of an asset, and knows others by `eo:bands` of STAC 1.0 alone,
    which an item of EO 2 must not have.

    Args:
        stac: A collection whose items are loaded, or an item; of pystac, or as JSON.
        asset: The asset whose bands are meant.

    Raises:
        BandMismatch: It has no such bands, or items of the collection do not have the same.
    """
    about = stac if isinstance(stac, Mapping) else stac.to_dict(transform_hrefs=False)
    is_item = about.get("type") == "Feature"
    assets = about.get("assets" if is_item else "item_assets") or {}
    bands = assets.get(asset, {}).get("bands", ())
    if not bands:
        what = "has no bands" if is_item else "has items without bands"
        raise BandMismatch(
            f"{about.get('id')!r} {what} of {asset!r} in common; load those of one kind, by "
            f"number: bands=['{asset}.1']"
        )
    told = {
        "aliases": {name: (asset, at) for at, band in enumerate(bands, 1) for name in _of(band)}
    }
    collection = about.get("collection") if is_item else about.get("id")
    return told if collection is None else {str(collection): told}


def _of(band: Stac) -> list[str]:
    centre = band.get("eo:center_wavelength")
    names = [band.get("name"), band.get("eo:common_name")]
    return [
        *(str(name) for name in names if name is not None),
        *([] if centre is None else [f"{1000 * centre:g}"]),
    ]
