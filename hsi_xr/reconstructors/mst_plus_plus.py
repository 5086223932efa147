"""MST++ as a whole system: one pass, with the spectral attention of the scene."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hsi_xr.networks.mst_plus_plus import MSTPlusPlus
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.reconstructors._feedforward import Benchmark, FeedForwardReconstructor


@dataclass(frozen=True, kw_only=True)
class Config(Benchmark):
    """All that shapes weights or samples; in the card."""

    stages: int = 3


def build(config: Mapping[str, Any]) -> Reconstructor:
    """The system of a card's `config`."""
    found = Config(**config)
    return FeedForwardReconstructor(MSTPlusPlus(found.bands, found.stages), found)
