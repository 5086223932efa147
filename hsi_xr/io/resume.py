"""Start a run with empty staging files, or resume an earlier one where it stopped."""

import shutil
from itertools import takewhile

import numpy as np

from hsi_xr.errors import UsageError
from hsi_xr.io.blocks import Block
from hsi_xr.io.disk import empty_folder
from hsi_xr.io.journal import Journal
from hsi_xr.io.staging import verify_blocks
from hsi_xr.io.write_plan import WritePlan

_TOLERANCE = 1e-4
"""Two computations of the same pixel, in batches of different sizes, differ by less."""


def start_run(plan: WritePlan) -> Journal:
    """Create the staging files of a run; those of an interrupted run are removed."""
    empty_folder(plan.folder)
    try:
        for staging_file in plan.staging_files:
            staging_file.create()
    except BaseException:
        discard_run(plan)
        raise
    return Journal(plan.journal_path, plan.config)


def resume_run(plan: WritePlan) -> Journal:
    """Returns the journal of an interrupted run, up to the last block that is intact.

    Starts a run if none has been interrupted.

    Raises:
        UsageError: The interrupted run had another configuration, or its scene had other pixels.
    """
    journal = Journal.load(plan.journal_path)
    if journal is None:
        return start_run(plan)
    journal.refuse_other(plan.config)
    journal.done = journal.done[: _count_intact(plan, journal)]
    if not journal.done:
        return start_run(plan)
    _refuse_other_pixels(plan, plan.blocks[len(journal.done) // 2])
    return journal


def discard_run(plan: WritePlan) -> None:
    """Remove all unfinished files of a run."""
    shutil.rmtree(plan.folder, ignore_errors=not plan.folder.exists())


def _count_intact(plan: WritePlan, journal: Journal) -> int:
    """Returns the number of leading blocks that are intact in all staging files."""
    counts = []
    for at, staging_file in enumerate(plan.staging_files):
        checksums = [block[at] for block in journal.done]
        try:
            intact = verify_blocks(staging_file.path, plan.blocks, checksums)
            counts.append(sum(takewhile(bool, intact)))
        except OSError:
            return 0
    return min(counts)


def _refuse_other_pixels(plan: WritePlan, block: Block) -> None:
    """Compute one finished block again, so that two scenes of the same shape are not mixed."""
    for staging_file, values in zip(plan.staging_files, plan.read_block(block)):
        variable = staging_file.variable
        now, _ = variable.storage.encode(values)
        before = staging_file.read(block.rows, block.columns)
        # one step, because a value may be rounded the other way
        tolerance = _TOLERANCE if variable.storage.dtype == "float32" else 1
        if not np.allclose(before, now.astype(np.float64), rtol=0, atol=tolerance, equal_nan=True):
            raise UsageError(
                f"cannot resume {str(variable.path)!r}: {variable.name!r} differs from the "
                "values already written; give the same scene, or start over without resume"
            )
