"""Findings of a validation: what is wrong, with which file, and how to fix it."""

import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from hsi_xr.errors import HsiError
from hsi_xr.io.remote import is_remote, without_query

_LONGEST = 80
"""Characters of a value in a message."""
_log = logging.getLogger(__name__)

Difference = tuple[str, object, object]
"""Key, value that a STAC object states, and actual value."""


class Fault(NamedTuple):
    """Something that is wrong, and how to fix it."""

    what: str
    repair: str = ""
    """Empty if `what` implies it."""


@dataclass(frozen=True)
class Finding:
    """A fault of one file."""

    path: str
    what: str
    repair: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}{f'; {self.repair}' if self.repair else ''}"


@dataclass
class Inspection:
    """The result of a validation, filled file by file; each file is checked once."""

    schemas: Path | None = None
    """Folder with the schemas of STAC extensions."""
    report: Callable[[Finding], None] | None = None
    """Called with each finding as it is made."""
    findings: list[Finding] = field(default_factory=list)
    """Everything that is wrong; empty if all files are valid."""
    unseen: set[str] = field(default_factory=set)
    """What was not checked: extensions without a schema, and files elsewhere."""
    looked: set[str] = field(default_factory=set)
    """Files and stores that were checked."""
    _parts: set[tuple[str, str]] = field(default_factory=set)

    def add(self, path: Path, what: str, repair: str = "") -> None:
        finding = Finding(display_name(path), what, repair)
        self.findings.append(finding)
        if self.report is not None:
            self.report(finding)

    def is_new(self, path: Path) -> bool:
        return _identity(path) not in self.looked

    def visit(self, path: Path, part: str = "") -> bool:
        """Records that a file, or a variable of a store, is checked; False if it already was."""
        name = _identity(path)
        if name not in self.looked:
            _log.info("checking %s", display_name(path))
        is_first = (name, part) not in self._parts
        self.looked.add(name)
        self._parts.add((name, part))
        return is_first


def display_name(path: Path) -> str:
    """Returns a path without ".." where possible, and a URL without its signature."""
    if is_remote(str(path)):
        return without_query(str(path))
    tidy = os.path.normpath(path)  # leads elsewhere after a symbolic link
    return tidy if os.path.realpath(tidy) == os.path.realpath(path) else str(path)


def fault_of(error: HsiError, path: Path) -> Fault:
    """Converts an error about a file to a fault; its message must end with "; " and the repair."""
    name = repr(without_query(str(path)))
    what, _, repair = str(error).replace(name, "it", 1).rpartition("; ")
    return Fault(what, repair) if what else Fault(repair)


def difference(stated: object, actual: object, key: str = "") -> Difference | None:
    """Returns where two JSON values first differ, as key/index/..., and both values there."""
    if isinstance(stated, dict) and isinstance(actual, dict):
        pairs = [(name, stated.get(name), actual.get(name)) for name in [*actual, *stated]]
    elif isinstance(stated, list) and isinstance(actual, list) and len(stated) == len(actual):
        pairs = [(str(at), *pair) for at, pair in enumerate(zip_longest(stated, actual))]
    else:
        return None if stated == actual else (key, stated, actual)
    inner = (difference(a, b, f"{key}/{name}") for name, a, b in pairs)
    return next((found for found in inner if found is not None), None)


def as_json(value: object) -> object:
    """Returns a value as JSON would return it: tuples become lists."""
    plain: object = json.loads(json.dumps(value))
    return plain


def short(value: object) -> str:
    """Returns a value as JSON text, truncated to fit into a line."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _identity(path: Path) -> str:
    """Returns one name per file, however many symbolic links lead to it."""
    return str(path) if is_remote(str(path)) else os.path.realpath(path)
