"""Checks a destination before any work, so that a run does not fail after hours."""

import math
import shutil
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np

from hsi_xr.errors import DestinationExists, DestinationUnwritable
from hsi_xr.io import formats
from hsi_xr.io.formats import Format
from hsi_xr.io.remote import store_access
from hsi_xr.io.stores import metadata_file
from hsi_xr.io.upload import check_writable
from hsi_xr.io.write_plan import WritePlan


def check_destination(plan: WritePlan, *, overwrite: bool, resume: bool) -> None:
    """Check that a run may write its files, and that they fit on the disk.

    Args:
        plan: The plan of the run.
        overwrite: True if existing files may be replaced.
        resume: True if the run continues an earlier one, which may have renamed some of its files.

    Raises:
        DestinationExists: A file exists, or would share its style with another one.
        DestinationUnwritable: A folder is missing or read-only, or the disk is too small.
    """
    if plan.remote is None:
        _check_names(plan, overwrite=overwrite, resume=resume)
    else:
        with store_access(plan.remote, "look into"):
            _check_names(plan, overwrite=overwrite, resume=resume)
        check_writable(plan.remote, plan.folder.name)
    if plan.folder.exists() and not plan.folder.is_dir():
        raise DestinationUnwritable(
            f"{str(plan.folder)!r} is a file, and the folder for unfinished files needs that name; "
            "move it, or choose another name"
        )
    _check_folder(plan.main.path.parent)
    _check_free_space(plan)


def _check_names(plan: WritePlan, *, overwrite: bool, resume: bool) -> None:
    main, *others = [file.path for file in plan.files]
    others += [path for file in plan.files for path in plan.format.sidecars(file.path).values()]
    if plan.style_path is not None:
        others.append(plan.style_path)
        _refuse_shared_style(plan)
    renamed = others if resume and plan.journal_path.exists() else []
    for file in [main, *others]:
        path = plan.destination_of(file)
        if path.is_dir() and not _is_store(path, plan.format):
            if plan.upload_mark.exists():
                continue  # an interrupted upload, which the next one removes
            raise DestinationUnwritable(
                f"{str(path)!r} is a folder but not a store; name a file in it, or choose another "
                "name"
            )
        if path.exists() and not overwrite and file not in renamed:
            raise DestinationExists(
                f"{str(path)!r} exists; choose another name, or set overwrite to replace it"
            )


def _refuse_shared_style(plan: WritePlan) -> None:
    """QGIS uses one style for all rasters of the same stem, whatever their bands are."""
    for path, format in formats.same_stem_paths(plan.destination_of(plan.main.path)).items():
        if not format.MULTI_VARIABLE and path.exists():
            raise DestinationExists(
                f"{path.name!r} exists, and QGIS would display it in the style of this cube; "
                "choose another name"
            )


def _is_store(path: Path, format: type[Format]) -> bool:
    """True if a store may replace a folder: it is a store itself."""
    return path.suffix.lower() in format.SUFFIXES and metadata_file(path).exists()


def _check_folder(folder: Path) -> None:
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DestinationUnwritable(
            f"cannot write into {str(folder)!r} ({error.strerror}); "
            + ("choose another folder" if folder.is_dir() else "create the folder first")
        ) from error


def _check_free_space(plan: WritePlan) -> None:
    """Check the space for staging files: uncompressed, and less those that they replace."""
    folder = plan.main.path.parent
    needed = sum(
        variable.count * math.prod(variable.shape) * np.dtype(variable.storage.dtype).itemsize
        for variable in plan.variables
    )
    replaced = sum(file.path.stat().st_size for file in plan.staging_files if file.path.exists())
    free = shutil.disk_usage(folder).free + replaced
    if needed > free:
        raise DestinationUnwritable(
            f"the uncompressed staging files need {needed / 1e9:.1f} GB in {str(folder)!r}, where "
            f"{free / 1e9:.1f} GB are free; free some space, or choose another folder"
            + ("" if plan.remote is None else " with tmp= (--tmp)")
        )
