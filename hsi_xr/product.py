"""Products: a cube with its companion files, a preview and a STAC item that describes them all."""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime as Datetime
from pathlib import Path
from typing import TypedDict

import xarray as xr

from hsi_xr.checkpoints.card import Card
from hsi_xr.checkpoints.model_folder import linked_item
from hsi_xr.checkpoints.registry import find, shipped
from hsi_xr.errors import DestinationExists, HsiError, MissingFact, UsageError
from hsi_xr.io import formats
from hsi_xr.io.journal import journal_path
from hsi_xr.io.preview import write_thumbnail
from hsi_xr.io.remote import file_of, is_remote, reaching, url_of
from hsi_xr.io.variables import companion_paths
from hsi_xr.io.write import Progress, write
from hsi_xr.stac.files import save
from hsi_xr.stac.item import describe
from hsi_xr.times import utc_text

PathLike = str | os.PathLike[str]
_TIME = "datetime= (--datetime), e.g. 2026-01-02T10:30:00Z"
_NO_ITEM = "stac=False (--no-stac)"
_RESUME = "Finished blocks are kept; continue with --resume."


class ItemFields(TypedDict, total=False):
    """Fields that a STAC item gets besides those that `hsi_xr.describe` fills."""

    properties: Mapping[str, object]
    links: Sequence[Mapping[str, str]]
    collection: str


@dataclass(frozen=True, kw_only=True)
class Product:
    """The files of a written product.

    Paths in object storage are those of universal-pathlib; as text they are URLs.
    """

    cube: Path
    companions: tuple[Path, ...] = ()
    """Files of other variables: standard deviation, RGB residual, out-of-distribution score."""
    style: Path | None = None
    """QGIS style; None if the cube has no natural colours or its format takes no style."""
    preview: Path | None = None
    item: Path | None = None
    """STAC item; None if none was written."""
    model: Path | None = None
    """STAC item of the model, which `item` links."""


@dataclass(frozen=True, kw_only=True)
class ProductPlan:
    """What `write_product` will write next to a cube. Whatever can be refused has been."""

    path: Path
    source: str | None
    """The scene that the cube was made from."""
    acquired: str | None
    """When the scene was acquired, as ISO 8601 in UTC."""
    with_item: bool

    @property
    def item(self) -> Path:
        return self.path.with_suffix(".json")

    @property
    def preview(self) -> Path:
        return self.path.with_suffix(".png")


def write_product(
    cube: xr.Dataset | xr.DataArray,
    path: PathLike,
    *,
    datetime: Datetime | str | None = None,
    source: PathLike | None = None,
    model: PathLike | None = None,
    dtype: str = "int16",
    scale: float = 1e-4,
    format: str | None = None,
    creation_options: Mapping[str, str] | None = None,
    stac: bool | None = None,
    item_fields: ItemFields | None = None,
    overwrite: bool = False,
    resume: bool = False,
    tmp: PathLike | None = None,
    progress: Progress | None = None,
) -> Product:
    """Write a cube with its companion files, a preview and a STAC item.

    The cube is written by `hsi_xr.write`. If its acquisition time is known, a preview in natural
    colour (`<stem>.png`) and a STAC item (`<stem>.json`) follow, next to it. The item links the
    scene and the model; a model that ships with the package is copied into `models/` for that,
    with a STAC item of its own. `hsi-xr reconstruct` writes the same files.

    Args:
        cube: Reconstructed reflectance (band, y, x); see `hsi_xr.write`.
        path: File, Zarr store, or URL of object storage; see `hsi_xr.write`.
        datetime: When the scene was acquired: an aware datetime or ISO 8601 text (UTC unless it
            states an offset), with `/` between start and end of a range. Defaults to the cube's
            attribute `datetime`, which comes from the scene.
        source: File, URL or STAC item of the scene. The item links it, and the product is not
            allowed to replace it. Defaults to the file that the cube was opened from, if any.
        model: Model that made the cube (a name, a weights file or a model folder), or its STAC
            item (.json). By default, models that ship with the package are recognised by the
            sha256 in the cube's attributes.
        dtype: `int16` stores steps of `scale`; `float32` stores values unchanged.
        scale: Reflectance of one stored step.
        format: `cog`, `geotiff`, `zarr`, `envi` or `netcdf`; None infers it from `path`.
        creation_options: Creation options of the format, e.g. `{"COMPRESS": "DEFLATE"}`.
        stac: True requires a STAC item, False writes neither item nor preview, and None writes
            them if the acquisition time is known.
        item_fields: Further `properties`, further `links` and the `collection` of the STAC item.
        overwrite: Replace existing files, once the new ones are complete.
        resume: Continue an interrupted run of the same configuration.
        tmp: Folder for temporary files of a product that goes to object storage.
        progress: Called with (pixels written, pixels in total) after each block.

    Returns:
        The paths of all files.

    Raises:
        DestinationExists: A file of the product exists and `overwrite` is not set, or a cube in
            another format has the same stem, so that the two would share one item.
        MissingFact: `stac=True`, and the acquisition time is unknown or a day without a time.
        UsageError: The product would replace the scene, or the model is not the cube's.
        HsiError: As `hsi_xr.write` and `hsi_xr.describe` raise.
    """
    plan = check_product(
        cube,
        path,
        datetime=datetime,
        source=source,
        format=format,
        stac=stac,
        overwrite=overwrite,
        resume=resume,
    )
    linked = _model(cube, model) if plan.with_item else None
    _warn_without_item(plan, intended=stac is None)
    if plan.acquired is not None:
        cube = cube.assign_attrs(datetime=plan.acquired)
    with _resumable(plan.path):
        write(
            cube,
            path,
            dtype=dtype,
            scale=scale,
            format=format,
            overwrite=overwrite,
            resume=resume,
            creation_options=creation_options,
            progress=progress,
            tmp=tmp,
        )
    product = _written(cube, plan.path, format)
    if not plan.with_item:
        return product
    return describe_product(
        product,
        datetime=plan.acquired,
        source=plan.source,
        model=linked,
        item_fields=item_fields or {},
    )


def check_product(
    obj: xr.Dataset | xr.DataArray,
    path: PathLike,
    *,
    datetime: Datetime | str | None = None,
    source: PathLike | None = None,
    format: str | None = None,
    stac: bool | None = None,
    overwrite: bool = False,
    resume: bool = False,
) -> ProductPlan:
    """Check that `write_product` may write its files, before the cube is planned or computed.

    Args:
        obj: The cube, or the scene that it will be made from.
        path, datetime, source, format, stac, overwrite, resume: As in `write_product`.

    Raises:
        HsiError: As `write_product` raises.
    """
    formats.resolve(path, format)
    time = datetime or obj.attrs.get("datetime")
    origin = source if source is not None else _opened_from(obj)
    plan = ProductPlan(
        path=file_of(path),
        source=None if origin is None else str(origin),
        acquired=utc_text(time) if time else None,
        with_item=bool(time) and stac is not False,
    )
    _refuse_replacing_source(plan)
    if stac and plan.acquired is None:
        scene = "the scene" if plan.source is None else repr(plan.source)
        raise MissingFact(
            f"the acquisition time of {scene} is unknown, and a STAC item requires one; "
            f"give {_TIME}"
        )
    if plan.with_item:
        _refuse_existing(plan, replace=overwrite or resume)
    return plan


def describe_product(
    product: Product,
    *,
    datetime: Datetime | str | None = None,
    source: PathLike | None = None,
    model: Card | Path | None = None,
    item_fields: ItemFields | None = None,
) -> Product:
    """Write preview and STAC item of a product that has none, each complete or not at all.

    Args:
        product: As `write_product` returned it.
        datetime: Acquisition time of the scene; by default that in the file.
        source: File, URL or STAC item of the scene.
        model: Card of the model that made the cube, or the path of its STAC item.
        item_fields: Further fields of the item.

    Returns:
        The product with its preview and its item.

    Raises:
        HsiError: They could not be written; the cube is complete.
    """
    path, fields = product.cube, item_fields or {}
    if is_remote(str(path)):
        model = None  # an item in object storage links no local file
        source = None if source is None or Path(source).exists() else source
    try:
        preview = write_thumbnail(path)
        linked = linked_item(model, path.parent) if isinstance(model, Card) else model
        item = describe(
            path,
            datetime=datetime,
            derived_from=None if source is None else str(source),
            model=linked,
        )
        item.properties |= fields.get("properties", {})
        stac = item.to_dict(include_self_link=False)
        stac["links"] += fields.get("links", ())
        if "collection" in fields:
            stac["collection"] = fields["collection"]
        written = save(stac, path.with_suffix(".json"))
    except HsiError as error:
        raise HsiError(
            f"{str(path)!r} is complete, but its STAC item could not be written: {error}"
        ) from error
    return replace(product, preview=preview, item=written, model=linked)


def _opened_from(obj: xr.Dataset | xr.DataArray) -> str | None:
    """Returns the file that an object was opened from, as xarray's readers record it."""
    main = obj["reflectance"] if isinstance(obj, xr.Dataset) and "reflectance" in obj else obj
    return obj.encoding.get("source") or main.encoding.get("source")


def _refuse_replacing_source(plan: ProductPlan) -> None:
    """Files of a product are named after it, and must not replace the scene."""
    if plan.source is None:
        return
    read, written = _comparable(plan.source), _comparable(str(plan.path))
    for file in (written, *companion_paths(written).values()):
        if file == read or (read.exists() and file.exists() and file.samefile(read)):
            what = "is" if file == written else f"would get a companion {file.name!r}, which is"
            raise UsageError(
                f"{str(plan.path)!r} {what} the file that is being read; choose another name"
            )
    if read.with_suffix("") == written.with_suffix(""):
        raise UsageError(
            f"{str(plan.path)!r} and the file that is being read, {read.name!r}, differ only in "
            "their suffix, so they would share preview, style and STAC item; choose another name"
        )


def _comparable(path: str) -> Path:
    """Returns one name for a file or an object; remote ones are only for comparison."""
    return Path(url_of(path)) if is_remote(path) else Path(path).resolve()


def _refuse_existing(plan: ProductPlan, *, replace: bool) -> None:
    with reaching(plan.path, "look for"):
        existing = [path for path in (plan.item, plan.preview) if path.exists()]
        others = [path for path in formats.same_stem_paths(plan.path) if path.exists()]
    if others:
        raise DestinationExists(
            f"{others[0].name!r} exists and would share {plan.item.name!r} with "
            f"{plan.path.name!r}; choose another name, or write no STAC item: {_NO_ITEM}"
        )
    if existing and not replace:
        raise DestinationExists(
            f"{str(existing[0])!r} exists; set overwrite=True (--overwrite) to replace it, choose "
            f"another name, or write no STAC item: {_NO_ITEM}"
        )


def _model(cube: xr.Dataset | xr.DataArray, model: PathLike | None) -> Card | Path | None:
    """Returns the card of the model that made a cube, or the path of its STAC item."""
    if cube.attrs.get("hsi_xr_weights") == "random":
        return None
    made_by = cube.attrs.get("hsi_xr_model_sha256")
    if model is None:
        return next((card for card in shipped().values() if card.sha256 == made_by), None)
    if str(model).lower().endswith(".json"):
        return Path(model)
    card = find(model)
    if made_by not in (None, card.sha256):
        raise UsageError(
            f"the cube was made by model {cube.attrs.get('hsi_xr_model')!r} (sha256 "
            f"{str(made_by)[:12]}), not by {card}; give the model that made it"
        )
    return card


def _warn_without_item(plan: ProductPlan, *, intended: bool) -> None:
    """Warn now, not after hours, that there will be no item, or one of an earlier product."""
    if plan.with_item:
        return
    if intended:
        scene = "the scene" if plan.source is None else Path(plan.source).name
        warnings.warn(
            f"no STAC item will be written: the acquisition time of {scene} is unknown; give "
            f"{_TIME}, or {_NO_ITEM}",
            stacklevel=3,
        )
    if plan.item.exists():
        warnings.warn(
            f"{str(plan.item)!r} stays as it is and does not describe the new "
            f"{plan.path.name!r}; remove it, or write a new item",
            stacklevel=3,
        )


@contextmanager
def _resumable(path: Path) -> Iterator[None]:
    """Note on an interruption that the run can be resumed, if it can."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        if is_remote(str(path)) or journal_path(path).exists():
            interrupt.add_note(_RESUME)
        raise


def _written(cube: xr.Dataset | xr.DataArray, path: Path, format: str | None) -> Product:
    if formats.by_name(formats.resolve(path, format)).MULTI_VARIABLE:
        return Product(cube=path)
    siblings = companion_paths(path).items() if isinstance(cube, xr.Dataset) else ()
    style = path.with_suffix(".qml")
    return Product(
        cube=path,
        companions=tuple(file for name, file in siblings if name in cube),
        style=style if style.exists() else None,
    )
