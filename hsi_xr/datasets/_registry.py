"""Data sets by name: this folder. Imports one only to open it."""

import importlib
import inspect
import os
import pkgutil
from pathlib import Path
from typing import Any

from hsi_xr.datasets._base import DataSet
from hsi_xr.errors import InvalidData, UsageError
from hsi_xr.suggestions import unknown_name

SHOWN = 20
"""Problems that an error lists; of a truncated download there may be hundreds."""


def names() -> list[str]:
    """What `load` knows."""
    here = str(Path(__file__).parent)
    found = (info.name for info in pkgutil.iter_modules([here]))
    return sorted(name for name in found if not name.startswith("_"))


def load(name: str, folder: str | os.PathLike[str], **options: Any) -> DataSet:
    """Opens a data set; reads no pixel.

    Args:
        name: One of `names()`.
        folder: Where it lies, as it was unpacked.
        options: Of that data set; see `build` in its module.

    Raises:
        UnknownName: No data set of that name.
        UsageError: It has no such option, or needs one that is not given.
        UnreadableFile: There is no such folder.
    """
    if name not in names():
        raise unknown_name("data set", name, names())
    build = importlib.import_module(f"{__package__}.{name}").build
    known = inspect.signature(build).parameters
    if odd := [option for option in options if option not in known or option == "folder"]:
        raise UsageError(
            f"{name!r} has no option {', '.join(odd)}; "
            f"known: {', '.join(option for option in known if option != 'folder')}"
        )
    return build(Path(folder), **options)


def checked(dataset: DataSet, *splits: str) -> DataSet:
    """The same data set, if its files are all there and have the right shapes.

    Args:
        dataset: As `load` opens it.
        splits: Whose files are looked at; see `DataSet.problems`.

    Raises:
        InvalidData: Lists what is wrong.
    """
    problems = dataset.problems(*splits)
    if not problems:
        return dataset
    count, rest = len(problems), len(problems) - SHOWN
    lines = [*problems[:SHOWN], *([f"and {rest} more"] if rest > 0 else [])]
    head = f"the data set has {count} problem{'s' if count > 1 else ''}; get these files anew:"
    raise InvalidData("\n- ".join([head, *lines]))
