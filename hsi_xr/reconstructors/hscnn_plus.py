"""HSCNN+ as a whole system: one pass of a network that is local."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hsi_xr.networks.hscnn_plus import HSCNNPlus
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.reconstructors._feedforward import Benchmark, FeedForwardReconstructor


@dataclass(frozen=True, kw_only=True)
class Config(Benchmark):
    """All that shapes weights or samples; in the card."""

    blocks: int = 30
    """Each adds 32 channels to its input and one pixel to the reach."""


def build(config: Mapping[str, Any]) -> Reconstructor:
    """The system of a card's `config`."""
    found = Config(**config)
    return FeedForwardReconstructor(HSCNNPlus(found.bands, found.blocks), found)
