"""Conversion of one image to a product."""

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from hsi_xr.batch.bucket import Bucket
from hsi_xr.batch.context import ConversionContext, product_files
from hsi_xr.batch.inspect import ImageInfo
from hsi_xr.batch.names import COLLECTION
from hsi_xr.io.preview import write_thumbnail
from hsi_xr.io.remote import is_remote
from hsi_xr.io.write import Progress
from hsi_xr.pipeline.reconstruct import reconstruct
from hsi_xr.product import ItemFields, write_product


def make_product(
    context: ConversionContext, image: ImageInfo, device: str, progress: Progress
) -> dict[str, int]:
    """Write all files of a product, or resume an interrupted run that wrote some of them.

    Returns:
        Name -> bytes of the files.
    """
    config, path = context.config, context.product_path(image)
    path.parent.mkdir(exist_ok=True)
    if not config.stac:
        path.with_suffix(".json").unlink(missing_ok=True)  # it describes an earlier product
    write_product(
        _cube(context, image, device),
        path,
        source=_linked_source(context, image),
        model=context.model_item,
        stac=config.stac,
        item_fields=_item_fields(context),
        **config.storage,
        overwrite=True,
        resume=True,
        progress=progress,
    )
    if not config.stac:
        write_thumbnail(path)
    files = [file for file in product_files(path) if file.exists()]
    sizes = {file.name: file.stat().st_size for file in files}
    if context.bucket is not None:
        _upload(context.bucket, path, files)
    return sizes


def _cube(context: ConversionContext, image: ImageInfo, device: str) -> xr.Dataset:
    config = context.config
    if context.mosaic is not None:
        cube = context.mosaic.cube(image, device)
    else:
        options = config.reconstruct_options(image.dtype, device)
        cube = reconstruct(image.open(config), config.model, **options)
    cube = cube.assign_attrs(
        hsi_xr_source=image.name,
        hsi_xr_source_dtype=image.dtype,
        hsi_xr_source_bands=",".join(map(str, image.bands)),
        hsi_xr_source_bands_origin=image.bands_origin,
    )
    return cube if image.acquired is None else cube.assign_attrs(datetime=image.acquired)


def _linked_source(context: ConversionContext, image: ImageInfo) -> str | None:
    """Returns the STAC item or image that the product links, without a signature."""
    source = image.source.item or image.source.href.partition("?")[0]
    if context.bucket is not None and not is_remote(source):
        return None  # an item in object storage cannot link a local file
    return source


def _item_fields(context: ConversionContext) -> ItemFields:
    """Returns the fields that make an item a member of the collection."""
    target = {"href": f"../{COLLECTION}", "type": "application/json"}
    links = [{"rel": rel, **target} for rel in ("root", "parent", "collection")]
    return {"collection": context.collection_id, "links": links}


def _upload(bucket: Bucket, cube: Path, files: Sequence[Path]) -> None:
    """Upload a product, remove stale files of an earlier one, and keep only the item locally."""
    try:
        bucket.upload(files)
        bucket.remove(bucket.name_of(file) for file in product_files(cube) if file not in files)
    finally:
        for file in files:
            if file.suffix != ".json":
                file.unlink()
