"""AWAN: one pass of a network whose channel attention is pooled over the scene.

In the non-local module, a pixel attends to the quarter of the tile that contains it, and a survey
cannot replace that. Tiles therefore differ slightly from a scene that is run in one piece, and are
blended.

Source: Li, Wu, Song, Li, Liu 2020 (arXiv:2005.09305).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from hsi_xr.networks.awan import AWAN
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.reconstructors._feedforward import Benchmark, FeedForwardReconstructor, Level

PAPER_WIDTH = 200


@dataclass(frozen=True, kw_only=True)
class Config(Benchmark):
    """Everything that determines weights or samples; part of the card.

    Attributes:
        width: Channels: 96 in the NTIRE 2022 benchmark, `PAPER_WIDTH` in the paper.
        blocks: Dual residual attention blocks.
    """

    width: int = 96
    blocks: int = 8

    @classmethod
    def from_published(cls, **sizes: Any) -> Self:
        """See `Benchmark`. Weights of the paper's width take 8-bit images over 255 as they are."""
        level: Level = "as-is" if sizes["width"] == PAPER_WIDTH else "min-max"
        return cls(level=level, **sizes)


def build(config: Mapping[str, Any]) -> Reconstructor:
    """Builds the system from the `config` of a card."""
    parsed = Config(**config)
    return FeedForwardReconstructor(AWAN(parsed.bands, parsed.width, parsed.blocks), parsed)
