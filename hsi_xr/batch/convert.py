"""Many pictures into products, items and a collection."""

import json
import os
import warnings
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from hsi_xr._version import __version__
from hsi_xr.batch.collect import collect, remove
from hsi_xr.batch.config import Conversion, Failure
from hsi_xr.batch.destination import destination
from hsi_xr.batch.inputs import SOURCES, SURVEY, find_images
from hsi_xr.batch.inspect import ImageInfo, inspected
from hsi_xr.batch.make import ConversionContext, make
from hsi_xr.batch.manifest import Manifest, opened, source_of
from hsi_xr.batch.mosaic import Mosaic, check_beside, check_tiles
from hsi_xr.batch.pool import Finished, ProgressSum, WorkerPool
from hsi_xr.batch.result import ConversionResult
from hsi_xr.checkpoints.card import Card
from hsi_xr.checkpoints.model_folder import file_name, model_item
from hsi_xr.checkpoints.registry import find
from hsi_xr.errors import Incomplete, UsageError
from hsi_xr.io.journal import journal_path
from hsi_xr.io.remote import file_of, is_remote
from hsi_xr.io.tags import compact_json
from hsi_xr.io.write import Progress
from hsi_xr.pipeline.plan import usable_device


def convert(
    sources: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    how: Conversion | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    fail_fast: bool = False,
    dry_run: bool = False,
    tmp: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> ConversionResult:
    """Make a product of every RGB picture, and a collection over all.

    Each has a folder of its name with the cube, its preview and its STAC item; above them lie
    `collection.json`, the model with its item in `models/`, and `manifest.jsonl`, by which a run
    that was killed goes on and ends with the very files that it would have made.

    Args:
        sources: Files, URLs, folders, patterns, STAC objects, lists; see
            `hsi_xr.batch.inputs.pictures`.
        folder: Is made if it is not there; or one of object storage, e.g. `s3://bucket/cubes`.
        how: What is asked for.
        resume: Go on with an earlier run of the same conversion, which may have had fewer pictures.
        overwrite: Begin anew, and replace what is there.
        fail_fast: Stop at the first picture that fails; otherwise the rest goes on.
        dry_run: Look at the pictures, tell which would be refused, and write nothing; what is in
            the folder is not looked at.
        tmp: Folder where what goes to object storage is put together, and waits to be resumed; by
            default the system's for temporary files. It holds what is unfinished, and all items.
        progress: ProgressSum how many pixels are done, and of how many.

    Returns:
        What was made, and which pictures have failed for which reason.

    Raises:
        UsageError: What was asked for cannot be: two products of one name, another configuration
            than before, tiles that are of no one mosaic, ...; before any work.
        DestinationExists: The folder holds a conversion, and neither `resume` nor `overwrite`.
        MissingFact: Pictures do not tell when they were taken, and items were asked for.
        DestinationUnwritable: The folder cannot be made; there is no such bucket, or no right to
            write and delete there.
        Incomplete: With `fail_fast`, which picture failed.
    """
    how = how or Conversion()
    if resume and overwrite:
        raise UsageError("a conversion goes on (--resume) or begins anew (--overwrite), not both")
    there = file_of(folder)
    card = find(how.model, untrained=bool(how.options.get("untrained")))
    for device in how.devices:
        usable_device(device)
    tiles, refused = _looked_at(sources, there, how)
    if fail_fast and refused:
        raise _stopped(refused[0])
    check_tiles(tiles, how)
    if dry_run or not tiles:
        return ConversionResult(folder=there, planned=tiles, refused=refused)
    with destination(folder, tmp) as (here, bucket):
        making = ConversionContext(here, bucket, how, how.collection or file_name(_name(folder)))
        manifest = _begun(making, card, tiles, resume=resume, overwrite=overwrite)
        making = _prepared(making, card, tiles)
        outcome = ConversionResult(folder=there, refused=refused)
        try:
            _run(making, tiles, manifest, outcome, fail_fast=fail_fast, progress=progress)
        finally:
            (here / SOURCES).unlink(missing_ok=True)
            if bucket is not None:
                bucket.send([manifest.path])
                manifest.path.unlink()
        remove(making, manifest.stale())
        made = {tile.picture.id for tile in outcome.done}
        kept = [id for id in manifest.done() if id in made or making.holds(id)]
        if gone := sorted({*manifest.done()} - {*kept}):
            warnings.warn(
                f"{', '.join(map(repr, gone))} of earlier runs: not there any more, and left out; "
                "name the pictures to have them made again",
                stacklevel=2,
            )
        above, mosaic = collect(making, kept, changed=bool(made or gone))
        return replace(outcome, collection=above, vrt=mosaic)


def _looked_at(
    sources: Sequence[str | os.PathLike[str]], folder: Path, how: Conversion
) -> tuple[list[ImageInfo], list[Failure]]:
    """The pictures that can be converted, and why others cannot."""
    names = [os.fspath(each) for each in sources]
    found, broken = find_images(names, asset=how.asset, outside=folder)
    tiles, unfit = inspected(found, how)
    return tiles, [*broken, *unfit]


def _begun(
    making: ConversionContext,
    card: Card,
    tiles: Sequence[ImageInfo],
    *,
    resume: bool,
    overwrite: bool,
) -> Manifest:
    """What an earlier run has noted, or a new manifest; all that can be refused is refused."""
    config, there = _config(making, card, tiles), making.there()
    manifest = opened(making.folder, config, tiles, there, resume=resume, overwrite=overwrite)
    if overwrite:
        _forget(making, tiles)
    if making.how.vrt:
        others = {*manifest.done()} - {tile.picture.id for tile in tiles}
        kept = [id for id in sorted(others) if making.holds(id)]
        check_beside(tiles[0], [making.reached(f"{id}/{id}.tif") for id in kept])
    return manifest


def _config(making: ConversionContext, card: Card, tiles: Sequence[ImageInfo]) -> dict[str, Any]:
    """What products depend on; how many run at once is none of it."""
    how = making.how
    free = ("asset", "collection", "devices", "jobs", "vrt", "licence", "title", "model")
    asked = {key: value for key, value in asdict(how).items() if key not in free}
    shared = sorted(tile.picture.id for tile in tiles) if how.as_mosaic else None
    config = {
        "version": __version__,
        "model": card.name,
        "sha256": card.sha256,
        "collection": making.collection,
        "devices": list(how.devices),
        **asked,
        "tiles of the mosaic": shared,
    }
    found: dict[str, Any] = json.loads(compact_json(config))  # as it is read again
    return found


def _forget(making: ConversionContext, tiles: Sequence[ImageInfo]) -> None:
    """What an earlier conversion has begun and this one does not go on with."""
    (making.folder / SURVEY).unlink(missing_ok=True)
    for tile in tiles:
        journal_path(making.product(tile)).unlink(missing_ok=True)


def _prepared(
    making: ConversionContext, card: Card, tiles: Sequence[ImageInfo]
) -> ConversionContext:
    """With what products share: the model, and a mosaic's survey, which an earlier run may have."""
    mosaic, folder = None, making.folder
    item = model_item(card, folder) if making.how.stac else None
    if item is not None and making.bucket is not None:
        making.bucket.send_missing(sorted(item.parent.iterdir()))
    if making.how.as_mosaic:
        mosaic = Mosaic.over(tiles, making.how, folder / SOURCES, folder / SURVEY)
    return replace(making, model_item=item, mosaic=mosaic)


def _name(folder: str | os.PathLike[str]) -> str:
    text = os.fspath(folder)
    return text.rstrip("/").rpartition("/")[2] if is_remote(text) else Path(text).resolve().name


def _run(
    making: ConversionContext,
    tiles: Sequence[ImageInfo],
    manifest: Manifest,
    outcome: ConversionResult,
    *,
    fail_fast: bool,
    progress: Progress | None,
) -> None:
    devices = making.how.devices
    assigned = [(tile, devices[at % len(devices)]) for at, tile in enumerate(tiles)]
    todo = [(tile, device) for tile, device in assigned if not _is_whole(manifest, making, tile)]
    left = {tile.picture.id for tile, _ in todo}
    outcome.before.extend(tile for tile in tiles if tile.picture.id not in left)
    told = ProgressSum(
        progress, sum(t.pixels for t in tiles), sum(t.pixels for t in outcome.before)
    )
    running = WorkerPool(todo, partial(make, making), jobs=making.how.jobs, told=told)
    with closing(running.finished()) as finished:
        for each in finished:
            manifest.note(_entry(each))
            if each.failure is None:
                outcome.done.append(each.tile)
            else:
                outcome.failed.append((each.tile, each.failure))
                if fail_fast:
                    raise _stopped(each.failure)


def _is_whole(manifest: Manifest, making: ConversionContext, tile: ImageInfo) -> bool:
    """Whether an earlier run made the product, and all of it is there still."""
    if not manifest.is_done(tile.picture.id):
        return False
    noted = manifest.entries[tile.picture.id]["files"]
    return making.wanted(tile) <= noted.keys() and making.sizes(tile.picture.id, noted) == noted


def _entry(finished: Finished) -> dict[str, Any]:
    tile, failure = finished.tile, finished.failure
    entry = {
        "id": tile.picture.id,
        "state": "done" if failure is None else "failed",
        "source": source_of(tile),
        "pixels": tile.pixels,
        "seconds": round(finished.seconds, 3),
        "files": finished.files,
    }
    return entry if failure is None else {**entry, "reason": failure.reason}


def _stopped(failure: Failure) -> Incomplete:
    return Incomplete(f"{failure.id!r} failed, and the rest was stopped: {failure.reason}")
