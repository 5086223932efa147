"""What a conversion has done: a line for each picture, so that a killed one goes on exactly."""

import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hsi_xr.conversion.inspecting import Inspected
from hsi_xr.errors import DestinationExists, InvalidData, UsageError
from hsi_xr.raster.disk import sync, writing
from hsi_xr.raster.ledger import differences

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
    _noting: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def load(cls, path: Path) -> "Manifest | None":
        """What an earlier run has noted; None where there is none. A line cut short is no line.

        Raises:
            InvalidData: The file is something else.
        """
        if not path.exists():
            return None
        lines = path.read_bytes().split(b"\n")[:-1]  # what follows the last newline was cut short
        try:
            head, *told = map(json.loads, lines)
            if head["format"] != _FORMAT:
                raise ValueError(head["format"])
            return cls(path, head["config"], {entry["id"]: entry for entry in told})
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidData(
                f"{str(path)!r} is not what a conversion has noted; choose another folder"
            ) from error

    def save(self) -> None:
        """Write all of it anew, complete or not at all."""
        head = {"format": _FORMAT, "config": self.config}
        lines = [json.dumps(each, ensure_ascii=False) for each in (head, *self.entries.values())]
        beside = self.path.with_name(f"{self.path.name}.new")
        with writing(self.path):
            beside.write_text("\n".join(lines) + "\n", "utf-8")
            sync(beside)
            beside.replace(self.path)

    def note(self, entry: Entry) -> None:
        """Add a line; when this returns it is on disk."""
        line = json.dumps(entry, ensure_ascii=False) + "\n"
        with self._noting, writing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
            self.entries[entry["id"]] = entry

    def is_done(self, tile: Inspected) -> bool:
        entry = self.entries.get(tile.picture.id)
        return entry is not None and entry["state"] == "done"

    def refuse_other(self, config: Mapping[str, Any], tiles: list[Inspected]) -> None:
        """Refuse to go on with another configuration, or with pictures that have changed.

        Raises:
            UsageError: Naming what differs.
        """
        if differing := differences(_flat(self.config), _flat(config)):
            raise UsageError(
                f"the products in {str(self.path.parent)!r} were made otherwise: "
                f"{'; '.join(differing)}. Repeat the call as it was, choose another folder, or "
                "begin anew with --overwrite"
            )
        changed = [
            tile.picture.href
            for tile in tiles
            if self.is_done(tile) and self.entries[tile.picture.id]["source"] != source_of(tile)
        ]
        if changed:
            names = ", ".join(map(repr, changed[:_NAMED])) + (", ..." * (len(changed) > _NAMED))
            raise UsageError(
                f"{len(changed)} pictures are not those any more that were converted: {names}; "
                "bring them back, or begin anew with --overwrite"
            )


def _flat(config: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested tables with their keys joined by dots, so that a difference is told alone."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{above}{key}.")
        else:
            found[f"{above}{key}"] = value
    return found


def opened(
    folder: Path,
    config: dict[str, Any],
    tiles: list[Inspected],
    *,
    resume: bool,
    overwrite: bool,
) -> Manifest:
    """The manifest to go on with, or a new one.

    Raises:
        DestinationExists: Something is there and neither was asked for.
        UsageError: What is there was made otherwise.
        InvalidData: The manifest is none.
    """
    path = folder / NAME
    earlier = None if overwrite else Manifest.load(path)
    if earlier is not None and not resume:
        raise DestinationExists(
            f"{str(folder)!r} holds a conversion; go on with it by --resume, or replace its "
            "products by --overwrite"
        )
    if earlier is not None:
        earlier.refuse_other(config, tiles)
        earlier.save()  # without the line that was cut short
        return earlier
    there = [folder / tile.picture.id for tile in tiles if (folder / tile.picture.id).exists()]
    there += [each for each in (folder / "collection.json",) if each.exists()]
    if there and not overwrite:
        raise DestinationExists(
            f"{str(there[0])!r} exists, and no conversion is known to have made it; choose another "
            "folder, or replace it by --overwrite"
        )
    begun = Manifest(path, config)
    begun.save()
    return begun


def source_of(tile: Inspected) -> Entry:
    """Which picture it was, by its name and what its file system says of it."""
    changed, size = tile.stamp
    name = tile.picture.href.partition("?")[0] if "://" in tile.picture.href else tile.picture.href
    return {"href": name, "size": size, "changed": changed}


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else converts into this folder meanwhile; a run that is killed lets go of it.

    Raises:
        UsageError: Somebody does.
    """
    try:
        import fcntl
    except ImportError:  # not on Windows
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"another conversion into {str(folder)!r} is running; wait for it, or choose "
                "another folder"
            ) from error
        yield
    finally:
        os.close(descriptor)
