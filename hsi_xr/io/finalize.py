"""Turn filled staging files into the product: write, verify and rename or upload its files."""

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hsi_xr.errors import DestinationUnwritable
from hsi_xr.io.blocks import Block
from hsi_xr.io.commit import commit_product
from hsi_xr.io.disk import error_message, sync, writing
from hsi_xr.io.formats import Format
from hsi_xr.io.journal import Journal
from hsi_xr.io.preview import Overview
from hsi_xr.io.raster_dataset import open_raster_dataset
from hsi_xr.io.remote import store_access
from hsi_xr.io.resume import discard_run
from hsi_xr.io.staging import verify_blocks
from hsi_xr.io.tags import is_product, read_domains
from hsi_xr.io.variables import existing_companions
from hsi_xr.io.write_plan import OutputFile, WritePlan

_GDAL_SIDECARS = (".aux.xml", ".ovr", ".msk")
"""Suffixes of files that GDAL reads next to a raster, even if they were made for an older one."""
_VERIFIERS = 8
"""Threads that read a finished file; each needs memory for one block."""


def finalize(plan: WritePlan, journal: Journal, *, overwrite: bool) -> Overview | None:
    """Finish all files under temporary names, then rename or upload them, the main file last.

    Returns:
        The overview that the QGIS style was made from; None if there is no style.

    Raises:
        DestinationUnwritable: A file could not be written or renamed.
        Incomplete: The files could not be uploaded; all computed blocks are kept.
    """
    plan = plan.with_level()
    finished = plan.folder / "finished"
    shutil.rmtree(finished, ignore_errors=not finished.exists())  # left by an interrupted run
    with writing(plan.main.path):
        finished.mkdir()
    for file in plan.files:
        _finish(plan, file, finished / file.path.name, journal)
    overview = _write_style(plan, finished)
    if plan.remote is None:
        _rename(plan, finished, overwrite=overwrite)
        return overview
    commit_product(plan, plan.remote, finished)
    if overwrite:
        with store_access(plan.remote, "remove replaced files from"):
            _remove_stale(plan)
    discard_run(plan)
    return overview


def _finish(plan: WritePlan, file: OutputFile, whole: Path, journal: Journal) -> None:
    with writing(file.path):
        file.format.write_file(file.staging_files, whole)
        _verify(plan, file, whole, journal)
        for path in (whole, *file.format.sidecars(whole).values()):
            _sync_all(path)


def _write_style(plan: WritePlan, finished: Path) -> Overview | None:
    main = plan.main
    if plan.style_path is None or main.rgb_bands is None:
        return None
    with writing(main.path):
        overview = Overview.read(finished / main.path.name, main.rgb_bands)
        style = overview.qgis_style(main.storage.scale)
        (finished / plan.style_path.name).write_text(style, encoding="utf-8")
    return overview


def _verify(plan: WritePlan, file: OutputFile, whole: Path, journal: Journal) -> None:
    """Read a finished file back: GDAL does not report a disk that fills up while it compresses.

    Raises:
        DestinationUnwritable: It does not contain the values that were written.
    """
    try:
        for staging_file in file.staging_files:
            at = plan.staging_files.index(staging_file)
            checksums = [block[at] for block in journal.done]
            variable = staging_file.variable.name if plan.format.MULTI_VARIABLE else None
            is_intact = _is_intact(whole, plan.blocks, checksums, variable)
            if file.format.is_exact and not is_intact:
                raise OSError("its values differ")
    except OSError as error:
        raise DestinationUnwritable(
            f"{str(whole)!r} does not contain what was written to it: {error_message(error)}"
        ) from error


def _is_intact(
    path: Path, blocks: Sequence[Block], checksums: Sequence[int], variable: str | None
) -> bool:
    """True if a file returns the values of all blocks; several threads read it."""
    workers = min(_VERIFIERS, os.cpu_count() or 1, len(blocks))

    def verify(first: int) -> bool:
        share = blocks[first::workers], checksums[first::workers]
        return all([*verify_blocks(path, *share, variable)])

    with ThreadPoolExecutor(workers) as pool:
        return all([*pool.map(verify, range(workers))])


def _rename(plan: WritePlan, finished: Path, *, overwrite: bool) -> None:
    with writing(plan.main.path):
        for file in reversed(plan.files):
            _replace(plan, finished / file.path.name, file.path)
        if overwrite:
            _remove_stale(plan)
        if plan.style_path is not None:
            (finished / plan.style_path.name).replace(plan.style_path)
        sync(plan.main.path.parent)
        discard_run(plan)


def _replace(plan: WritePlan, whole: Path, path: Path) -> None:
    """Rename a finished file; an old one is moved away first, unless one rename replaces it."""
    sidecars = plan.format.sidecars(whole)
    if not sidecars and not path.is_dir():
        remove_sidecars(path)
        whole.replace(path)
        return
    replaced = plan.folder / "replaced"
    replaced.mkdir(exist_ok=True)
    try:
        for old in (path, *plan.format.sidecars(path).values()):
            if old.exists():
                old.replace(replaced / old.name)
        for purpose, sidecar in sidecars.items():
            sidecar.replace(plan.format.sidecars(path)[purpose])
        whole.replace(path)
    except OSError:
        for old in replaced.iterdir():
            old.replace(path.with_name(old.name))
        raise


def _remove_stale(plan: WritePlan) -> None:
    """Remove the style and the companions of the replaced cube that the new one does not have."""
    if plan.format.MULTI_VARIABLE:
        return
    main = plan.main
    if plan.style_path is None:
        plan.destination_of(main.style_path).unlink(missing_ok=True)
    written = {variable.name for variable in plan.variables}
    for name, path in existing_companions(plan.destination_of(main.path)).items():
        if name not in written and _contains(path, name):
            _remove_file(path, plan.format)


def _remove_file(path: Path, format: type[Format]) -> None:
    remove_sidecars(path)
    for each in (path, *format.sidecars(path).values()):
        each.unlink(missing_ok=True)


def remove_sidecars(path: Path) -> None:
    """Remove the files that GDAL has written next to a raster."""
    for suffix in _GDAL_SIDECARS:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _contains(path: Path, variable: str) -> bool:
    """True if the tags of a file say that it is this variable of a product."""
    try:
        if not path.exists():
            return False
        with open_raster_dataset(str(path)) as file:
            domains = read_domains(file)
            name = domains["XARRAY"].get("NAME")
            return is_product(domains["HSI_XR"]) and name == variable
    except OSError:
        return False


def _sync_all(path: Path) -> None:
    """Flush a file, or a folder and everything in it."""
    for each in path.rglob("*") if path.is_dir() else ():
        sync(each)
    sync(path)
