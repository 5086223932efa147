"""What was found wrong, and what has been looked at."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from hsi_xr.errors import HsiError
from hsi_xr.io.remote import is_remote, without_query

_log = logging.getLogger(__name__)


class Fault(NamedTuple):
    """What is wrong with something, and what sets it right."""

    what: str
    repair: str = ""
    """Empty where `what` says it."""


def fault_of(error: HsiError, path: Path) -> Fault:
    """Errors name the file, and the repair after a semicolon."""
    name = repr(without_query(str(path)))
    what, _, repair = str(error).replace(name, "it", 1).rpartition("; ")
    return Fault(what, repair) if what else Fault(repair)


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
    """A walk over files, each of which is looked at once."""

    schemas: Path | None = None
    """Folder of the schemas of STAC extensions."""
    report: Callable[[Finding], None] | None = None
    """ProgressSum each finding as it is found."""
    findings: list[Finding] = field(default_factory=list)
    unseen: set[str] = field(default_factory=set)
    """What was not looked at: schemas that are not at hand, files elsewhere."""
    looked: set[str] = field(default_factory=set)
    """Files and stores that were looked at."""
    _parts: set[tuple[str, str]] = field(default_factory=set)

    def tell(self, path: Path, fault: Fault) -> None:
        finding = Finding(without_query(str(path)), *fault)
        self.findings.append(finding)
        if self.report is not None:
            self.report(finding)

    def is_new(self, path: Path) -> bool:
        return _name(path) not in self.looked

    def first(self, path: Path, part: str = "") -> bool:
        """Whether nobody has looked at this yet, or at that part; from now on somebody has."""
        name = _name(path)
        if name not in self.looked:
            _log.info("looking at %s", without_query(str(path)))
        new = (name, part) not in self._parts
        self.looked.add(name)
        self._parts.add((name, part))
        return new


def _name(path: Path) -> str:
    """One of a file; of links that lead in a circle, too."""
    return str(path) if is_remote(str(path)) else os.path.realpath(path)
