"""What is wrong with a STAC item: against its schemas, its files, and what those say themselves."""

from pathlib import Path

from hsi_xr.errors import InvalidData
from hsi_xr.stac.checksums import with_code
from hsi_xr.stac.validate.asset_checks import ANEW, check_asset
from hsi_xr.stac.validate.document import Document, bands_of, mapping, sequence
from hsi_xr.stac.validate.findings import Fault, Inspection
from hsi_xr.stac.validate.object_checks import REFER, check_object, leading, read
from hsi_xr.stac.validate.time_checks import wrong_times


def check_item(item: Document, seen: Inspection) -> bool:
    """Look at an item and all that it leads to here; gives whether its schemas admit it."""
    is_valid = check_object(item, seen)
    for fault in wrong_times(item.properties):
        seen.tell(item.path, fault)
    for name, asset in item.assets.items():
        check_asset(item, name, asset, seen)
    if item.is_model:
        _check_model(item, seen)
    else:
        _check_expression(item, seen)
    if item.is_made_here and "reflectance" not in item.assets:
        seen.tell(item.path, Fault("it has no asset 'reflectance'", ANEW))
    return is_valid


def _check_expression(item: Document, seen: Inspection) -> None:
    """Whether the model that an item names is described by an item, and is the one that it says."""
    expression = mapping(item.properties.get("processing:expression"))
    if expression.get("format") != "stac-mlm":
        return
    href, what = expression.get("expression"), "its processing:expression"
    if not isinstance(href, str):
        seen.tell(item.path, Fault(f"{what} names no model", REFER))
        return
    path = leading(item, href, what, seen)
    model = None if path is None else _model(path, seen)
    if model is None:
        return
    sums = [asset.get("file:checksum") for asset in model.assets.values()]
    if (weights := item.properties.get("hsi_xr:model_sha256")) and with_code(
        str(weights)
    ) not in sums:
        text = f"its model has the sha256 {weights}, and {str(path)!r} describes another"
        seen.tell(item.path, Fault(text, "link the item of the model that made it"))


def _model(path: Path, seen: Inspection) -> Document | None:
    if not seen.first(path):
        try:
            return Document.read(path)
        except InvalidData:
            return None  # told already
    model = read(path, seen)
    if model is not None:
        check_item(model, seen)
    return model


def _check_model(item: Document, seen: Inspection) -> None:
    """Bands that inputs and outputs name must be described: the schema does not ask for it."""
    named = {str(band.get("name")) for band in bands_of(item.properties)}
    for key in ("mlm:input", "mlm:output"):
        of = [sequence(mapping(each).get("bands")) for each in sequence(item.properties.get(key))]
        absent = [
            band for bands in of for band in bands if isinstance(band, str) and band not in named
        ]
        if absent:
            text = f"{key} names {', '.join(absent[:5])}, which is none of its bands"
            seen.tell(item.path, Fault(text, "describe it among the `bands` of its properties"))
