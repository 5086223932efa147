"""Products: a cube with its companion files, a preview and a STAC item that describes them all."""

import os
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
from hsi_xr.errors import HsiError, UsageError
from hsi_xr.io import formats
from hsi_xr.io.journal import journal_path
from hsi_xr.io.preview import Overview, write_thumbnail
from hsi_xr.io.remote import is_remote
from hsi_xr.io.variables import DEFAULT_DTYPE, DEFAULT_SCALE, companion_path
from hsi_xr.io.write import Progress, WriteOptions, write_files
from hsi_xr.output_variables import SAMPLE, companions_among, draw_name
from hsi_xr.product.checks import ProductPlan, check_product
from hsi_xr.stac.files import save
from hsi_xr.stac.item import describe

PathLike = str | os.PathLike[str]
_RESUME = "Finished blocks are kept; continue with --resume."


class ItemFields(TypedDict, total=False):
    """Fields of a STAC item in addition to those that `hsi_xr.describe` fills."""

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
    """Files of other variables: draws, standard deviation, quantiles, RGB residual,
    out-of-distribution score."""
    style: Path | None = None
    """QGIS style; None if the cube has no natural colours or its format takes no style."""
    preview: Path | None = None
    item: Path | None = None
    """STAC item; None if none was written."""
    model: Path | None = None
    """STAC item of the model, which `item` links."""


def write_product(
    cube: xr.Dataset | xr.DataArray,
    path: PathLike,
    *,
    datetime: Datetime | str | None = None,
    source: PathLike | None = None,
    model: PathLike | None = None,
    dtype: str = DEFAULT_DTYPE,
    scale: float = DEFAULT_SCALE,
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
        stac: True requires a STAC item, False writes neither item nor preview, and None writes
            them if the acquisition time is known.
        item_fields: Further `properties`, further `links` and the `collection` of the STAC item.
        dtype: As in `hsi_xr.write`.
        scale: As in `hsi_xr.write`.
        format: As in `hsi_xr.write`.
        creation_options: As in `hsi_xr.write`.
        overwrite: As in `hsi_xr.write`.
        resume: As in `hsi_xr.write`.
        tmp: As in `hsi_xr.write`.
        progress: As in `hsi_xr.write`.

    Returns:
        The paths of all files.

    Raises:
        DestinationExists: A file of the product exists and `overwrite` is not set, or a cube in
            another format has the same stem, so that the two would share one item.
        MissingFact: `stac=True`, and the acquisition time is unknown or a day without a time.
        UsageError: The product would replace the scene, or the model is not the cube's.
        HsiError: Any error of `hsi_xr.write` or `hsi_xr.describe`.
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
    made_by = _model(cube, model) if plan.has_item else None
    plan.warn_about_item()
    options = WriteOptions(
        dtype=dtype,
        scale=scale,
        format=format,
        overwrite=overwrite,
        resume=resume,
        creation_options=creation_options or {},
        progress=progress,
        tmp=tmp,
    )
    product, overview = _write_cube(cube, plan, options)
    if not plan.has_item:
        return product
    return describe_product(
        product,
        datetime=plan.acquired,
        source=plan.source,
        model=made_by,
        item_fields=item_fields,
        overview=overview,
    )


def describe_product(
    product: Product,
    *,
    datetime: Datetime | str | None = None,
    source: PathLike | None = None,
    model: Card | Path | None = None,
    item_fields: ItemFields | None = None,
    overview: Overview | None = None,
) -> Product:
    """Write preview and STAC item of a product that has none, each complete or not at all.

    Args:
        product: As `write_product` returned it.
        datetime: Acquisition time of the scene; by default that in the file.
        source: File, URL or STAC item of the scene.
        model: Card of the model that made the cube, or the path of its STAC item.
        item_fields: Further fields of the item.
        overview: Overview of the cube, if it has been read already.

    Returns:
        The product with its preview and its item.

    Raises:
        HsiError: The preview or the item could not be written; the cube is complete.
    """
    path, fields = product.cube, item_fields or {}
    if is_remote(str(path)):
        model = None  # an item in object storage links no local file
        source = None if source is None or Path(source).exists() else source
    try:
        preview = write_thumbnail(path, overview)
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


def _write_cube(
    cube: xr.Dataset | xr.DataArray, plan: ProductPlan, options: WriteOptions
) -> tuple[Product, Overview | None]:
    if plan.acquired is not None:
        cube = cube.assign_attrs(datetime=plan.acquired)
    with _resumable(plan.path):
        overview = write_files(cube, str(plan.path), options).overview
    if formats.by_name(formats.resolve(plan.path, options.format)).MULTI_VARIABLE:
        return Product(cube=plan.path), overview
    draws = [draw_name(at + 1) for at in range(cube.sizes.get(SAMPLE, 0))]
    companions = companions_among([*draws, *(cube if isinstance(cube, xr.Dataset) else ())])
    style = plan.path.with_suffix(".qml")
    product = Product(
        cube=plan.path,
        companions=tuple(companion_path(plan.path, name) for name in companions),
        style=style if style.exists() else None,
    )
    return product, overview


@contextmanager
def _resumable(path: Path) -> Iterator[None]:
    """Note on an interruption that the run can be resumed, if it can."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        if is_remote(str(path)) or journal_path(path).exists():
            interrupt.add_note(_RESUME)
        raise
