"""MST-L for RGB: one pass, with spectral attention that is pooled over the scene.

Source: Cai et al. 2022 (arXiv:2111.07910), for RGB as in the benchmark of MST++ (arXiv:2204.07908).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hsi_xr.networks.mst import MST
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.reconstructors._feedforward import Benchmark, FeedForwardReconstructor


@dataclass(frozen=True, kw_only=True)
class Config(Benchmark):
    """Everything that determines weights or samples; part of the card. The depth is fixed."""


def build(config: Mapping[str, Any]) -> Reconstructor:
    """Builds the system from the `config` of a card."""
    parsed = Config(**config)
    return FeedForwardReconstructor(MST(parsed.bands), parsed)
