"""What was found wrong, and where a link of a STAC object leads."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

_LONGEST = 80
"""Characters of a value that a finding shows."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


@dataclass
class Inspection:
    """A walk over files, each of which is looked at once."""

    schemas: Path | None = None
    """Folder of the schemas of STAC extensions."""
    findings: list[Finding] = field(default_factory=list)
    unseen: set[str] = field(default_factory=set)
    """What was not looked at: schemas that are not at hand, files elsewhere."""
    looked: set[Path] = field(default_factory=set)
    """Files that were looked at, resolved."""

    def tell(self, path: Path, what: str) -> None:
        self.findings.append(Finding(str(path), what))

    def first(self, path: Path) -> bool:
        """Whether nobody has looked at this file yet; from now on somebody has."""
        resolved = path.resolve()
        new = resolved not in self.looked
        self.looked.add(resolved)
        return new

    def read(self, path: Path) -> dict[str, Any]:
        """A JSON object; empty, and told, where there is none."""
        try:
            found = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            self.tell(path, f"it is no JSON ({error})")
            return {}
        if not isinstance(found, dict):
            self.tell(path, "it is no JSON object")
            return {}
        return found

    def here(self, stac: Path, href: str, what: str) -> Path | None:
        """The file that an object means, if it is one here; a missing one is told."""
        if is_elsewhere(href):
            self.unseen.add(href)
            return None
        path = local(stac.parent, href)
        if not path.exists():
            self.tell(stac, f"{what} leads to {href!r}, which is not there")
            return None
        return path


def is_elsewhere(href: str) -> bool:
    """Whether it is a URL or a path of GDAL's own, rather than a file here."""
    return href.startswith("/vsi") or ("://" in href and not href.startswith("file://"))


def local(folder: Path, href: str) -> Path:
    """The file that an href means, seen from a folder."""
    if href.startswith("file://"):
        return Path(unquote(urlsplit(href).path))
    path = folder / href
    return path if path.exists() else folder / unquote(href)


def short(value: Any) -> str:
    """As JSON, cut to what a line can show."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
