"""One call of `write`: what it has to do, whether it may, and where it stands."""

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from hsi_xr.errors import DestinationExists, DestinationUnwritable, UsageError
from hsi_xr.io import formats, staging, tags
from hsi_xr.io.blocks import Block, Read, block_reader, block_sizes, split_blocks
from hsi_xr.io.disk import empty
from hsi_xr.io.formats import Format
from hsi_xr.io.journal import Journal, journal_path, part_folder
from hsi_xr.io.remote import store_access
from hsi_xr.io.staging import StagingFile
from hsi_xr.io.stores import metadata_file
from hsi_xr.io.upload import check_writable
from hsi_xr.io.variables import StoredVariable
from hsi_xr.times import utc_text

_SAME = 1e-4
"""Reflectance: two computations of one pixel differ by less, whatever batch it was in."""


@dataclass(frozen=True)
class File:
    """One file to be, and the images that it will hold."""

    path: Path
    drafts: list[StagingFile]
    options: dict[str, str]


@dataclass(frozen=True)
class Run:
    """What one call of `write` has to do; it has checked that it may and can."""

    format: Format
    images: list[StoredVariable]
    options: list[dict[str, str]]
    blocks: list[Block]
    read: Read
    config: dict[str, Any]
    """What a run that resumes this one must have in common with it."""
    remote: Path | None = None
    """The folder of an object store that finished files are sent to; else they are moved."""

    @property
    def folder(self) -> Path:
        """Of all that passes."""
        return part_folder(self.images[0].path)

    @property
    def sending(self) -> Path:
        """A mark: what this run had finished was on its way when it died."""
        return self.folder / "sending"

    def final(self, path: Path) -> Path:
        """What a file of this run is called in the end."""
        return path if self.remote is None else self.remote / path.name

    @cached_property
    def drafts(self) -> list[StagingFile]:
        return [
            StagingFile(image, self.folder / f"{at}.tif") for at, image in enumerate(self.images)
        ]

    @property
    def files(self) -> list[File]:
        """The main one first."""
        if self.format.MULTI_VARIABLE:
            return [File(self.images[0].path, self.drafts, self.options[0])]
        facts = zip(self.drafts, self.options)
        return [File(staging.image.path, [staging], options) for staging, options in facts]

    @property
    def style(self) -> Path | None:
        """Of the main file's style; a GIS shows one of a store's variables only when told which."""
        main = self.images[0]
        return None if self.format.MULTI_VARIABLE or main.shown is None else main.style


def planned(
    name: str, images: list[StoredVariable], given: Mapping[str, Any], remote: Path | None = None
) -> Run:
    main, arrays = images[0], [image.array for image in images]
    laid_out = formats.by_name(name)
    options = [laid_out.creation_options(image, given) for image in images]
    sizes = block_sizes(arrays, staging.TILE)
    taken = main.attrs.get("datetime")
    config = {
        "variables": {image.name: [image.count, *image.shape] for image in images},
        "stored as": [main.storage.dtype, main.storage.scale],
        "transform": None if main.transform is None else list(main.transform)[:6],
        "crs": None if main.crs is None else main.crs.to_wkt(),
        "wavelengths": main.wavelengths,
        "format": name,
        "creation options": options[0],
        "blocks": sizes,
        "datetime": None if taken is None else utc_text(taken),
        **{f"hsi_xr_{key}": value for key, value in tags.provenance_of(main.attrs).items()},
    }
    return Run(
        laid_out, images, options, split_blocks(sizes), block_reader(arrays, sizes), config, remote
    )


def check_destination(run: Run, *, overwrite: bool, resume: bool) -> None:
    """Find out now what would otherwise be found out after hours.

    A run that was killed while its files took their places has left some of them.
    """
    if run.remote is None:
        _check_names(run, overwrite=overwrite, resume=resume)
    else:
        with store_access(run.remote, "look into"):
            _check_names(run, overwrite=overwrite, resume=resume)
        check_writable(run.remote, run.folder.name)
    if run.folder.exists() and not run.folder.is_dir():
        raise DestinationUnwritable(
            f"{str(run.folder)!r} is a file, and unfinished work waits in a folder of that name; "
            "move it, or choose another name"
        )
    folder = run.images[0].path.parent
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DestinationUnwritable(
            f"cannot write into {str(folder)!r} ({error.strerror}); "
            + ("choose another folder" if folder.is_dir() else "create the folder first")
        ) from error
    _check_room(run)


def _check_room(run: Run) -> None:
    """What is computed waits uncompressed, and what an earlier run has left makes way for it."""
    folder = run.images[0].path.parent
    sizes = (i.count * math.prod(i.shape) * np.dtype(i.storage.dtype).itemsize for i in run.images)
    needed = sum(sizes)
    left = sum(each.path.stat().st_size for each in run.drafts if each.path.exists())
    free = shutil.disk_usage(folder).free + left
    if needed > free:
        raise DestinationUnwritable(
            f"what is computed waits uncompressed in {str(folder)!r}, where {needed / 1e9:.1f} GB "
            f"do not fit ({free / 1e9:.1f} GB are free); make room, or choose another "
            + ("folder" if run.remote is None else "one by tmp= (--tmp)")
        )


def _check_names(run: Run, *, overwrite: bool, resume: bool) -> None:
    main, *others = [file.path for file in run.files]
    others += [path for file in run.files for path in run.format.sidecars(file.path).values()]
    if run.style is not None:
        others.append(run.style)
        _refuse_sharing_style(run)
    left = others if resume and journal_path(main).exists() else []
    for each in [main, *others]:
        path = run.final(each)
        if path.is_dir() and not _is_store(path, run.format):
            if run.sending.exists():
                continue  # an upload that died: it will be removed
            raise DestinationUnwritable(
                f"{str(path)!r} is a folder and no store; name a file in it, or choose another name"
            )
        if path.exists() and not overwrite and each not in left:
            raise DestinationExists(
                f"{str(path)!r} exists; choose another name, or set overwrite to replace it"
            )


def _refuse_sharing_style(run: Run) -> None:
    """QGIS takes one style for all rasters of a name, whatever their bands are."""
    for path, laid_out in formats.same_stem_paths(run.final(run.images[0].path)).items():
        if not laid_out.MULTI_VARIABLE and path.exists():
            raise DestinationExists(
                f"{path.name!r} is there already, and QGIS would show it in the style of this one; "
                "choose another name"
            )


def begun(run: Run) -> Journal:
    """A run from the start, in a folder of its own; what a dead one has left there is removed."""
    empty(run.folder)
    try:
        for each in run.drafts:
            each.create()
    except BaseException:
        discard(run)
        raise
    return Journal(journal_path(run.images[0].path), run.config)


def earlier(run: Run) -> Journal:
    """The run to go on with, as far as its files hold what its ledger says."""
    ledger = Journal.load(journal_path(run.images[0].path))
    if ledger is None:
        return begun(run)
    ledger.refuse_other(run.config)
    ledger.done = ledger.done[: _intact(run, ledger)]
    if not ledger.done:
        return begun(run)
    _refuse_other_pixels(run, run.blocks[len(ledger.done) // 2])
    return ledger


def _is_store(path: Path, laid_out: Format) -> bool:
    """Whether a folder may be replaced by a store: anybody's other folder is not ours."""
    return path.suffix.lower() in laid_out.SUFFIXES and metadata_file(path).exists()


def _intact(run: Run, ledger: Journal) -> int:
    """How many blocks, from the first on, all drafts give back as they were written."""
    counts = []
    for at, each in enumerate(run.drafts):
        sums = [block[at] for block in ledger.done]
        try:
            counts.append(sum(takewhile(bool, staging.readable(each.path, run.blocks, sums))))
        except OSError:
            return 0
    return min(counts)


def _refuse_other_pixels(run: Run, block: Block) -> None:
    """Compute one finished block again: another scene of the same shape must not be mixed in."""
    for each, values in zip(run.drafts, run.read(block)):
        image = each.image
        now, _ = image.storage.encode(values)
        before = each.stored(block.rows, block.columns)
        # one step is a rounding that fell to the other side
        step = _SAME if image.storage.dtype == "float32" else 1
        if not np.allclose(before, now.astype(np.float64), rtol=0, atol=step, equal_nan=True):
            raise UsageError(
                f"cannot resume {str(image.path)!r}: {image.name!r} differs from what is "
                "written already; give the scene that it was begun with, or begin anew"
            )


def discard(run: Run) -> None:
    shutil.rmtree(run.folder, ignore_errors=not run.folder.exists())
