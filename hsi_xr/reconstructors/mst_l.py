"""MST-L for RGB as a whole system: one pass, with the spectral attention of the scene."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hsi_xr.networks.mst import MST
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.reconstructors._feedforward import Benchmark, FeedForwardReconstructor


@dataclass(frozen=True, kw_only=True)
class Config(Benchmark):
    """All that shapes weights or samples, besides the network's published depth; in the card."""


def build(config: Mapping[str, Any]) -> Reconstructor:
    """The system of a card's `config`."""
    found = Config(**config)
    return FeedForwardReconstructor(MST(found.bands), found)
