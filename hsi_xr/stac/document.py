"""A STAC object as it was read from JSON: parsed once, with nothing assumed about its content."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote, urlsplit

from hsi_xr.errors import UnreadableFile
from hsi_xr.io.remote import file_of, is_remote, store_errors, without_query

Json = Mapping[str, object]
"""A JSON object with unknown content."""


@dataclass(frozen=True)
class Link:
    rel: str
    href: str


@dataclass(frozen=True)
class Document:
    """A STAC object whose parts have the types that STAC specifies; other parts are left out.

    The schemas report what is left out. pystac would reject the whole object instead, with
    whichever exception its parser runs into.
    """

    path: Path
    json: Json

    @classmethod
    def read(cls, path: Path) -> "Document":
        """Reads the JSON object of a local file or of a URL.

        Raises:
            UnreadableFile: The file is not a JSON object, or it cannot be read.
        """
        name = without_query(str(path))
        try:
            content = json.loads(
                path.read_bytes(), parse_constant=_reject_constant, parse_int=_parse_int
            )
        except _read_errors() as error:
            raise UnreadableFile(f"{name!r} is not valid JSON ({error}); write it again") from error
        if not isinstance(content, dict):
            raise UnreadableFile(
                f"{name!r} is not a JSON object; give a STAC item, catalogue or collection"
            )
        return cls(path, content)

    @property
    def is_stac(self) -> bool:
        return "stac_version" in self.json

    @property
    def kind(self) -> object:
        """`Feature`, `Collection` or `Catalog` in a valid object."""
        return self.json.get("type")

    @cached_property
    def properties(self) -> Json:
        return mapping(self.json.get("properties"))

    @cached_property
    def assets(self) -> Mapping[str, Json]:
        assets = mapping(self.json.get("assets")).items()
        return {key: asset for key, asset in assets if isinstance(asset, dict)}

    @cached_property
    def checksums(self) -> list[object]:
        """The `file:checksum` of all assets."""
        return [asset.get("file:checksum") for asset in self.assets.values()]

    @cached_property
    def links(self) -> list[Link]:
        links = (link for link in sequence(self.json.get("links")) if isinstance(link, dict))
        return [
            Link(link["rel"], link["href"])
            for link in links
            if isinstance(link.get("rel"), str) and isinstance(link.get("href"), str)
        ]

    @property
    def is_model(self) -> bool:
        return "mlm:name" in self.properties

    @property
    def is_ours(self) -> bool:
        """True if it describes a product of hsi_xr."""
        return any(key.startswith("hsi_xr:") for key in self.properties)

    def target(self, href: str) -> Path:
        """Returns the file that a relative href refers to.

        Raises:
            ValueError: The href is not a valid URL.
        """
        if is_remote(str(self.path)):
            from pystac.utils import make_absolute_href

            return file_of(make_absolute_href(href, str(self.path)))
        if href.startswith("file://"):
            return Path(unquote(urlsplit(href).path))
        path = self.path.parent / href
        return path if exists(path) else self.path.parent / unquote(href)


def mapping(value: object) -> Json:
    """Returns a JSON object as it is, and an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[object]:
    """Returns a JSON array as it is, and an empty one for anything else."""
    return value if isinstance(value, list) else []


def bands_of(fields: Json) -> list[Json]:
    """Returns the band objects of an asset or of an item's properties."""
    return [band for band in sequence(fields.get("bands")) if isinstance(band, dict)]


def exists(path: Path) -> bool:
    """True if a file exists; False also for impossible names and unreachable servers."""
    try:
        return path.exists()
    except _read_errors():
        return False


def is_external(href: str) -> bool:
    """True if an href is a URL or a path of GDAL's virtual file systems."""
    return href.startswith("/vsi") or ("://" in href and not href.startswith("file://"))


def _read_errors() -> tuple[type[Exception], ...]:
    """Returns what is raised for impossible file names, unreachable servers and malformed JSON."""
    return (*store_errors(), ValueError, OverflowError, RecursionError)


def _parse_int(text: str) -> int:
    """Rejects integers beyond the range of a float, with which they are compared later."""
    number = int(text)
    float(number)
    return number


def _reject_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")
