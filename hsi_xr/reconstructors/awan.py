"""AWAN as a whole system: one pass, with channel attention that is pooled over the scene.

The non-local module lets a pixel attend to the quarter of the tile that it lies in, and no survey
stands in for that: tiles differ from the scene in one piece by its residual, and are blended.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from hsi_xr.networks.awan import AWAN
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.reconstructors._feedforward import Benchmark, FeedForwardReconstructor, Level

PAPER = 200


@dataclass(frozen=True, kw_only=True)
class Config(Benchmark):
    """All that shapes weights or samples; in the card."""

    width: int = 96
    """Channels: 96 in the NTIRE 2022 benchmark, `PAPER` in the paper."""
    blocks: int = 8

    @classmethod
    def of_published(cls, **sizes: Any) -> Self:
        """Those of the paper, at its width, were shown 8-bit pictures over 255 as they are."""
        level: Level = "as-is" if sizes["width"] == PAPER else "min-max"
        return cls(level=level, **sizes)


def build(config: Mapping[str, Any]) -> Reconstructor:
    """The system of a card's `config`."""
    found = Config(**config)
    return FeedForwardReconstructor(AWAN(found.bands, found.width, found.blocks), found)
