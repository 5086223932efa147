"""What a cube can be written as: one format, one file, and the folder is the list of formats.

A format lays out what a run has collected (`hsi_xr.io.staging`); running, resuming, checking and
naming are the same for all of them.
"""

import os
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from hsi_xr.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from hsi_xr.io.staging import StagingFile
    from hsi_xr.io.variables import StoredVariable


class Format(Protocol):
    """What each module of this folder has."""

    SUFFIXES: tuple[str, ...]
    """Of files of this format; where two formats share one, it means the first by name."""
    DRIVER: str
    """What `rasterio`, or here its stand-in for stores, calls it."""
    MULTI_VARIABLE: bool
    """Whether one file holds all variables of a cube, or each has a file of its own."""

    def creation_options(self, image: "StoredVariable", given: Mapping[str, Any]) -> dict[str, str]:
        """How the file will be laid out, with what the user wants otherwise.

        Raises:
            UsageError: The options are none of this format, or it cannot hold the image.
        """

    def write_file(
        self, drafts: "Sequence[StagingFile]", path: Path, options: Mapping[str, str]
    ) -> None:
        """Write drafts (one, unless the format holds them together) as a file of its final name.

        Raises:
            OSError: It could not be written.
        """

    def is_exact(self, options: Mapping[str, str]) -> bool:
        """Whether the file gives back the very numbers, rather than some near them."""

    def sidecars(self, path: Path) -> dict[str, Path]:
        """Other files without which the one at `path` is not complete, by what they are."""

    def media_type(self, path: Path) -> str | None:
        """Of a written file, as STAC has it; None if there is none."""


def names() -> list[str]:
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name for name in found if not name.startswith("_"))


@cache
def by_name(name: str) -> Format:
    """A format.

    Raises:
        UnknownName: There is none of that name.
    """
    if name not in names():
        raise UnknownName(f"no format is called {name!r}; known: {', '.join(names())}")
    return cast(Format, import_module(f"{__name__}.{name}"))


def resolve(path: str | os.PathLike[str], name: str | None) -> str:
    """The name of the format that a path, or the user, asks for.

    Raises:
        UsageError: The path has no suffix of that format, or of any.
    """
    location = str(path)  # a path in object storage is no os.PathLike
    suffix = Path(location).suffix.lower()
    if name is None:
        name = next((name for name in names() if suffix in by_name(name).SUFFIXES), None)
    if name is None:
        known = {by_name(name).SUFFIXES: name for name in reversed(names())}
        raise UsageError(
            f"cannot tell the format of {location!r}; name it "
            + ", ".join(f"{' or '.join(ends)} ({name})" for ends, name in reversed(known.items()))
        )
    suffixes = by_name(name).SUFFIXES
    if suffix not in suffixes:
        raise UsageError(
            f"a file of format {name} ends in {' or '.join(suffixes)}; got {location!r}. "
            f"Name it {Path(location).with_suffix(suffixes[0]).name!r}, or choose another format"
        )
    return name


def same_stem_paths(path: Path) -> dict[Path, Format]:
    """Where cubes of other formats would be that share name and folder, and so what lies beside."""
    found = {path.with_suffix(end): each for each in map(by_name, names()) for end in each.SUFFIXES}
    return {other: each for other, each in found.items() if other.suffix != path.suffix.lower()}


def by_driver(driver: str) -> Format | None:
    """The format that files opened by a driver are of, if it is one of these."""
    formats = map(by_name, names())
    return next((each for each in formats if driver == each.DRIVER), None)
