"""Many pictures into products, items and a collection."""

import json
import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from hsi_xr._version import __version__
from hsi_xr.conversion.collecting import collect, remove, write_mosaic
from hsi_xr.conversion.how import Conversion, Failure, fit
from hsi_xr.conversion.inspecting import Inspected, inspected
from hsi_xr.conversion.manifest import NAME, Manifest, alone, opened, source_of
from hsi_xr.conversion.model import model_item
from hsi_xr.conversion.mosaic import Mosaic, check_tiles
from hsi_xr.conversion.outcome import Outcome
from hsi_xr.conversion.pictures import pictures
from hsi_xr.conversion.product import Making, make
from hsi_xr.conversion.running import Running, Told
from hsi_xr.errors import DestinationUnwritable, Incomplete, UsageError
from hsi_xr.raster.labels import compact
from hsi_xr.raster.ledger import ledger_of
from hsi_xr.raster.remote import is_remote
from hsi_xr.raster.write import Progress
from hsi_xr.reconstructors._card import Card
from hsi_xr.reconstructors._registry import find

_SOURCES, _SURVEY = "mosaic.part.vrt", "mosaic.survey"


def convert(
    sources: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    how: Conversion | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    fail_fast: bool = False,
    progress: Progress | None = None,
) -> Outcome:
    """Make a product of every RGB picture, and a collection over all.

    Each has a folder of its name with the cube, its preview and its STAC item; above them lie
    `collection.json`, the model with its item in `models/`, and `manifest.jsonl`, by which a run
    that was killed goes on and ends with the very files that it would have made.

    Args:
        sources: Files, URLs, folders, patterns, STAC objects, lists; see
            `hsi_xr.conversion.pictures.pictures`.
        folder: Is made if it is not there.
        how: What is asked for.
        resume: Go on with an earlier run of the same conversion, which may have had fewer pictures.
        overwrite: Begin anew, and replace what is there.
        fail_fast: Stop at the first picture that fails; otherwise the rest goes on.
        progress: Told how many pixels are done, and of how many.

    Returns:
        What was made, and which pictures have failed for which reason.

    Raises:
        UsageError: What was asked for cannot be: two products of one name, another configuration
            than before, tiles that are of no one mosaic, ...; before any work.
        DestinationExists: The folder holds a conversion, and neither `resume` nor `overwrite`.
        MissingFact: Pictures do not tell when they were taken, and items were asked for.
        Incomplete: With `fail_fast`, which picture failed.
    """
    how = how or Conversion()
    if is_remote(str(folder)):
        raise UsageError(
            f"conversions go into a folder here, and not to {str(folder)!r}; send that folder "
            "afterwards (e.g. `aws s3 sync`), or `write` single products there"
        )
    card = find(how.model, untrained=bool(how.options.get("untrained")))
    folder = Path(folder)
    found, broken = pictures([os.fspath(each) for each in sources], asset=how.asset, outside=folder)
    tiles, unfit = inspected(found, how)
    refused = [*broken, *unfit]
    if fail_fast and refused:
        raise _stopped(refused[0])
    if not tiles:
        return Outcome(folder=folder, refused=refused)
    check_tiles(tiles, how)
    _make_folder(folder)
    with alone(folder):
        config = _config(folder, how, card, tiles)
        stale = _replaced(folder, tiles) if overwrite else []
        manifest = opened(folder, config, tiles, resume=resume, overwrite=overwrite)
        making = _making(folder, how, card, tiles)
        outcome = Outcome(folder=folder, refused=refused)
        try:
            _run(making, tiles, manifest, outcome, fail_fast=fail_fast, progress=progress)
        finally:
            (folder / _SOURCES).unlink(missing_ok=True)
        remove(making, stale)
        return _collected(making, manifest, outcome)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DestinationUnwritable(
            f"cannot make the folder {str(folder)!r} ({error.strerror}); choose another"
        ) from error


def _config(
    folder: Path, how: Conversion, card: Card, tiles: Sequence[Inspected]
) -> dict[str, Any]:
    """What products depend on; how many run at once is none of it."""
    free = ("asset", "collection", "devices", "jobs", "vrt", "licence", "title", "model")
    asked = {key: value for key, value in asdict(how).items() if key not in free}
    shared = sorted(tile.picture.id for tile in tiles) if how.as_mosaic else None
    config = {
        "version": __version__,
        "model": card.name,
        "sha256": card.sha256,
        "collection": _collection(folder, how),
        "devices": list(how.devices),
        **asked,
        "tiles of the mosaic": shared,
    }
    found: dict[str, Any] = json.loads(compact(config))  # as it is read again
    return found


def _replaced(folder: Path, tiles: Sequence[Inspected]) -> list[str]:
    """Forget what an earlier conversion has begun; the names of what this one does not replace."""
    (folder / _SURVEY).unlink(missing_ok=True)
    for tile in tiles:
        ledger_of(folder / tile.picture.id / f"{tile.picture.id}.tif").unlink(missing_ok=True)
    earlier = Manifest.load(folder / NAME)
    return sorted((earlier.entries.keys() if earlier else set()) - {t.picture.id for t in tiles})


def _making(folder: Path, how: Conversion, card: Card, tiles: Sequence[Inspected]) -> Making:
    """What products share; the survey of a mosaic is made here, or is that of the earlier run."""
    item = model_item(card, folder)
    mosaic = None
    if how.as_mosaic:
        mosaic = Mosaic.over(tiles, how, folder / _SOURCES, folder / _SURVEY)
    return Making(folder, how, _collection(folder, how), item, mosaic)


def _collection(folder: Path, how: Conversion) -> str:
    return how.collection or fit(folder.resolve().name)


def _run(
    making: Making,
    tiles: Sequence[Inspected],
    manifest: Manifest,
    outcome: Outcome,
    *,
    fail_fast: bool,
    progress: Progress | None,
) -> None:
    devices = making.how.devices
    assigned = [(tile, devices[at % len(devices)]) for at, tile in enumerate(tiles)]
    todo = [(tile, device) for tile, device in assigned if not _is_whole(manifest, making, tile)]
    left = {tile.picture.id for tile, _ in todo}
    outcome.before.extend(tile for tile in tiles if tile.picture.id not in left)
    told = Told(progress, sum(t.pixels for t in tiles), sum(t.pixels for t in outcome.before))
    running = Running(todo, partial(make, making), jobs=making.how.jobs, told=told)
    with closing(running.finished()) as finished:
        for tile, failure, seconds in finished:
            manifest.note(_entry(tile, failure, seconds))
            if failure is None:
                outcome.done.append(tile)
            else:
                outcome.failed.append((tile, failure))
                if fail_fast:
                    raise _stopped(failure)


def _collected(making: Making, manifest: Manifest, outcome: Outcome) -> Outcome:
    """Over all that the folder has, also of earlier runs with other pictures."""
    ids = [id for id, entry in manifest.entries.items() if entry["state"] == "done"]
    mosaic = write_mosaic(making, ids) if making.how.vrt and ids else None
    above = collect(making, ids) if making.how.stac else None
    return replace(outcome, collection=above, vrt=mosaic)


def _is_whole(manifest: Manifest, making: Making, tile: Inspected) -> bool:
    """Whether an earlier run made the product, and it is there still."""
    wanted = [making.product(tile), *([making.item(tile)] if making.how.stac else [])]
    return manifest.is_done(tile) and all(path.exists() for path in wanted)


def _entry(tile: Inspected, failure: Failure | None, seconds: float) -> dict[str, Any]:
    entry = {
        "id": tile.picture.id,
        "state": "done" if failure is None else "failed",
        "source": source_of(tile),
        "pixels": tile.pixels,
        "seconds": round(seconds, 3),
    }
    return entry if failure is None else {**entry, "reason": failure.reason}


def _stopped(failure: Failure) -> Incomplete:
    return Incomplete(f"{failure.id!r} failed, and the rest was stopped: {failure.reason}")
