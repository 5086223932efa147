"""Checks of an asset: that its file exists, is unchanged, and agrees with the item."""

from dataclasses import dataclass
from pathlib import Path

from hsi_xr.errors import InvalidData, UnknownName
from hsi_xr.io.cube_file import CubeFile
from hsi_xr.io.stores import store_driver
from hsi_xr.stac.document import Document, Json, bands_of, sequence
from hsi_xr.stac.files import algorithm_of, multihash
from hsi_xr.stac.item import outline, properties
from hsi_xr.stac.item_assets import VOLATILE, raster_fields, roles
from hsi_xr.stac.validate.band_checks import asset_band_faults
from hsi_xr.stac.validate.findings import (
    Difference,
    Fault,
    Inspection,
    as_json,
    difference,
    short,
)
from hsi_xr.stac.validate.object_checks import FIX_ITEM, FIX_LINK, follow, normalise_time
from hsi_xr.stac.validate.product_checks import product_faults
from hsi_xr.times import stac_times

REDESCRIBE = (
    "describe the file again with `hsi_xr.describe`, or restore the file that was described"
)
_REWORDED = ("processing:lineage",)
"""Properties whose wording depends on the version of this package."""
_MEDIA_TYPES = {".png": "image/png", ".hdr": "text/plain", ".xml": "application/xml"}
"""Media types of files other than rasters."""


@dataclass(frozen=True)
class _Asset:
    """An asset, and the inspection to which its faults are added."""

    item: Document
    key: str
    fields: Json
    inspection: Inspection

    @property
    def name(self) -> str:
        return f"its asset {self.key!r}"

    @property
    def variable(self) -> str | None:
        """Name of the variable, if the asset is one of several in a store."""
        variable = self.fields.get("hsi_xr:variable")
        return variable if isinstance(variable, str) else None

    def add(self, what: str, repair: str) -> None:
        self.inspection.add(self.item.path, what, repair)


def check_asset(item: Document, key: str, fields: Json, inspection: Inspection) -> None:
    """Checks an asset, and its file if the file is local."""
    asset = _Asset(item, key, fields, inspection)
    for fault in asset_band_faults(asset.name, fields, named_only=item.is_model):
        asset.add(*fault)
    file = _file(asset)
    if file is None:
        return
    is_first = inspection.visit(file, asset.variable or "")
    is_intact = is_first and file.is_file() and _is_intact(asset, file)
    if not item.is_ours:
        return
    if file.suffix in _MEDIA_TYPES:
        _check_media_type(asset, _MEDIA_TYPES[file.suffix])
        return
    for fault in product_faults(file, asset.variable, pixels=not is_intact) if is_first else ():
        inspection.add(file, *fault)
    _compare(asset, file)


def _file(asset: _Asset) -> Path | None:
    """Returns the local file or store of an asset."""
    href = asset.fields.get("href")
    if not isinstance(href, str):
        return None
    file = follow(asset.item, href, asset.name, asset.inspection)
    if file is not None and store_driver(str(file)) is None and not file.is_file():
        asset.add(f"{asset.name} refers to {short(href)}, which is not a file", FIX_LINK)
        return None
    return file


def _is_intact(asset: _Asset, file: Path) -> bool:
    """True if the checksum proves that the file is the one that was described."""
    size, checksum = asset.fields.get("file:size"), asset.fields.get("file:checksum")
    if size is not None and size != (actual := file.stat().st_size):
        asset.add(*_differs(f"{asset.name}: file:size", size, actual))
        return False
    if checksum is None:
        if asset.item.is_ours and not file.name.endswith(VOLATILE):
            asset.add(f"{asset.name} has no file:checksum", REDESCRIBE)
        return False
    algorithm = algorithm_of(checksum)
    if algorithm is None:
        _report_unknown(asset, checksum, file)
        return False
    try:
        is_same = multihash(file, algorithm) == checksum
    except PermissionError as error:
        asset.add(f"{asset.name} cannot be read ({error.strerror})", "grant permission to read it")
        return False
    if not is_same:
        asset.add(f"{asset.name} does not match its file:checksum", REDESCRIBE)
    return is_same


def _report_unknown(asset: _Asset, checksum: object, file: Path) -> None:
    """Reports a checksum of unknown algorithm; other tools may use any, hsi_xr uses SHA-256."""
    text = short(checksum)
    if asset.item.is_ours:
        what = f"{asset.name}: file:checksum {text} is not a multihash of SHA-256"
        asset.add(what, REDESCRIBE)
    else:
        asset.inspection.unseen.add(f"checksum {text} of {file.name}: unknown algorithm")


def _check_media_type(asset: _Asset, implied: str) -> None:
    if (stated := asset.fields.get("type")) != implied:
        what = f"{asset.name} has the type {short(stated)}, but its suffix implies {implied}"
        asset.add(what, FIX_ITEM)


def _compare(asset: _Asset, file: Path) -> None:
    """Checks that an asset, and the item if it is the main asset, agree with the file."""
    try:
        product = CubeFile.read(file, asset.variable)
    except (InvalidData, UnknownName):
        return  # reported by product_faults
    actual = raster_fields(product)
    bands = _band_difference(bands_of(asset.fields), actual.pop("bands"))
    if bands is not None:
        asset.add(*_differs(f"{asset.name}: {bands[0]}", *bands[1:]))
    for key, value in actual.items():
        if (stated := asset.fields.get(key)) != value:
            asset.add(*_differs(f"{asset.name}: {key}", stated, value))
    stated_roles = sequence(asset.fields.get("roles"))
    if missing := [role for role in roles(product) if role not in stated_roles]:
        asset.add(f"{asset.name} lacks the role {missing[0]!r}", FIX_ITEM)
    if asset.key == "reflectance":
        _compare_item(asset.item, product, asset.inspection)


def _compare_item(item: Document, product: CubeFile, inspection: Inspection) -> None:
    geometry, bbox = outline(product)
    actual: dict[str, object] = {"geometry": geometry, "bbox": bbox}
    stated = {**item.properties, **{key: item.json.get(key) for key in actual}}
    if product.acquired is not None:
        times = stac_times(product.acquired)
        actual |= times
        stated |= {key: normalise_time(stated.get(key)) or stated.get(key) for key in times}
    actual |= {key: value for key, value in properties(product).items() if key not in _REWORDED}
    for key, value in actual.items():
        if (unlike := difference(stated.get(key), as_json(value), key)) is not None:
            inspection.add(item.path, *_differs(*unlike))


def _band_difference(stated: list[Json], actual: list[dict[str, object]]) -> Difference | None:
    """Returns where bands first differ, except for common names, which files do not record."""
    bands = [{key: b[key] for key in b if key != "eo:common_name"} for b in stated]
    if len(bands) != len(actual):
        return "number of bands", len(bands), len(actual)
    return difference(bands, actual, "bands")


def _differs(what: str, stated: object, actual: object) -> Fault:
    return Fault(
        f"{what} is {short(stated)} in the item, but {short(actual)} in the file", REDESCRIBE
    )
