"""What a conversion has done: a line for each picture, so that a killed one goes on exactly."""

import json
import os
import threading
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hsi_xr.batch.inspect import ImageInfo
from hsi_xr.errors import DestinationExists, InvalidData, UsageError
from hsi_xr.io import atomic
from hsi_xr.io.disk import writing
from hsi_xr.io.journal import differences

NAME = "manifest.jsonl"
_FORMAT = "hsi_xr conversion 1"
_NAMED = 3

Entry = dict[str, Any]


@dataclass
class Manifest:
    """The configuration of a conversion, then what became of each picture, as JSON lines."""

    path: Path
    config: dict[str, Any]
    entries: dict[str, Entry] = field(default_factory=dict)
    """By id, the last that was noted."""
    replaced: list[str] = field(default_factory=list)
    """Ids of the conversion that this one takes the place of."""
    _noting: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def load(cls, path: Path) -> "Manifest | None":
        """What an earlier run has noted; None where there is none.

        A line that cannot be read is none, and its picture is converted again: the last one where
        a machine went down, any other with a warning.

        Raises:
            InvalidData: The file is something else.
        """
        if not path.exists():
            return None
        first, *lines = path.read_bytes().split(b"\n")[:-1] or [b""]  # the rest was cut short
        head = _told(first, "format", "config")
        if head is None or head["format"] != _FORMAT:
            raise InvalidData(
                f"{str(path)!r} is not what a conversion has noted; choose another folder, or "
                "begin anew with --overwrite"
            )
        entries = [_told(line, "id", "state", "source") for line in lines]
        if lost := entries.count(None):
            warnings.warn(
                f"{lost} of {len(entries)} lines of {str(path)!r} cannot be read; what they were "
                "about is converted again",
                stacklevel=2,
            )
        told = {entry["id"]: entry for entry in entries if entry}
        return cls(path, head["config"], told, head.get("replaced", []))

    def save(self) -> None:
        """Write all of it anew, complete or not at all."""
        head = {"format": _FORMAT, "config": self.config, "replaced": self.replaced}
        lines = [json.dumps(each, ensure_ascii=False) for each in (head, *self.entries.values())]
        with writing(self.path):
            atomic.write_text(self.path, "\n".join(lines) + "\n")

    def note(self, entry: Entry) -> None:
        """Add a line; when this returns it is on disk."""
        line = json.dumps(entry, ensure_ascii=False) + "\n"
        with self._noting, writing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
            self.entries[entry["id"]] = entry

    def is_done(self, id: str) -> bool:
        entry = self.entries.get(id)
        return entry is not None and entry["state"] == "done"

    def done(self) -> list[str]:
        """Ids of all products that were made, in order."""
        return sorted(id for id in self.entries if self.is_done(id))

    def stale(self) -> list[str]:
        """Ids of replaced products that this conversion does not make; a killed run left them."""
        return sorted({*self.replaced} - self.entries.keys())

    def refuse_other(self, config: Mapping[str, Any], tiles: Sequence[ImageInfo]) -> None:
        """Refuse to go on with another configuration, or with pictures that have changed.

        Raises:
            UsageError: Naming what differs.
        """
        if differing := differences(self.config, config):
            raise UsageError(
                f"the products in the folder were made otherwise: {'; '.join(differing)}. Repeat "
                "the call as it was, choose another folder, or begin anew with --overwrite"
            )
        changed = [
            tile.picture.href
            for tile in tiles
            if self.is_done(tile.picture.id)
            and self.entries[tile.picture.id]["source"] != source_of(tile)
        ]
        if changed:
            names = ", ".join(map(repr, changed[:_NAMED])) + (", ..." * (len(changed) > _NAMED))
            raise UsageError(
                f"{len(changed)} pictures are not those any more that were converted: {names}; "
                "bring them back, or begin anew with --overwrite"
            )


def _told(line: bytes, *keys: str) -> Entry | None:
    """An object with these keys, if the line is one."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.keys() >= {*keys} else None


def opened(
    folder: Path,
    config: dict[str, Any],
    tiles: Sequence[ImageInfo],
    there: Collection[str],
    *,
    resume: bool,
    overwrite: bool,
) -> Manifest:
    """The manifest to go on with, or a new one.

    Args:
        folder: In which it lies.
        config: Of this run.
        tiles: Of this run.
        there: Names of what is where products go.
        resume: Go on with what is there.
        overwrite: Replace what is there.

    Raises:
        DestinationExists: Something is there and neither was asked for.
        UsageError: What is there was made otherwise.
        InvalidData: The manifest is none.
    """
    path = folder / NAME
    if overwrite:
        begun = Manifest(path, config, replaced=_known(path))
        begun.save()
        return begun
    earlier = Manifest.load(path)
    if earlier is not None and not resume:
        raise DestinationExists(
            "the folder holds a conversion; go on with it by --resume, or replace its products by "
            "--overwrite"
        )
    if earlier is not None:
        earlier.refuse_other(config, tiles)
        earlier.save()  # without the lines that are none
        return earlier
    names = ("collection.json", *(tile.picture.id for tile in tiles))
    if found := [name for name in names if name in there]:
        raise DestinationExists(
            f"the folder holds {found[0]!r}, and no conversion is known to have made it; choose "
            "another folder, or replace it by --overwrite"
        )
    begun = Manifest(path, config)
    begun.save()
    return begun


def _known(path: Path) -> list[str]:
    """Ids of all that earlier conversions have made here, as far as they noted it."""
    try:
        earlier = Manifest.load(path)
    except InvalidData:
        return []
    return [] if earlier is None else sorted({*earlier.entries, *earlier.replaced})


def source_of(tile: ImageInfo) -> Entry:
    """Which picture it was, by its name and what its file system says of it."""
    changed, size = tile.stamp
    name = tile.picture.href.partition("?")[0] if "://" in tile.picture.href else tile.picture.href
    return {"href": name, "size": size, "changed": changed}
