"""The manifest of a conversion: one line per image, from which an interrupted run is resumed."""

import json
import os
import threading
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NotRequired, TypedDict, cast

from hsi_xr.batch.inspect import ImageInfo
from hsi_xr.batch.names import COLLECTION, MANIFEST
from hsi_xr.errors import DestinationExists, InvalidData, UsageError
from hsi_xr.io import atomic
from hsi_xr.io.disk import writing
from hsi_xr.io.journal import differences

_FORMAT = "hsi_xr conversion 1"
_LISTED = 3
"""Largest number of images that a message names."""

Config = Mapping[str, object]


class SourceRecord(TypedDict):
    """Identifies an image: its name, and the size and modification time of a local file."""

    href: str
    size: int
    changed: int


class Entry(TypedDict):
    """The outcome of one image."""

    id: str
    state: Literal["done", "failed"]
    source: SourceRecord
    pixels: int
    seconds: float
    files: Mapping[str, int]
    """Name -> bytes."""
    reason: NotRequired[str]
    """Why it failed."""


@dataclass
class Manifest:
    """The configuration of a conversion and the outcome of each image, as JSON lines."""

    path: Path
    config: Config
    entries: dict[str, Entry] = field(default_factory=dict)
    """Id -> its last entry."""
    replaced: list[str] = field(default_factory=list)
    """Ids of products of the conversion that this one replaces."""
    _recording: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def load(cls, path: Path) -> "Manifest | None":
        """Read the manifest of an earlier run; None if there is none.

        The image of a damaged line is converted again: without a warning if it is the last line,
        which a crash may have cut short.

        Raises:
            InvalidData: The file is not a manifest.
        """
        if not path.exists():
            return None
        first, *lines = path.read_bytes().split(b"\n")[:-1] or [b""]
        head = _parse(first, "format", "config")
        if head is None or head["format"] != _FORMAT:
            raise InvalidData(
                f"{str(path)!r} is not the manifest of a conversion; choose another folder, or "
                "replace it with overwrite=True (--overwrite)"
            )
        parsed = [_parse(line, "id", "state", "source") for line in lines]
        if damaged := parsed.count(None):
            warnings.warn(
                f"{damaged} of {len(parsed)} lines of {str(path)!r} cannot be read; their images "
                "are converted again",
                stacklevel=2,
            )
        entries = [cast(Entry, entry) for entry in parsed if entry is not None]
        return cls(
            path,
            cast(Config, head["config"]),
            {entry["id"]: entry for entry in entries},
            cast(list[str], head.get("replaced", [])),
        )

    def save(self) -> None:
        """Write the whole manifest, complete or not at all."""
        head = {"format": _FORMAT, "config": self.config, "replaced": self.replaced}
        lines = [json.dumps(line, ensure_ascii=False) for line in (head, *self.entries.values())]
        with writing(self.path):
            atomic.write_text(self.path, "\n".join(lines) + "\n")

    def record(self, entry: Entry) -> None:
        """Append an entry. It is on disk when this returns."""
        line = json.dumps(entry, ensure_ascii=False) + "\n"
        with self._recording, writing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
            self.entries[entry["id"]] = entry

    def is_done(self, id: str) -> bool:
        entry = self.entries.get(id)
        return entry is not None and entry["state"] == "done"

    def done_ids(self) -> list[str]:
        """Returns the sorted ids of all products, including those of earlier runs."""
        return sorted(id for id in self.entries if self.is_done(id))

    def obsolete_ids(self) -> list[str]:
        """Returns the ids of replaced products that this conversion does not write itself."""
        return sorted({*self.replaced} - self.entries.keys())

    def refuse_changes(self, config: Config, images: Sequence[ImageInfo]) -> None:
        """Refuse to resume with another configuration, or after images have changed.

        Raises:
            UsageError: They differ; the message names the differences.
        """
        if changes := differences(self.config, config):
            raise UsageError(
                f"the products in the folder were made with other settings: {'; '.join(changes)}. "
                "Use the same settings, choose another folder, or replace the products with "
                "overwrite=True (--overwrite)"
            )
        changed = [
            image.source.href
            for image in images
            if self.is_done(image.id) and self.entries[image.id]["source"] != source_record(image)
        ]
        if changed:
            names = ", ".join(map(repr, changed[:_LISTED])) + (", ..." * (len(changed) > _LISTED))
            raise UsageError(
                f"images have changed since they were converted ({len(changed)}): {names}; restore "
                "them, or replace the products with overwrite=True (--overwrite)"
            )


def open_manifest(
    folder: Path,
    config: Config,
    images: Sequence[ImageInfo],
    existing: Collection[str],
    *,
    resume: bool,
    overwrite: bool,
) -> Manifest:
    """Returns the manifest to resume from, or a new one, which it writes.

    Args:
        folder: Local folder of the products.
        config: Configuration of this run.
        images: Images of this run.
        existing: Names of files and folders at the destination.
        resume: Resume an earlier run.
        overwrite: Replace existing products.

    Raises:
        DestinationExists: Products exist, and neither `resume` nor `overwrite` is set.
        UsageError: The earlier run had another configuration or other images.
        InvalidData: The existing file is not a manifest.
    """
    path = folder / MANIFEST
    if overwrite:
        return _new_manifest(path, config, replaced=_known_ids(path))
    earlier = Manifest.load(path)
    if earlier is None:
        _refuse_existing((COLLECTION, *(image.id for image in images)), existing)
        return _new_manifest(path, config)
    if not resume:
        raise DestinationExists(
            "the folder contains a conversion; continue it with resume=True (--resume), or replace "
            "its products with overwrite=True (--overwrite)"
        )
    earlier.refuse_changes(config, images)
    earlier.save()  # without damaged lines
    return earlier


def source_record(image: ImageInfo) -> SourceRecord:
    """Returns what identifies an image, without the query of a URL, which may be a signature."""
    changed, size = image.version
    href = image.source.href
    return {
        "href": href.partition("?")[0] if "://" in href else href,
        "size": size,
        "changed": changed,
    }


def _new_manifest(path: Path, config: Config, replaced: Sequence[str] = ()) -> Manifest:
    manifest = Manifest(path, config, replaced=[*replaced])
    manifest.save()
    return manifest


def _known_ids(path: Path) -> list[str]:
    """Returns the ids of all products that earlier conversions have recorded."""
    try:
        earlier = Manifest.load(path)
    except InvalidData:
        return []
    return [] if earlier is None else sorted({*earlier.entries, *earlier.replaced})


def _refuse_existing(names: Sequence[str], existing: Collection[str]) -> None:
    for name in names:
        if name in existing:
            raise DestinationExists(
                f"the folder contains {name!r}, which is not recorded as part of a conversion; "
                "choose another folder, or replace it with overwrite=True (--overwrite)"
            )


def _parse(line: bytes, *keys: str) -> dict[str, object] | None:
    """Returns the JSON object in a line, if it has these keys."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) and value.keys() >= {*keys} else None
