"""Data sets by the name of their module. A module is imported only when it is opened."""

import importlib
import inspect
import os
import pkgutil
from collections.abc import Callable
from pathlib import Path

from hsi_xr.datasets._base import DataSet
from hsi_xr.errors import InvalidData, UsageError
from hsi_xr.suggestions import unknown_name

MAX_LISTED = 20
"""Problems that an error lists; a truncated download may have hundreds."""


def names() -> list[str]:
    """Returns the names of all data sets that `load` opens."""
    modules = (info.name for info in pkgutil.iter_modules([str(Path(__file__).parent)]))
    return sorted(name for name in modules if not name.startswith("_"))


def load(name: str, folder: str | os.PathLike[str], **options: object) -> DataSet:
    """Opens a data set without reading pixels.

    Args:
        name: One of `names()`.
        folder: Folder that contains the data set as it was unpacked.
        options: Options of the data set; see the class `build` in the module of that name.

    Raises:
        UnknownName: No data set has this name.
        UsageError: The data set does not have an option, or an option has a wrong value.
        MissingFact: The data set needs an option that is not given.
        UnreadableFile: The folder does not exist.
    """
    if name not in names():
        raise unknown_name("data set", name, names())
    build: Callable[..., DataSet] = importlib.import_module(f"{__package__}.{name}").build
    known = [option for option in inspect.signature(build).parameters if option != "folder"]
    if unknown := [option for option in options if option not in known]:
        raise UsageError(
            f"{name!r} has no option {', '.join(unknown)}; known options: {', '.join(known)}"
        )
    return build(Path(folder), **options)


def verify(dataset: DataSet, *splits: str) -> DataSet:
    """Returns the data set if its files are complete and have the expected shapes.

    Args:
        dataset: An open data set.
        splits: Check the files of these splits; by default check all, and report extra files.

    Raises:
        InvalidData: Lists the problems; see `DataSet.problems`.
    """
    problems = dataset.problems(*splits)
    if not problems:
        return dataset
    count, more = len(problems), len(problems) - MAX_LISTED
    lines = [*problems[:MAX_LISTED], *([f"and {more} more"] if more > 0 else [])]
    plural = "s" if count > 1 else ""
    head = f"the data set has {count} problem{plural}; correct or download these files again:"
    raise InvalidData("\n- ".join([head, *lines]))
