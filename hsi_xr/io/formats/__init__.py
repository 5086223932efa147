"""The file formats that a cube can be written in, one per module of this folder.

A module defines one `Format`, and its name is the name of the format; there is no other list.
A format writes a file from staging files (`hsi_xr.io.staging`). Everything else about writing is
the same for all formats: computing, resuming, verifying and renaming.
"""

import os
import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from hsi_xr.errors import UsageError
from hsi_xr.io.formats._base import Format
from hsi_xr.suggestions import unknown_name

__all__ = ["Format", "by_driver", "by_name", "names", "resolve", "same_stem_paths"]


def names() -> list[str]:
    """Returns the names of all formats."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name for name in modules if not name.startswith("_"))


@cache
def by_name(name: str) -> type[Format]:
    """Returns a format.

    Raises:
        UnknownName: No format has that name.
    """
    if name not in names():
        raise unknown_name("format", name, names())
    module = import_module(f"{__name__}.{name}")
    (found,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Format)
        and value.__module__ == module.__name__
    )
    return found


def by_driver(driver: str) -> type[Format] | None:
    """Returns the format that a driver opens; None if it is not one that hsi_xr writes."""
    formats = map(by_name, names())
    return next((format for format in formats if driver == format.DRIVER), None)


def resolve(path: str | os.PathLike[str], name: str | None) -> str:
    """Returns the name of the format to write: the given one, or that of the path's suffix.

    Raises:
        UnknownName: No format has the given name.
        UsageError: The suffix is not one of that format, or of any.
    """
    text = str(path)  # paths in object storage are not `os.PathLike`
    suffix = Path(text).suffix.lower()
    if name is None:
        name = next((name for name in names() if suffix in by_name(name).SUFFIXES), None)
    if name is None:
        known = {by_name(name).SUFFIXES: name for name in reversed(names())}
        raise UsageError(
            f"cannot infer the format of {text!r}; give it the suffix "
            + ", ".join(f"{' or '.join(ends)} ({name})" for ends, name in reversed(known.items()))
        )
    suffixes = by_name(name).SUFFIXES
    if suffix not in suffixes:
        raise UsageError(
            f"files of format {name} end in {' or '.join(suffixes)}; got {text!r}. "
            f"Call it {Path(text).with_suffix(suffixes[0]).name!r}, or choose another format"
        )
    return name


def same_stem_paths(path: Path) -> dict[Path, type[Format]]:
    """Returns the paths in other formats that would share stem and sidecars with a cube."""
    paths = {
        path.with_suffix(suffix): format
        for format in map(by_name, names())
        for suffix in format.SUFFIXES
    }
    return {other: paths[other] for other in paths if other.suffix != path.suffix.lower()}
