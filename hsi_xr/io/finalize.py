"""Filled drafts become the product: laid out, checked, and named, the main file last."""

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hsi_xr.errors import DestinationUnwritable
from hsi_xr.io.disk import sync, writing
from hsi_xr.io.journal import Journal
from hsi_xr.io.preview import Overview
from hsi_xr.io.raster_dataset import open_raster_dataset
from hsi_xr.io.remote import store_access
from hsi_xr.io.sending import send
from hsi_xr.io.staging import readable
from hsi_xr.io.tags import is_product, read_domains
from hsi_xr.io.variables import companion_paths
from hsi_xr.io.write_plan import File, Run, discard

_SIDECARS = (".aux.xml", ".ovr", ".msk")
"""What GDAL would still read beside a file that is not the one they were made for."""
_CHECKERS = 8
"""Threads that read a finished file back; what each of them holds is one block."""


def finalize(run: Run, ledger: Journal, *, overwrite: bool) -> Overview | None:
    """Finish all files under temporary names, then rename or upload them.

    Returns:
        The overview that the style was made from; None if there is no style.

    Raises:
        DestinationUnwritable: The disk is full.
        Incomplete: An object store has not taken it; all that was computed is still here.
    """
    finished = run.folder / "finished"
    shutil.rmtree(finished, ignore_errors=not finished.exists())  # of a run that died here
    with writing(run.images[0].path):
        finished.mkdir()
    for file in run.files:
        whole = finished / file.path.name
        with writing(file.path):
            run.format.write_file(file.drafts, whole, file.options)
            _check(run, file, whole, ledger)
            for path in (whole, *run.format.sidecars(whole).values()):
                _sync_all(path)
    overview = _write_style(run, finished)
    if run.remote is not None:
        send(run, finished)
        if overwrite:
            with store_access(run.remote, "remove what is replaced from"):
                _remove_stale(run)
        discard(run)
        return overview
    main = run.files[0]
    with writing(main.path):
        for file in reversed(run.files):
            _replace(run, finished / file.path.name, file.path)
        if overwrite:
            _remove_stale(run)
        if run.style is not None:
            (finished / run.style.name).replace(run.style)
        sync(main.path.parent)
        discard(run)
    return overview


def _write_style(run: Run, finished: Path) -> Overview | None:
    main = run.images[0]
    if run.style is None or main.shown is None:
        return None
    with writing(main.path):
        overview = Overview.read(finished / main.path.name, main.shown)
        style = overview.qgis_style(main.storage.scale)
        (finished / run.style.name).write_text(style, encoding="utf-8")
    return overview


def _check(run: Run, file: File, whole: Path, ledger: Journal) -> None:
    """Read a finished file back: a disk that fills up while GDAL compresses is told of by nobody.

    Raises:
        DestinationUnwritable: It does not hold the numbers that were put there.
    """
    exact = run.format.is_exact(file.options)
    lanes = min(_CHECKERS, os.cpu_count() or 1, len(run.blocks))
    try:
        with ThreadPoolExecutor(lanes) as pool:
            for draft in file.drafts:
                at = run.drafts.index(draft)
                variable = draft.image.name if run.format.MULTI_VARIABLE else None
                sums = [block[at] for block in ledger.done]

                def look(
                    lane: int, sums: Sequence[int] = sums, variable: str | None = variable
                ) -> list[bool]:
                    shares = run.blocks[lane::lanes], sums[lane::lanes]
                    return list(readable(whole, *shares, variable))

                intact = all(
                    same or not exact for lane in pool.map(look, range(lanes)) for same in lane
                )
                if not intact:
                    raise OSError("other numbers than were written")
    except OSError as error:
        raise DestinationUnwritable(
            f"{str(whole)!r} does not hold what was written to it ({error}); is the disk full?"
        ) from error


def _sync_all(path: Path) -> None:
    """A file, or a folder and all that it holds."""
    for each in path.rglob("*") if path.is_dir() else ():
        sync(each)
    sync(path)


def _replace(run: Run, whole: Path, path: Path) -> None:
    """Give a finished file its name; what is there is moved away first unless one step does it."""
    beside = run.format.sidecars(whole)
    if not beside and not path.is_dir():
        remove_sidecars(path)
        whole.replace(path)
        return
    aside = run.folder / "replaced"
    aside.mkdir(exist_ok=True)
    try:
        for old in (path, *run.format.sidecars(path).values()):
            if old.exists():
                old.replace(aside / old.name)
        for kind, new in beside.items():
            new.replace(run.format.sidecars(path)[kind])
        whole.replace(path)
    except OSError:
        for old in aside.iterdir():
            old.replace(path.with_name(old.name))
        raise


def _remove_stale(run: Run) -> None:
    """What the cube that was replaced had beside it, and this one has not."""
    if run.format.MULTI_VARIABLE:
        return
    main = run.images[0]
    if run.style is None:
        run.final(main.style).unlink(missing_ok=True)
    for variable, path in companion_paths(run.final(main.path)).items():
        if variable not in {image.name for image in run.images} and _holds(path, variable):
            remove_sidecars(path)
            for each in (path, *run.format.sidecars(path).values()):
                each.unlink(missing_ok=True)


def _holds(path: Path, variable: str) -> bool:
    """Whether a file says that it is this variable of a product: a name alone says nothing."""
    try:
        if not path.exists():
            return False
        with open_raster_dataset(str(path)) as file:
            domains = read_domains(file)
            return bool(is_product(domains["HSI_XR"]) and domains["XARRAY"].get("NAME") == variable)
    except OSError:
        return False


def remove_sidecars(path: Path) -> None:
    """What GDAL, and whoever looked at a raster with it, has left beside that."""
    for ending in _SIDECARS:
        path.with_name(path.name + ending).unlink(missing_ok=True)
