"""Checks of a STAC item: its schemas, times, assets and model."""

from pathlib import Path

from hsi_xr.errors import InvalidData
from hsi_xr.stac.document import Document, bands_of, mapping, sequence
from hsi_xr.stac.files import as_multihash
from hsi_xr.stac.validate.asset_checks import REDESCRIBE, check_asset
from hsi_xr.stac.validate.findings import Inspection, display_name
from hsi_xr.stac.validate.object_checks import FIX_LINK, check_object, follow, read, time_faults


def check_item(item: Document, inspection: Inspection) -> bool:
    """Checks an item and the local files that it refers to.

    Returns:
        True if it satisfies its schemas, and its times are valid.
    """
    is_valid = check_object(item, inspection)
    for fault in time_faults(item.properties):
        inspection.add(item.path, *fault)
        is_valid = False
    for name, asset in item.assets.items():
        check_asset(item, name, asset, inspection)
    if item.is_model:
        _check_model_bands(item, inspection)
    else:
        _check_expression(item, inspection)
    if item.is_ours and "reflectance" not in item.assets:
        inspection.add(item.path, "it has no asset 'reflectance'", REDESCRIBE)
    return is_valid


def _check_expression(item: Document, inspection: Inspection) -> None:
    """Checks that the item of the model exists, and describes the weights that were used."""
    expression = mapping(item.properties.get("processing:expression"))
    if expression.get("format") != "stac-mlm":
        return
    href, what = expression.get("expression"), "its processing:expression"
    if not isinstance(href, str):
        inspection.add(item.path, f"{what} has no href of a model's item", FIX_LINK)
        return
    path = follow(item, href, what, inspection)
    model = None if path is None else _read_model(path, inspection)
    if model is None:
        return
    weights = item.properties.get("hsi_xr:model_sha256")
    if weights and as_multihash(str(weights)) not in model.checksums:
        name = display_name(model.path)
        what = f"its model has the sha256 {weights}, but {name!r} describes another model"
        inspection.add(item.path, what, "link the item of the model that computed it")


def _read_model(path: Path, inspection: Inspection) -> Document | None:
    if not inspection.visit(path):
        try:
            return Document.read(path)
        except InvalidData:
            return None  # reported at the first visit
    model = read(path, inspection)
    if model is not None:
        check_item(model, inspection)
    return model


def _check_model_bands(item: Document, inspection: Inspection) -> None:
    """Checks that bands of inputs and outputs are described, which the schema does not require."""
    described = {str(band.get("name")) for band in bands_of(item.properties)}
    for key in ("mlm:input", "mlm:output"):
        lists = [mapping(value).get("bands") for value in sequence(item.properties.get(key))]
        names = [name for names in lists for name in sequence(names) if isinstance(name, str)]
        if missing := [name for name in names if name not in described]:
            what = f"{key} names undescribed bands: {', '.join(missing[:5])}"
            inspection.add(item.path, what, "add them to `bands` in the properties")
