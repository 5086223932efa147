"""What a conversion has come to."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hsi_xr.conversion.how import Failure
from hsi_xr.conversion.inspecting import Inspected

_HEAD = ("CRS", "PIXEL", "TYPE", "BANDS", "PICTURES", "MPX", "DONE", "BEFORE", "FAILED")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Which pictures have become products, and which have not."""

    folder: Path
    done: list[Inspected] = field(default_factory=list)
    """By this run."""
    before: list[Inspected] = field(default_factory=list)
    """By an earlier run of the same conversion."""
    failed: list[tuple[Inspected, Failure]] = field(default_factory=list)
    refused: list[Failure] = field(default_factory=list)
    """Before any work: unreadable, not RGB, a broken link, ..."""
    collection: Path | None = None
    vrt: Path | None = None

    @property
    def failures(self) -> list[Failure]:
        """All that went wrong, by name."""
        told = [*self.refused, *(failure for _, failure in self.failed)]
        return sorted(told, key=lambda failure: failure.id)

    def table(self) -> str:
        """A line for each kind of picture, then one for each failure with its reason."""
        rows = [_HEAD, *self._rows()]
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in rows]
        told = [f"- {failure.id}: {failure.reason}" for failure in self.failures]
        return "\n".join([*lines, *told])

    def _rows(self) -> Iterator[tuple[str, ...]]:
        states: Sequence[Sequence[Inspected]] = (
            self.done,
            self.before,
            [tile for tile, _ in self.failed],
        )
        kinds: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        for at, tiles in enumerate(states):
            for tile in tiles:
                counts = kinds[_kind(tile)]
                counts[at] += 1
                counts[3] += tile.pixels
        for kind, (done, before, failed, pixels) in sorted(kinds.items()):
            count = done + before + failed
            yield (*kind, str(count), f"{pixels / 1e6:.2f}", *map(str, (done, before, failed)))
        if self.refused:
            yield (
                "not read",
                "",
                "",
                "",
                str(len(self.refused)),
                "",
                "0",
                "0",
                str(len(self.refused)),
            )


def _kind(tile: Inspected) -> tuple[str, ...]:
    crs = "none"
    if tile.crs is not None:
        crs = ":".join(tile.crs.to_authority() or ("other",))
    size = abs(tile.transform.determinant) ** 0.5
    return crs, f"{size:.4g}", tile.dtype, ",".join(map(str, tile.bands))
