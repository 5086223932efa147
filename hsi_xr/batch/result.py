"""The result of a conversion."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from hsi_xr.batch.config import Failure
from hsi_xr.batch.inspect import ImageInfo
from hsi_xr.text_table import align

_STATES = ("PLANNED", "DONE", "BEFORE", "FAILED")
_HEAD = ("CRS", "PIXEL", "TYPE", "BANDS", "IMAGES", "MPX")
_UNREAD = ("not read", "", "", "")
"""In place of CRS, pixel size, type and bands of images whose header was refused."""


@dataclass(frozen=True, kw_only=True)
class ConversionResult:
    """Which images have become products, and which have failed."""

    folder: Path
    planned: list[ImageInfo] = field(default_factory=list)
    """Images that would be converted; only a dry run fills this list."""
    done: list[ImageInfo] = field(default_factory=list)
    """Images converted by this run."""
    before: list[ImageInfo] = field(default_factory=list)
    """Images converted by an earlier run, which this one resumed."""
    failed: list[tuple[ImageInfo, Failure]] = field(default_factory=list)
    refused: list[Failure] = field(default_factory=list)
    """Inputs refused before any work: unreadable, not RGB, a broken link, ..."""
    collection: Path | None = None
    vrt: Path | None = None

    @property
    def failures(self) -> list[Failure]:
        """All failures, sorted by id."""
        failures = [*self.refused, *(failure for _, failure in self.failed)]
        return sorted(failures, key=lambda failure: failure.id)

    def counts(self) -> dict[str, int]:
        """Returns the number of images in each state."""
        return {
            "planned": len(self.planned),
            "done": len(self.done),
            "before": len(self.before),
            "failed": len(self.failures),
        }

    def table(self) -> str:
        """Returns a table of the kinds of images, and a line for each reason of failure.

        A dry run also has a line for each way in which images would be read.
        """
        kinds = self._kinds()
        shown = [
            at for at in range(len(_STATES)) if any(counts[at] for counts, _ in kinds.values())
        ]
        rows = [(*_HEAD, *(_STATES[at] for at in shown))]
        for kind, (counts, pixels) in sorted(
            kinds.items(), key=lambda item: (item[1][1] == 0, item)
        ):
            size = f"{pixels / 1e6:.2f}" if pixels else ""
            rows.append((*kind, str(sum(counts)), size, *(str(counts[at]) for at in shown)))
        meanings = Counter(image.meaning for image in self.planned)
        read = [f"{_images(count)}: {meaning}" for meaning, count in meanings.items()]
        by_reason = defaultdict(list)
        for failure in self.failures:
            by_reason[failure.reason].append(failure.id)
        reasons = [f"- {', '.join(ids)}: {reason}" for reason, ids in by_reason.items()]
        return "\n".join([*align(rows), *read, *reasons])

    def _kinds(self) -> dict[tuple[str, ...], tuple[list[int], int]]:
        """Returns kind of image -> number of images in each state, and their pixels."""
        failed = [image for image, _ in self.failed]
        counts: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0] * len(_STATES))
        pixels: dict[tuple[str, ...], int] = defaultdict(int)
        for at, images in enumerate((self.planned, self.done, self.before, failed)):
            for image in images:
                counts[_kind(image)][at] += 1
                pixels[_kind(image)] += image.pixels
        if self.refused:
            counts[_UNREAD][-1] = len(self.refused)
        return {kind: (counts[kind], pixels[kind]) for kind in counts}


def _kind(image: ImageInfo) -> tuple[str, ...]:
    crs = "none"
    if image.crs is not None:
        crs = ":".join(image.crs.to_authority() or ("other",))
    size = abs(image.transform.determinant) ** 0.5
    return crs, f"{size:.4g}", image.dtype, ",".join(map(str, image.bands))


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"
