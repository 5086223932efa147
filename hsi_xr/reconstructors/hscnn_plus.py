"""HSCNN+: one pass of a local network.

Source: Shi, Chen, Xiong, Liu, Wu 2018 (doi:10.1109/CVPRW.2018.00139).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hsi_xr.networks.hscnn_plus import HSCNNPlus
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.reconstructors._feedforward import Benchmark, FeedForwardReconstructor


@dataclass(frozen=True, kw_only=True)
class Config(Benchmark):
    """Everything that determines weights or samples; part of the card.

    Attributes:
        blocks: Fusion blocks; each adds 32 channels to its input and one pixel to the reach.
    """

    blocks: int = 30


def build(config: Mapping[str, Any]) -> Reconstructor:
    """Builds the system from the `config` of a card."""
    parsed = Config(**config)
    return FeedForwardReconstructor(HSCNNPlus(parsed.bands, parsed.blocks), parsed)
