"""`hsi_xr.convert`: many images to products, with a collection and a mosaic of them."""

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from hsi_xr.batch.collect import remove_products, write_collection_and_mosaic
from hsi_xr.batch.config import Conversion, Failure
from hsi_xr.batch.context import ConversionContext
from hsi_xr.batch.destination import open_destination
from hsi_xr.batch.inputs import find_images
from hsi_xr.batch.inspect import ImageInfo, inspect_images
from hsi_xr.batch.make import make_product
from hsi_xr.batch.manifest import Entry, Manifest, open_manifest, source_record
from hsi_xr.batch.mosaic import Mosaic, check_earlier_products, check_tiles
from hsi_xr.batch.names import SCENE, SURVEY
from hsi_xr.batch.pool import Finished, ProgressSum, WorkerPool
from hsi_xr.batch.result import ConversionResult
from hsi_xr.checkpoints.card import Card
from hsi_xr.checkpoints.model_folder import file_name, model_item
from hsi_xr.checkpoints.registry import find
from hsi_xr.errors import Incomplete, UsageError
from hsi_xr.io.remote import file_of, is_remote
from hsi_xr.io.write import Progress
from hsi_xr.pipeline.plan import usable_device

_RESUME = "Finished images are kept; continue with --resume."


def convert(
    sources: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    conversion: Conversion | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    fail_fast: bool = False,
    dry_run: bool = False,
    tmp: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> ConversionResult:
    """Convert RGB or multispectral images to products, and write a STAC collection of them.

    Each product has a folder of its own, with the cube, a preview and a STAC item. Next to these
    folders are `collection.json`, the model with its STAC item in `models/`, and `manifest.jsonl`,
    from which an interrupted conversion is resumed. A resumed conversion ends with the same files
    as an uninterrupted one.

    Args:
        sources: Files, URLs, folders, patterns, lists and STAC objects; see
            `hsi_xr.batch.inputs.find_images`.
        folder: Folder of the products, created if necessary; or a URL such as `s3://bucket/cubes`.
        conversion: Settings.
        resume: Continue an earlier run with the same settings. It may have had fewer images.
        overwrite: Replace existing products.
        fail_fast: Stop at the first image that fails. By default, the others are converted.
        dry_run: Inspect the images, return which would be refused, and write nothing. The folder
            is not inspected.
        tmp: Folder where products for object storage are staged; by default the system's
            temporary folder. It keeps unfinished products and all items until the end.
        progress: Called with (pixels done, pixels in total).

    Returns:
        Which images were converted, and which have failed and why.

    Raises:
        UsageError: The request cannot be met, e.g. two products would have the same name, tiles do
            not fit into one mosaic, or the run to resume had other settings.
        DestinationExists: The folder contains products, and neither `resume` nor `overwrite` is
            set.
        MissingFact: Acquisition times are unknown, and items require them.
        DestinationUnwritable: The folder cannot be created or written to.
        Incomplete: With `fail_fast`: an image failed.
    """
    config = conversion or Conversion()
    if resume and overwrite:
        raise UsageError(
            "resume= (--resume) and overwrite= (--overwrite) are mutually exclusive; give one"
        )
    card = _check_resources(config)
    images, refused = _find_images(sources, file_of(folder), config)
    if fail_fast and refused:
        raise _stopped(refused[0])
    check_tiles(images, config)
    result = ConversionResult(folder=file_of(folder), refused=refused)
    if dry_run or not images:
        return replace(result, planned=images)
    with open_destination(folder, tmp) as (local, bucket), _resumable():
        context = ConversionContext(local, bucket, config, config.collection or _name_of(folder))
        manifest = _open_manifest(context, card, images, resume=resume, overwrite=overwrite)
        context = _with_shared_files(context, card, images)
        with _kept(manifest, context):
            _convert_all(context, images, manifest, result, fail_fast, progress)
        return _finish(context, manifest, result)


def _check_resources(config: Conversion) -> Card:
    """Returns the card of the model. Model and devices must exist."""
    card = find(config.model, untrained=bool(config.options.get("untrained")))
    for device in config.devices:
        usable_device(device)
    return card


def _find_images(
    sources: Sequence[str | os.PathLike[str]], folder: Path, config: Conversion
) -> tuple[list[ImageInfo], list[Failure]]:
    """Returns the images that can be converted, and why others cannot."""
    names = [os.fspath(source) for source in sources]
    inputs, broken = find_images(names, asset=config.asset, destination=folder)
    images, refused = inspect_images(inputs, config)
    return images, [*broken, *refused]


def _open_manifest(
    context: ConversionContext,
    card: Card,
    images: Sequence[ImageInfo],
    *,
    resume: bool,
    overwrite: bool,
) -> Manifest:
    """Open the manifest, and make the checks that need what it contains."""
    manifest = open_manifest(
        context.folder,
        context.manifest_config(card, images),
        images,
        context.existing_names(),
        resume=resume,
        overwrite=overwrite,
    )
    if overwrite:
        context.discard_unfinished(images)
    if context.config.vrt:
        others = {*manifest.done_ids()} - {image.id for image in images}
        existing = [id for id in sorted(others) if context.product_exists(id)]
        paths = [context.location(f"{id}/{id}.tif") for id in existing]
        check_earlier_products(images[0], paths)
    return manifest


def _with_shared_files(
    context: ConversionContext, card: Card, images: Sequence[ImageInfo]
) -> ConversionContext:
    """Write what the products share: the model with its item, and the survey of a mosaic."""
    config, folder = context.config, context.folder
    item = model_item(card, folder) if config.stac else None
    if item is not None and context.bucket is not None:
        context.bucket.upload_missing(sorted(item.parent.iterdir()))
    mosaic = None
    if config.as_mosaic:
        mosaic = Mosaic.create(images, config, folder / SCENE, folder / SURVEY)
    return replace(context, model_item=item, mosaic=mosaic)


@contextmanager
def _kept(manifest: Manifest, context: ConversionContext) -> Iterator[None]:
    """Upload the manifest at the end, also after a failure; remove the raster of the scene."""
    try:
        yield
    finally:
        (context.folder / SCENE).unlink(missing_ok=True)
        if context.bucket is not None:
            context.bucket.upload([manifest.path])
            manifest.path.unlink()


@contextmanager
def _resumable() -> Iterator[None]:
    """Note on an interruption that the conversion can be resumed."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(_RESUME)
        raise


def _convert_all(
    context: ConversionContext,
    images: Sequence[ImageInfo],
    manifest: Manifest,
    result: ConversionResult,
    fail_fast: bool,
    progress: Progress | None,
) -> None:
    """Convert the images that no earlier run has converted, and record each in the manifest."""
    devices = context.config.devices
    assigned = [(image, devices[at % len(devices)]) for at, image in enumerate(images)]
    todo = [(image, dev) for image, dev in assigned if not _is_complete(manifest, context, image)]
    ids = {image.id for image, _ in todo}
    result.before.extend(image for image in images if image.id not in ids)
    progress_sum = ProgressSum(
        progress,
        total=sum(image.pixels for image in images),
        done=sum(image.pixels for image in result.before),
    )
    make = partial(make_product, context)
    pool = WorkerPool(todo, make, jobs=context.config.jobs, progress=progress_sum)
    with closing(pool.run()) as finished_images:
        for finished in finished_images:
            manifest.record(_entry(finished))
            if finished.failure is None:
                result.done.append(finished.image)
            else:
                result.failed.append((finished.image, finished.failure))
                if fail_fast:
                    raise _stopped(finished.failure)


def _is_complete(manifest: Manifest, context: ConversionContext, image: ImageInfo) -> bool:
    """True if an earlier run made the product, and all its files still exist."""
    if not manifest.is_done(image.id):
        return False
    files = manifest.entries[image.id]["files"]
    return context.required_names(image) <= files.keys() and (
        context.sizes(image.id, files) == files
    )


def _entry(finished: Finished) -> Entry:
    image, failure = finished.image, finished.failure
    entry: Entry = {
        "id": image.id,
        "state": "done" if failure is None else "failed",
        "source": source_record(image),
        "pixels": image.pixels,
        "seconds": round(finished.seconds, 3),
        "files": finished.files,
    }
    if failure is not None:
        entry["reason"] = failure.reason
    return entry


def _finish(
    context: ConversionContext, manifest: Manifest, result: ConversionResult
) -> ConversionResult:
    """Remove replaced products, and write the collection and the mosaic of those that exist."""
    remove_products(context, manifest.obsolete_ids())
    done = {image.id for image in result.done}
    existing = [id for id in manifest.done_ids() if id in done or context.product_exists(id)]
    missing = sorted({*manifest.done_ids()} - {*existing})
    if missing:
        warnings.warn(
            f"products of earlier runs no longer exist and are left out: "
            f"{', '.join(map(repr, missing))}; give their images to convert them again",
            stacklevel=3,
        )
    collection, mosaic = write_collection_and_mosaic(
        context, existing, changed=bool(done or missing)
    )
    return replace(result, collection=collection, vrt=mosaic)


def _name_of(folder: str | os.PathLike[str]) -> str:
    text = os.fspath(folder)
    name = text.rstrip("/").rpartition("/")[2] if is_remote(text) else Path(text).resolve().name
    return file_name(name)


def _stopped(failure: Failure) -> Incomplete:
    return Incomplete(f"{failure.id!r} failed, and the conversion was stopped: {failure.reason}")
