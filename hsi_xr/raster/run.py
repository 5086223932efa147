"""One call of `write`: what it has to do, whether it may, and where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np

from hsi_xr.errors import DestinationExists, DestinationUnwritable, UsageError
from hsi_xr.raster import geotiff, labels
from hsi_xr.raster.blocks import Block, Read, block_sizes, cut, reader
from hsi_xr.raster.image import Image
from hsi_xr.raster.ledger import ENDING, Ledger, ledger_of

_PASSING = ("part.tif", "part.tif.ovr", "whole.part.tif", ENDING, f"{ENDING}.new", "part.qml")
"""Endings of what lies beside a file only while it is written."""
_SAME = 1e-4
"""Reflectance: two computations of one pixel differ by less, whatever batch it was in."""


@dataclass(frozen=True)
class Run:
    """What one call of `write` has to do; it has checked that it may and can."""

    images: list[Image]
    blocks: list[Block]
    read: Read
    options: list[dict[str, str]]
    cog: bool
    config: dict[str, Any]
    """What a run that resumes this one must have in common with it."""

    @property
    def ledger(self) -> Path:
        return ledger_of(self.images[0].path)

    @property
    def parts(self) -> list[Path]:
        return [image.beside("part.tif") for image in self.images]


def planned(images: list[Image], cog: bool, given: Mapping[str, Any]) -> Run:
    main, arrays = images[0], [image.array for image in images]
    options = [geotiff.creation_options(image, given) for image in images]
    sizes = block_sizes(arrays, geotiff.TILE)
    taken = main.attrs.get("datetime")
    config = {
        "variables": {image.name: [image.count, *image.shape] for image in images},
        "stored as": [main.storage.dtype, main.storage.scale],
        "transform": None if main.transform is None else list(main.transform)[:6],
        "crs": None if main.crs is None else main.crs.to_wkt(),
        "wavelengths": main.wavelengths,
        "cog": cog,
        "creation options": options[0],
        "blocks": sizes,
        "datetime": None if taken is None else labels.instant(taken).isoformat(),
        **{f"hsi_xr_{key}": value for key, value in labels.stated(main.attrs).items()},
    }
    return Run(images, cut(sizes), reader(arrays, sizes), options, cog, config)


def check_destination(images: list[Image], *, overwrite: bool, resume: bool) -> None:
    """Find out now what would otherwise be found out after hours.

    A run that was killed while its files took their places has left some of them.
    """
    paths = [image.path for image in images]
    left = paths[1:] if resume and ledger_of(paths[0]).exists() else []
    if images[0].shown is not None:
        paths.append(images[0].style)
    for path in paths:
        if path.is_dir():
            raise DestinationUnwritable(f"{str(path)!r} is a folder; name a file in it")
        if path.exists() and not overwrite and path not in left:
            raise DestinationExists(
                f"{str(path)!r} exists; choose another name, or set overwrite to replace it"
            )
    folder, probe = paths[0].parent, images[0].beside(f"{ENDING}.new")
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise DestinationUnwritable(
            f"cannot write into {str(folder)!r} ({error.strerror}); "
            + ("choose another folder" if folder.is_dir() else "create the folder first")
        ) from error


def begun(run: Run) -> Ledger:
    """A run from the start; what a dead one has left is removed."""
    discard(run.images)
    try:
        for path, image, options in zip(run.parts, run.images, run.options):
            geotiff.create(path, image, options)
    except BaseException:
        discard(run.images)
        raise
    return Ledger(run.ledger, run.config)


def earlier(run: Run) -> Ledger:
    """The run to go on with, as far as its files hold what its ledger says."""
    ledger = Ledger.load(run.ledger)
    if ledger is None:
        return begun(run)
    ledger.refuse_other(run.config)
    ledger.done = ledger.done[: _intact(run, ledger)]
    if not ledger.done:
        return begun(run)
    _refuse_other_pixels(run, run.blocks[len(ledger.done) // 2])
    return ledger


def _intact(run: Run, ledger: Ledger) -> int:
    """How many blocks, from the first on, all files give back as they were written."""
    from rasterio.errors import RasterioIOError

    counts = []
    for at, path in enumerate(run.parts):
        sums = [block[at] for block in ledger.done]
        try:
            counts.append(sum(takewhile(bool, geotiff.readable(path, run.blocks, sums))))
        except RasterioIOError:
            return 0
    return min(counts)


def _refuse_other_pixels(run: Run, block: Block) -> None:
    """Compute one finished block again: another scene of the same shape must not be mixed in."""
    for image, path, values in zip(run.images, run.parts, run.read(block)):
        now, _ = image.storage.encode(values)
        before = geotiff.stored(path, block)
        # one step is a rounding that fell to the other side
        step = _SAME if image.storage.dtype == "float32" else 1
        if not np.allclose(before, now.astype(np.float64), rtol=0, atol=step, equal_nan=True):
            raise UsageError(
                f"cannot resume {str(image.path)!r}: {image.name!r} differs from what is  "
                "written already; give the scene that it was begun with, or begin anew"
            )


def discard(images: list[Image]) -> None:
    for image in images:
        for ending in _PASSING:
            image.beside(ending).unlink(missing_ok=True)
