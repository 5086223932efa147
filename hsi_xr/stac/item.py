"""A product -> its STAC item. Every fact is read from the file; a missing one stays missing."""

import json
from datetime import datetime as Datetime
from os.path import relpath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from hsi_xr.errors import InvalidData, MissingFact, UsageError
from hsi_xr.io.cube_file import Product
from hsi_xr.io.formats._tiff import MEDIA_TYPE as GEOTIFF
from hsi_xr.io.georef import code_of
from hsi_xr.io.remote import file_of, is_remote, without_query
from hsi_xr.stac.checksums import with_code
from hsi_xr.stac.footprint import footprint
from hsi_xr.stac.item_assets import assets
from hsi_xr.times import period

if TYPE_CHECKING:
    import pystac

SCHEMAS = tuple(
    f"https://stac-extensions.github.io/{extension}/schema.json"
    for extension in (
        "eo/v2.0.0",
        "raster/v2.0.0",
        "projection/v2.0.0",
        "processing/v1.2.0",
        "file/v2.1.0",
    )
)
_ITEM = "application/geo+json"


def describe(
    obj: Path | str | xr.DataArray | xr.Dataset,
    *,
    datetime: Datetime | str | None = None,
    href: str | None = None,
    id: str | None = None,
    derived_from: Path | str | None = None,
    model: Path | str | None = None,
) -> "pystac.Item":
    """The STAC 1.1 item of a written product, with its siblings (deviation, residual, preview).

    Args:
        obj: Path or URL of a product that `hsi_xr.write` wrote, or what `hsi_xr.open` made of it.
            An object is read once, for its checksum.
        datetime: When the RGB scene was taken: an aware datetime or ISO 8601 text (UTC where it
            states no offset), with `/` between start and end of a range. Read from the file by
            default, never guessed.
        href: How the item refers to the product; `./<name>` by default, for an item beside it.
        id: The item's name; by default that of the file, without suffix.
        derived_from: File, URL or STAC item of the RGB scene. Of a local file with a STAC item
            `<stem>.json` beside it, the item is linked. A STAC item is linked as `derived_from`,
            a mere image, which is no STAC, as `via`.
        model: File or URL of the model's STAC item (MLM), as `hsi-xr models export` writes it.

    Returns:
        Item without a collection. A product without georeference has no geometry, and says so.

    Raises:
        MissingFact: No acquisition time is known, or a day only.
        InvalidData: The file is no product of hsi_xr, it lies nowhere on Earth, or the item of the
            model is about other weights.
        UsageError: An array that was not opened from a file, or an item of object storage is to
            link a file of this machine.
    """
    import pystac

    product = Product.read(_path(obj))
    if is_remote(str(product.path)):
        _check_reachable(derived_from, model)
    place = footprint(product.transform, product.shape, product.crs) if product.crs else None
    start, end = _acquired(product, datetime)
    item = pystac.Item(
        id=id or product.path.stem,
        geometry=place[0] if place else None,
        bbox=place[1] if place else None,
        datetime=start if start == end else None,
        properties=properties(product),
        stac_extensions=list(SCHEMAS),
        start_datetime=None if start == end else start,
        end_datetime=None if start == end else end,
    )
    where = href or f"./{product.path.name}"
    for key, asset in assets(product, where).items():
        item.add_asset(key, pystac.Asset.from_dict(asset))
    if product.path.is_dir():  # as STAC's practices for Zarr have it
        item.add_link(pystac.Link("store", where, item.assets["reflectance"].media_type))
    if derived_from is not None:
        item.add_link(_link(derived_from, product.path.parent))
    if model is not None:
        _link_model(item, model, product)
    return item


def _path(obj: Path | str | xr.DataArray | xr.Dataset) -> Path:
    if not isinstance(obj, xr.DataArray | xr.Dataset):
        return file_of(obj)
    source = obj.encoding.get("source")
    if source is None:
        raise UsageError(
            "this array was not opened from a file, and an item describes a file; write it first: "
            "`hsi_xr.describe(hsi_xr.write(cube, 'cube.tif'))`"
        )
    return file_of(source)


def _check_reachable(*linked: Path | str | None) -> None:
    for each in linked:
        if each is not None and Path(each).exists():
            raise UsageError(
                f"{str(each)!r} is on this machine, and nobody could follow a link to it from an "
                "item of object storage; upload it and give its URL, or leave it away"
            )


def _acquired(product: Product, given: Datetime | str | None) -> tuple[Datetime, Datetime]:
    if given is None and product.acquired is None:
        raise MissingFact(
            f"when the scene of {product.path.name!r} was acquired is not in the file; give "
            "`datetime=` (`--datetime` on the command line), e.g. 2026-01-02T10:30:00Z"
        )
    return period(given or product.acquired or "")


def properties(product: Product) -> dict[str, Any]:
    """What an item says of a product besides its place, its time and its files."""
    config = product.config
    facts: dict[str, Any] = {
        "processing:level": "L4",
        "processing:lineage": _lineage(product),
        "processing:version": config.get("version"),
        "processing:software": {"hsi-xr": config["version"]} if "version" in config else None,
        "processing:datetime": _written(product),
        **{f"hsi_xr:{key}": value for key, value in config.items()},
    }
    facts = {key: value for key, value in facts.items() if value not in (None, "")}
    facts["proj:code"] = code = code_of(product.crs)  # null says that there is none
    if code is None and product.crs is not None:
        facts["proj:wkt2"] = product.crs.to_wkt()
    return facts


def _lineage(product: Product) -> str:
    config, centres = product.config, [1000 * centre for centre in product.centres if centre]
    span = f", {min(centres):g} to {max(centres):g} nm," if centres else ""
    source = f"the RGB image {config['source']!r}" if config.get("source") else "an RGB image"
    sentences = [
        f"{product.quantity[:1].upper()}{product.quantity[1:]} in {len(product.descriptions)} bands"
        f"{span} estimated from {source}, read as {config.get('radiometry', 'unknown')}, by model "
        f"{config.get('model', 'unknown')} (sha256 {config.get('model_sha256', 'unknown')}).",
        "The weights were random: neither a measurement nor an estimate."
        if config.get("weights") == "random"
        else "A model estimate, not a measurement.",
    ]
    if "calibration" in config:
        sentences.append(
            f"Its bands were calibrated to {config.get('calibration_points', 'some')} known "
            f"spectra ({config.get('calibration_source', 'unknown')})."
        )
    if held := config.get("consistency"):
        sentences.append(f"{_HELD.get(held, held)} camera {config.get('camera', 'unknown')}.")
    if product.crs is None:
        sentences.append("The image has no coordinate reference system: where it lies is unknown.")
    return " ".join(sentences)


_HELD = {
    "exact": "Held to the image as seen by",
    "soft": "Held to the image, within noise, as seen by",
}


def _written(product: Product) -> str | None:
    if product.written is None:
        return None
    try:
        written = Datetime.strptime(product.written, "%Y:%m:%d %H:%M:%S")
    except ValueError:  # of another tool
        return None
    return written.strftime("%Y-%m-%dT%H:%M:%SZ")


def _link(source: Path | str, folder: Path) -> "pystac.Link":
    """To where the pixels came from: relative to the item if it is a file here."""
    import pystac

    path = Path(source)
    if path.exists():
        item = path.with_suffix(".json")
        if item.exists() and '"stac_version"' in item.read_text("utf-8", errors="replace"):
            path = item
        href = Path(relpath(path.resolve(), folder.resolve())).as_posix()
    else:
        href = without_query(str(source))
    kind = _media_type(href)
    # readers of STAC follow `derived_from` and expect an item there
    return pystac.Link("derived_from" if kind == _ITEM else "via", href, kind)


def _link_model(item: "pystac.Item", model: Path | str, product: Product) -> None:
    """Say which item describes the model; a file here is looked into first."""
    import pystac

    href, weights = str(model), product.config.get("model_sha256")
    if Path(model).exists():
        about = json.loads(Path(model).read_text("utf-8"))
        told = [asset.get("file:checksum") for asset in about.get("assets", {}).values()]
        if with_code(str(weights)) not in told:
            raise InvalidData(
                f"{href!r} describes other weights than those of {product.path.name!r} (sha256 "
                f"{weights}); give the item of the model that made it"
            )
        href = Path(relpath(Path(model).resolve(), product.path.parent.resolve())).as_posix()
    more = {"mlm:name": product.config.get("model"), "processing:level": "L4"}
    item.add_link(pystac.Link("derived_from", href, _ITEM, extra_fields=more))
    item.properties["processing:expression"] = {"format": "stac-mlm", "expression": href}


def _media_type(href: str) -> str | None:
    ending = href.rpartition(".")[2].lower()
    return {"json": _ITEM, "geojson": _ITEM, "tif": GEOTIFF, "tiff": GEOTIFF}.get(ending)
