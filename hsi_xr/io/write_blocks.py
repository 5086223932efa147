"""Compute the blocks of a cube, write them to staging files, and record them in a journal."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from hsi_xr.io.blocks import Block, compute_ahead
from hsi_xr.io.disk import sync, writing
from hsi_xr.io.journal import Journal
from hsi_xr.io.raster_dataset import rasterio_open
from hsi_xr.io.staging import checksum, write_block
from hsi_xr.io.variables import StoredValues, StoredVariable
from hsi_xr.io.write_plan import WritePlan

if TYPE_CHECKING:
    from rasterio.io import DatasetWriter

Progress = Callable[[int, int], None]
"""Called with the number of pixels written and the total number of pixels."""


@dataclass(frozen=True, eq=False)
class _EncodedBlock:
    """One block of one variable as its file will store it."""

    values: StoredValues
    checksum: int
    is_clipped: bool


def fill_staging_files(plan: WritePlan, journal: Journal, progress: Progress | None) -> None:
    """Compute and write the missing blocks, and flush them to disk after each row of blocks.

    Raises:
        DestinationUnwritable: A staging file could not be written.
    """
    total = sum(block.pixels for block in plan.blocks)
    missing = plan.blocks[len(journal.done) :]
    written = total - sum(block.pixels for block in missing)
    clipped: set[str] = set()
    computed = compute_ahead(partial(_compute, plan), missing, _largest_block(plan, missing))
    with closing(computed):
        for _, row in groupby(computed, key=lambda pair: pair[0].index[0]):
            with _open_staging_files(plan, journal) as files:
                for block, encoded in row:
                    _write(plan, files, block, encoded, clipped)
                    journal.done.append([each.checksum for each in encoded])
                    written += block.pixels
                    if progress is not None:
                        progress(written, total)


def _largest_block(plan: WritePlan, blocks: Sequence[Block]) -> int:
    """Returns the bytes of the largest block of all variables before encoding."""
    pixels = max((block.pixels for block in blocks), default=0)
    bands = sum(variable.count for variable in plan.variables)
    return pixels * bands * np.dtype(np.float32).itemsize


def _compute(plan: WritePlan, block: Block) -> list[_EncodedBlock]:
    """Compute and encode one block of all variables; several threads do so at a time."""
    encoded = []
    for variable, values in zip(plan.variables, plan.read_block(block)):
        stored, is_clipped = variable.storage.encode(values)
        encoded.append(_EncodedBlock(stored, checksum(stored), is_clipped))
    return encoded


@contextmanager
def _open_staging_files(plan: WritePlan, journal: Journal) -> "Iterator[list[DatasetWriter]]":
    """Open the staging files; after they are closed, flush them and save the journal."""
    try:
        with ExitStack() as stack:
            yield [
                stack.enter_context(rasterio_open(str(file.path), "r+"))
                for file in plan.staging_files
            ]
    except KeyboardInterrupt:
        _save(plan, journal)
        raise
    _save(plan, journal)


def _save(plan: WritePlan, journal: Journal) -> None:
    with writing(plan.main.path):
        for staging_file in plan.staging_files:
            sync(staging_file.path)
        journal.save()


def _write(
    plan: WritePlan,
    files: "Sequence[DatasetWriter]",
    block: Block,
    encoded: Sequence[_EncodedBlock],
    clipped: set[str],
) -> None:
    """Write one block of all variables; warn once for each variable that is clipped."""
    for variable, file, each in zip(plan.variables, files, encoded):
        with writing(variable.path):
            write_block(file, block, each.values)
        if each.is_clipped and variable.name not in clipped:
            clipped.add(variable.name)
            _warn_clipped(variable)


def _warn_clipped(variable: StoredVariable) -> None:
    storage = variable.storage
    largest = storage.limits[1] * storage.scale
    warnings.warn(
        f"{variable.name!r} of {variable.path.name!r} has values that {storage.dtype} cannot store "
        f"in steps of {storage.scale:g}; they are clipped to {largest:g} at most. "
        "Write with dtype='float32' (--dtype float32) to keep them",
        stacklevel=7,
    )
