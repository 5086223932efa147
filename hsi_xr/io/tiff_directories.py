"""What GDAL leaves undone in the directories of a finished GeoTIFF, done in place.

GDAL (3.10) copies either the default domain of a band or those with names, refuses to add tags to a
file whose directories come first, and gives those of overviews no labels at all: read at a coarser
level, a cube would have neither wavelengths nor a scale. So a draft holds tags under a name that is
taken off here, and some room, into which the overviews' directories move to point at the labels of
the image.

Source: TIFF 6.0, section 2, and the BigTIFF design; tag 42112 is GDAL's, which holds XML.
"""

import mmap
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Self

HELD = "HSI_XR_HELD"
"""The domain where tags of a band's default domain wait."""
ROOM = "x" * 16_384
"""Bytes that directories of overviews move to: with 20 tags of 20 bytes, some 30 of them."""
_ROOM = re.compile(rf'\s*<Item name="ROOM" domain="{HELD}">x*</Item>'.encode())
_LABELS = 42112
_ASCII = 2


def release(path: Path) -> None:
    """Let held tags be in the default domain, and overviews have the labels of the image."""
    if not path.stat().st_size:
        return  # of a full disk; whoever checks the pixels will tell
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        kind = _Kind.of(content)
        image, *overviews = _chain(content, kind)
        labels = image.entries.get(_LABELS)
        if labels is None:
            return
        count, start = kind.value(labels)
        text = _ROOM.sub(b"", content[start : start + count].rstrip(b"\0"))
        text = text.replace(f' domain="{HELD}"'.encode(), b"") + b"\0"
        content[start : start + count] = text + bytes(count - len(text))
        shared = kind.entry(_LABELS, _ASCII, len(text), start)
        placed = [_Directory(image.at, {**image.entries, _LABELS: shared})]
        free, end = _even(start + len(text)), start + count
        for overview in overviews:
            moved = _Directory(free, {**overview.entries, _LABELS: shared})
            free = _even(free + kind.size(moved))
            placed.append(moved if free <= end else overview)
        following = [directory.at for directory in placed[1:]] + [0]
        for directory, then in zip(placed, following):
            kind.write(content, directory, then)


@dataclass(frozen=True)
class _Directory:
    at: int
    entries: dict[int, bytes]
    """Tag -> all bytes of its entry."""


@dataclass(frozen=True)
class _Kind:
    """How numbers lie in a classic TIFF or in a BigTIFF."""

    order: str
    first: int
    """Where the offset of the first directory is."""
    many: str
    """Type of the number of entries."""
    offset: str
    """Type of offsets and of counts of values."""

    @classmethod
    def of(cls, content: mmap.mmap) -> Self:
        order = "<" if content[:2] == b"II" else ">"
        (magic,) = struct.unpack_from(f"{order}H", content, 2)
        return cls(order, 8, "Q", "Q") if magic == 43 else cls(order, 4, "H", "I")

    def number(self, content: mmap.mmap, code: str, at: int) -> int:
        return int(struct.unpack_from(self.order + code, content, at)[0])

    def width(self, codes: str) -> int:
        return struct.calcsize(self.order + codes)

    @property
    def fields(self) -> str:
        """Of an entry: tag, type, count, value or where it is."""
        return f"HH{self.offset}{self.offset}"

    def entry(self, tag: int, type_: int, count: int, value: int) -> bytes:
        return struct.pack(self.order + self.fields, tag, type_, count, value)

    def value(self, entry: bytes) -> tuple[int, int]:
        """Count, and where the values are."""
        _, _, count, value = struct.unpack(self.order + self.fields, entry)
        return count, value

    def size(self, directory: _Directory) -> int:
        return (
            self.width(self.many)
            + len(directory.entries) * self.width(self.fields)
            + self.width(self.offset)
        )

    def write(self, content: mmap.mmap, directory: _Directory, then: int) -> None:
        parts = [
            struct.pack(self.order + self.many, len(directory.entries)),
            *(directory.entries[tag] for tag in sorted(directory.entries)),
            struct.pack(self.order + self.offset, then),
        ]
        content[directory.at : directory.at + self.size(directory)] = b"".join(parts)


def _chain(content: mmap.mmap, kind: _Kind) -> list[_Directory]:
    """All directories, the image's first."""
    found, at = [], kind.number(content, kind.offset, kind.first)
    while at:
        begin, width = at + kind.width(kind.many), kind.width(kind.fields)
        end = begin + kind.number(content, kind.many, at) * width
        rows = [content[row : row + width] for row in range(begin, end, width)]
        found.append(
            _Directory(at, {struct.unpack(kind.order + "H", row[:2])[0]: row for row in rows})
        )
        at = kind.number(content, kind.offset, end)
    return found


def _even(at: int) -> int:
    """TIFF: a directory begins on a word."""
    return at + at % 2
