"""Move metadata in the directories of a finished GeoTIFF, which GDAL cannot do.

GDAL before 3.11 copies either the default domain of a band or its named domains; it refuses to add
tags to a file whose directories come first; and it gives overviews no metadata at all, so that a
cube read at a coarser level would have neither wavelengths nor a scale. Therefore a staging file
has these tags in another domain, which is renamed here, and some free space, to which the
directories of overviews are moved so that they can refer to the metadata of the image.

This module can be removed when rasterio ships GDAL 3.11 or later (rasterio 1.4 ships GDAL 3.10).

Source: TIFF 6.0, section 2, and the BigTIFF design; tag 42112 is GDAL's, and contains XML.
"""

import mmap
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Self

HELD = "HSI_XR_HELD"
"""Domain of the tags that belong to the default domain of a band."""
ROOM = "x" * 16_384
"""Free space for the directories of overviews: about 30, with 20 tags of 20 bytes each."""
_ROOM = re.compile(rf'\s*<Item name="ROOM" domain="{HELD}">x*</Item>'.encode())
_GDAL_METADATA = 42112
_ASCII = 2


def release(path: Path) -> None:
    """Move held tags to the default domain, and give overviews the metadata of the image."""
    if not path.stat().st_size:
        return  # the disk is full, which the verification of the pixels reports
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        layout = _TiffLayout.of(content)
        image, *overviews = _read_directories(content, layout)
        metadata = image.entries.get(_GDAL_METADATA)
        if metadata is None:
            return
        count, start = layout.count_and_offset(metadata)
        text = _ROOM.sub(b"", content[start : start + count].rstrip(b"\0"))
        text = text.replace(f' domain="{HELD}"'.encode(), b"") + b"\0"
        content[start : start + count] = text + bytes(count - len(text))
        shared = layout.entry(_GDAL_METADATA, _ASCII, len(text), start)
        directories = [_Directory(image.offset, {**image.entries, _GDAL_METADATA: shared})]
        free, end = _even(start + len(text)), start + count
        for overview in overviews:
            moved = _Directory(free, {**overview.entries, _GDAL_METADATA: shared})
            free = _even(free + layout.size(moved))
            directories.append(moved if free <= end else overview)
        following = [directory.offset for directory in directories[1:]] + [0]
        for directory, next_offset in zip(directories, following):
            layout.write(content, directory, next_offset)


@dataclass(frozen=True)
class _Directory:
    """An image file directory (IFD)."""

    offset: int
    entries: dict[int, bytes]
    """Tag -> all bytes of its entry."""


@dataclass(frozen=True)
class _TiffLayout:
    """Number types in directories, which differ between classic TIFF and BigTIFF."""

    byte_order: str
    first_pointer: int
    """Where the offset of the first directory is stored."""
    count_type: str
    """Type of the number of entries."""
    offset_type: str
    """Type of offsets, and of the number of values of an entry."""

    @classmethod
    def of(cls, content: mmap.mmap) -> Self:
        order = "<" if content[:2] == b"II" else ">"
        (magic,) = struct.unpack_from(f"{order}H", content, 2)
        return cls(order, 8, "Q", "Q") if magic == 43 else cls(order, 4, "H", "I")

    def number(self, content: mmap.mmap, code: str, offset: int) -> int:
        return int(struct.unpack_from(self.byte_order + code, content, offset)[0])

    def width(self, codes: str) -> int:
        return struct.calcsize(self.byte_order + codes)

    @property
    def fields(self) -> str:
        """Types of an entry: tag, type, number of values, and their value or offset."""
        return f"HH{self.offset_type}{self.offset_type}"

    def entry(self, tag: int, type_: int, count: int, offset: int) -> bytes:
        return struct.pack(self.byte_order + self.fields, tag, type_, count, offset)

    def count_and_offset(self, entry: bytes) -> tuple[int, int]:
        _, _, count, offset = struct.unpack(self.byte_order + self.fields, entry)
        return count, offset

    def size(self, directory: _Directory) -> int:
        return (
            self.width(self.count_type)
            + len(directory.entries) * self.width(self.fields)
            + self.width(self.offset_type)
        )

    def write(self, content: mmap.mmap, directory: _Directory, next_offset: int) -> None:
        parts = [
            struct.pack(self.byte_order + self.count_type, len(directory.entries)),
            *(directory.entries[tag] for tag in sorted(directory.entries)),
            struct.pack(self.byte_order + self.offset_type, next_offset),
        ]
        start = directory.offset
        content[start : start + self.size(directory)] = b"".join(parts)


def _read_directories(content: mmap.mmap, layout: _TiffLayout) -> list[_Directory]:
    """Returns all directories, that of the image first."""
    found, offset = [], layout.number(content, layout.offset_type, layout.first_pointer)
    while offset:
        begin, width = offset + layout.width(layout.count_type), layout.width(layout.fields)
        end = begin + layout.number(content, layout.count_type, offset) * width
        rows = [content[row : row + width] for row in range(begin, end, width)]
        entries = {struct.unpack(layout.byte_order + "H", row[:2])[0]: row for row in rows}
        found.append(_Directory(offset, entries))
        offset = layout.number(content, layout.offset_type, end)
    return found


def _even(offset: int) -> int:
    """TIFF: directories begin at even offsets."""
    return offset + offset % 2
