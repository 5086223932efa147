"""The STAC item of a written product; its content is read from the files of the product."""

from datetime import datetime as Datetime
from os.path import relpath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from hsi_xr.errors import InvalidData, MissingFact, UsageError
from hsi_xr.io.cube_file import CubeFile
from hsi_xr.io.formats.geotiff import MEDIA_TYPE as GEOTIFF
from hsi_xr.io.georef import authority_code
from hsi_xr.io.remote import file_of, is_remote, without_query
from hsi_xr.level_interval import level_text
from hsi_xr.stac.document import Document
from hsi_xr.stac.files import ITEM_TYPE, as_multihash
from hsi_xr.stac.footprint import geometry_or_none
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


def describe(
    obj: Path | str | xr.DataArray | xr.Dataset,
    *,
    datetime: Datetime | str | None = None,
    href: str | None = None,
    id: str | None = None,
    derived_from: Path | str | None = None,
    model: Path | str | None = None,
) -> "pystac.Item":
    """Returns the STAC 1.1 item of a written product.

    The item lists the product, its companions (uncertainty, residual, out-of-distribution score)
    and its preview as assets, with bands, wavelengths, footprint, provenance, file sizes and
    checksums. Everything is read from the files; what they do not state is omitted. A companion
    that another run wrote is left out.

    Args:
        obj: Path or URL of a product written by `hsi_xr.write`, or what `hsi_xr.open` returned for
            it. Every file is read once, to compute its checksum.
        datetime: Acquisition time of the RGB scene: a datetime, or ISO 8601 text such as
            "2026-01-02T10:30:00Z", with "/" between start and end of a range. UTC is assumed where
            there is no offset. The time recorded in the file by default.
        href: Reference to the product, from which those to the other files follow. "./<name>" by
            default, for an item that is saved next to the product.
        id: Identifier of the item. The file name without its suffix by default.
        derived_from: Path or URL of the RGB scene or of its STAC item. An item is linked as
            "derived_from", an image as "via". A local image with an item `<stem>.json` next to it
            is linked by that item.
        model: Path or URL of the model's STAC item, as `hsi-xr models export` writes it.

    Returns:
        An item that belongs to no collection yet. Its geometry is null if the product has no
        coordinate reference system, or one without longitude and latitude, such as a site grid.

    Raises:
        UnreadableFile: The product does not exist or cannot be read.
        MissingFact: The acquisition time is unknown, or only its date is given.
        InvalidData: hsi_xr did not write the file, or the model's item describes other weights.
        UsageError: The array was not opened from a file, or the item of a product in object storage
            would link to a local file.

    Examples:
        >>> item = hsi_xr.describe("cube.tif", datetime="2026-01-02T10:30:00Z")
        >>> item.save_object(include_self_link=False, dest_href="cube.json")
    """
    import pystac

    product = CubeFile.read(_path(obj))
    if is_remote(str(product.path)):
        _check_linkable(derived_from, model)
    geometry, bbox = outline(product)
    start, end = _acquisition(product, datetime)
    item = pystac.Item(
        id=id or product.path.stem,
        geometry=geometry,
        bbox=bbox,
        datetime=start if start == end else None,
        properties=properties(product),
        stac_extensions=list(SCHEMAS),
        start_datetime=None if start == end else start,
        end_datetime=None if start == end else end,
    )
    href = href or f"./{product.path.name}"
    for key, asset in assets(product, href).items():
        item.add_asset(key, pystac.Asset.from_dict(asset))
    if product.path.is_dir():  # STAC's best practices for Zarr
        item.add_link(pystac.Link("store", href, item.assets["reflectance"].media_type))
    if derived_from is not None:
        item.add_link(_source_link(derived_from, product.path.parent))
    if model is not None:
        _link_model(item, model, product)
    return item


def _path(obj: Path | str | xr.DataArray | xr.Dataset) -> Path:
    if not isinstance(obj, xr.DataArray | xr.Dataset):
        return file_of(obj)
    source = obj.encoding.get("source")
    if source is None:
        raise UsageError(
            "an item describes a file, but this array was not opened from one; write it first: "
            "`hsi_xr.describe(hsi_xr.write(cube, 'cube.tif'))`"
        )
    return file_of(source)


def _check_linkable(*targets: Path | str | None) -> None:
    for target in targets:
        if target is not None and Path(target).exists():
            raise UsageError(
                f"an item in object storage cannot link to the local file {str(target)!r}; upload "
                "the file and give its URL, or omit it"
            )


def _acquisition(product: CubeFile, given: Datetime | str | None) -> tuple[Datetime, Datetime]:
    if given is None and product.acquired is None:
        raise MissingFact(
            f"{product.path.name!r} does not record when its scene was acquired; give `datetime=` "
            "(`--datetime` on the command line), e.g. 2026-01-02T10:30:00Z"
        )
    return period(given or product.acquired or "")


def outline(product: CubeFile) -> tuple[dict[str, Any] | None, list[float] | None]:
    """Returns geometry and bbox of a product; None for both without a place on Earth."""
    return geometry_or_none(product.transform, product.shape, product.crs)


def properties(product: CubeFile) -> dict[str, Any]:
    """Returns the properties of an item other than its acquisition time."""
    config = product.config
    stated: dict[str, Any] = {
        "processing:level": "L4",
        "processing:lineage": _lineage(product),
        "processing:version": config.get("version"),
        "processing:software": {"hsi-xr": config["version"]} if "version" in config else None,
        "processing:datetime": _written(product),
        **{f"hsi_xr:{key}": value for key, value in config.items()},
    }
    stated = {key: value for key, value in stated.items() if value not in (None, "")}
    stated["proj:code"] = code = authority_code(product.crs)  # null states that there is none
    if code is None and product.crs is not None:
        stated["proj:wkt2"] = product.crs.to_wkt()
    return stated


def _lineage(product: CubeFile) -> str:
    config, centres = product.config, [1000 * centre for centre in product.centres if centre]
    span = f", {min(centres):g} to {max(centres):g} nm," if centres else ""
    kind = "RGB" if len(str(config.get("source_bands", "")).split(",")) <= 3 else "multispectral"
    name = config.get("source")
    source = f"the {kind} image {name!r}" if name else f"{_ARTICLES[kind]} {kind} image"
    sentences = [
        f"{product.quantity[:1].upper()}{product.quantity[1:]} in {len(product.descriptions)} bands"
        f"{span} estimated from {source}, read as {config.get('radiometry', 'unknown')}, by model "
        f"{config.get('model', 'unknown')} (sha256 {config.get('model_sha256', 'unknown')}).",
        "The weights were random: neither a measurement nor an estimate."
        if config.get("weights") == "random"
        else "A model estimate, not a measurement.",
    ]
    if level := level_text(config):
        sentences.append(f"The level of the scene is {level}.")
    if "calibration" in config:
        sentences.append(
            f"Its bands were calibrated to {config.get('calibration_points', 'some')} known "
            f"spectra ({config.get('calibration_source', 'unknown')})."
        )
    if consistency := config.get("consistency"):
        camera = config.get("camera", "unknown")
        sentences.append(f"{_CONSISTENCY.get(consistency, consistency)} camera {camera}.")
    if product.crs is None:
        sentences.append("The image has no coordinate reference system; its location is unknown.")
    elif outline(product)[0] is None:
        sentences.append("The longitude and latitude of its pixels cannot be determined.")
    return " ".join(sentences)


_ARTICLES = {"RGB": "an", "multispectral": "a"}
_CONSISTENCY = {
    "exact": "Consistent with the image as measured by",
    "soft": "Consistent, within noise, with the image as measured by",
}


def _written(product: CubeFile) -> str | None:
    if product.written is None:
        return None
    try:
        written = Datetime.strptime(product.written, "%Y:%m:%d %H:%M:%S")
    except ValueError:  # another tool wrote it
        return None
    return written.strftime("%Y-%m-%dT%H:%M:%SZ")


def _source_link(source: Path | str, folder: Path) -> "pystac.Link":
    """Returns the link to the RGB scene, relative to the folder of the item if it is local."""
    import pystac

    path = Path(source)
    if path.exists():
        item = path.with_suffix(".json")
        if item.exists() and '"stac_version"' in item.read_text("utf-8", errors="replace"):
            path = item
        href = Path(relpath(path.resolve(), folder.resolve())).as_posix()
    else:
        href = without_query(str(source))
    media_type = _media_type(href)
    # STAC readers follow `derived_from` and expect an item
    return pystac.Link("derived_from" if media_type == ITEM_TYPE else "via", href, media_type)


def _link_model(item: "pystac.Item", model: Path | str, product: CubeFile) -> None:
    """Links the item of the model; a local one must describe the weights of the product."""
    import pystac

    href, weights = str(model), product.config.get("model_sha256")
    if Path(model).exists():
        if as_multihash(str(weights)) not in Document.read(Path(model)).checksums:
            raise InvalidData(
                f"{href!r} describes weights other than those of {product.path.name!r} (sha256 "
                f"{weights}); give the item of the model that computed it"
            )
        href = Path(relpath(Path(model).resolve(), product.path.parent.resolve())).as_posix()
    fields = {"mlm:name": product.config.get("model"), "processing:level": "L4"}
    item.add_link(pystac.Link("derived_from", href, ITEM_TYPE, extra_fields=fields))
    item.properties["processing:expression"] = {"format": "stac-mlm", "expression": href}


def _media_type(href: str) -> str | None:
    suffix = href.rpartition(".")[2].lower()
    types = {"json": ITEM_TYPE, "geojson": ITEM_TYPE, "tif": GEOTIFF, "tiff": GEOTIFF}
    return types.get(suffix)
