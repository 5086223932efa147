"""A STAC object as it was read: parsed once, so that nobody else must doubt the types in it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

from hsi_xr.errors import UnreadableFile
from hsi_xr.io.remote import failures, file_of, is_remote, without_query

_LONGEST = 80
"""Characters of a value that a message shows."""

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Link:
    rel: str
    href: str


@dataclass(frozen=True)
class Document:
    """What has another type than the specification's is left out here; the schema tells of it."""

    path: Path
    json: Json

    @classmethod
    def read(cls, path: Path) -> "Document":
        """A JSON object of a file or of a URL.

        Raises:
            UnreadableFile: There is none.
        """
        name = without_query(str(path))
        try:
            found = json.loads(path.read_bytes(), parse_constant=_no_number, parse_int=_whole)
        except _wrong() as error:
            raise UnreadableFile(f"{name!r} is no JSON ({error}); write it anew") from error
        if not isinstance(found, dict):
            raise UnreadableFile(f"{name!r} is no JSON object; give a STAC item or collection")
        return cls(path, found)

    @property
    def is_stac(self) -> bool:
        return "stac_version" in self.json

    @property
    def kind(self) -> Any:
        """`Feature`, `Collection` or `Catalog`, if all is right."""
        return self.json.get("type")

    @cached_property
    def properties(self) -> Json:
        return mapping(self.json.get("properties"))

    @cached_property
    def assets(self) -> Mapping[str, Json]:
        found = mapping(self.json.get("assets")).items()
        return {key: asset for key, asset in found if isinstance(asset, dict)}

    @cached_property
    def links(self) -> list[Link]:
        found = (link for link in sequence(self.json.get("links")) if isinstance(link, dict))
        return [
            Link(link["rel"], link["href"])
            for link in found
            if isinstance(link.get("rel"), str) and isinstance(link.get("href"), str)
        ]

    @property
    def is_model(self) -> bool:
        return "mlm:name" in self.properties

    @property
    def is_made_here(self) -> bool:
        """Whether it is about a product of ours."""
        return any(key.startswith("hsi_xr:") for key in self.properties)

    def target(self, href: str) -> Path:
        """The file that a relative href means; seen from a URL it is one, too."""
        if is_remote(str(self.path)):
            from pystac.utils import make_absolute_href

            return file_of(make_absolute_href(href, str(self.path)))
        if href.startswith("file://"):
            return Path(unquote(urlsplit(href).path))
        path = self.path.parent / href
        return path if exists(path) else self.path.parent / unquote(href)


def _wrong() -> tuple[type[Exception], ...]:
    """What is raised of names that no file can have, what is out of reach, and what is no JSON."""
    return (*failures(), ValueError, OverflowError, RecursionError)


def _whole(text: str) -> int:
    """Within what a float holds: others are compared with floats, and none in STAC is larger."""
    number = int(text)
    float(number)
    return number


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def bands_of(asset: Json) -> list[Json]:
    return [band for band in sequence(asset.get("bands")) if isinstance(band, dict)]


def mapping(value: Any) -> Json:
    """An object of JSON; empty in place of anything else."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """An array of JSON; empty in place of anything else."""
    return value if isinstance(value, list) else []


def exists(path: Path) -> bool:
    """False also of a name that no file can have, and of what cannot be reached."""
    try:
        return path.exists()
    except _wrong():
        return False


def is_elsewhere(href: str) -> bool:
    """Whether it is a URL or a path of GDAL's own, rather than relative, or a file here."""
    return href.startswith("/vsi") or ("://" in href and not href.startswith("file://"))


def difference(stated: Any, found: Any, place: str = "") -> tuple[str, Any, Any] | None:
    """Where in two values of JSON they first differ, and what stands there."""
    if isinstance(stated, dict) and isinstance(found, dict):
        pairs = [(key, stated.get(key), found.get(key)) for key in [*found, *stated]]
    elif isinstance(stated, list) and isinstance(found, list) and len(stated) == len(found):
        pairs = [(str(at), *pair) for at, pair in enumerate(zip_longest(stated, found))]
    else:
        return None if stated == found else (place, stated, found)
    inner = (difference(a, b, f"{place}/{key}") for key, a, b in pairs)
    return next((each for each in inner if each is not None), None)


def plain(value: Any) -> Any:
    """As JSON gives it back: tuples are lists."""
    return json.loads(json.dumps(value))


def short(value: Any) -> str:
    """As JSON, cut to what a line can show."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
