"""What a conversion has come to."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from hsi_xr.batch.config import Failure
from hsi_xr.batch.inspect import ImageInfo
from hsi_xr.text_table import align

_STATES = ("PLANNED", "DONE", "BEFORE", "FAILED")
_UNREAD = ("not read", "", "", "")
_HEAD = ("CRS", "PIXEL", "TYPE", "BANDS", "PICTURES", "MPX")


@dataclass(frozen=True, kw_only=True)
class ConversionResult:
    """Which pictures have become products, and which have not."""

    folder: Path
    planned: list[ImageInfo] = field(default_factory=list)
    """Where nothing was to be done yet."""
    done: list[ImageInfo] = field(default_factory=list)
    """By this run."""
    before: list[ImageInfo] = field(default_factory=list)
    """By an earlier run of the same conversion."""
    failed: list[tuple[ImageInfo, Failure]] = field(default_factory=list)
    refused: list[Failure] = field(default_factory=list)
    """Before any work: unreadable, not RGB, a broken link, ..."""
    collection: Path | None = None
    vrt: Path | None = None

    @property
    def failures(self) -> list[Failure]:
        """All that went wrong, by name."""
        told = [*self.refused, *(failure for _, failure in self.failed)]
        return sorted(told, key=lambda failure: failure.id)

    def counts(self) -> dict[str, int]:
        """How many pictures there are of each state."""
        states = {"planned": self.planned, "done": self.done, "before": self.before}
        return {
            **{name: len(tiles) for name, tiles in states.items()},
            "failed": len(self.failures),
        }

    def table(self) -> str:
        """A line for each kind of picture, then one for each reason why some have failed."""
        counts = self._kinds()
        shown = [at for at in range(len(_STATES)) if any(c[at] for c, _ in counts.values())]
        rows = [(*_HEAD, *(_STATES[at] for at in shown))]
        for kind, (count, pixels) in sorted(
            counts.items(), key=lambda item: (item[1][1] == 0, item)
        ):
            size = f"{pixels / 1e6:.2f}" if pixels else ""
            rows.append((*kind, str(sum(count)), size, *(str(count[at]) for at in shown)))
        by_reason = defaultdict(list)
        for failure in self.failures:
            by_reason[failure.reason].append(failure.id)
        told = [f"- {', '.join(ids)}: {reason}" for reason, ids in by_reason.items()]
        return "\n".join([*align(rows), *told])

    def _kinds(self) -> dict[tuple[str, ...], tuple[list[int], int]]:
        """Kind of picture -> how many of each state, and their pixels."""
        failed = [tile for tile, _ in self.failed]
        counts: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0] * len(_STATES))
        pixels: dict[tuple[str, ...], int] = defaultdict(int)
        for at, tiles in enumerate((self.planned, self.done, self.before, failed)):
            for tile in tiles:
                counts[_kind(tile)][at] += 1
                pixels[_kind(tile)] += tile.pixels
        if self.refused:
            counts[_UNREAD][-1] = len(self.refused)
        return {kind: (counts[kind], pixels[kind]) for kind in counts}


def _kind(tile: ImageInfo) -> tuple[str, ...]:
    crs = "none"
    if tile.crs is not None:
        crs = ":".join(tile.crs.to_authority() or ("other",))
    size = abs(tile.transform.determinant) ** 0.5
    return crs, f"{size:.4g}", tile.dtype, ",".join(map(str, tile.bands))
