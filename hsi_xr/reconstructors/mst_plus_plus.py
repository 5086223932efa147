"""MST++: one pass, with spectral attention that is pooled over the scene.

Source: Cai et al. 2022 (arXiv:2204.07908).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hsi_xr.networks.mst_plus_plus import MSTPlusPlus
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.reconstructors._feedforward import Benchmark, FeedForwardReconstructor


@dataclass(frozen=True, kw_only=True)
class Config(Benchmark):
    """Everything that determines weights or samples; part of the card.

    Attributes:
        stages: Transformers in a row.
    """

    stages: int = 3


def build(config: Mapping[str, Any]) -> Reconstructor:
    """Builds the system from the `config` of a card."""
    parsed = Config(**config)
    return FeedForwardReconstructor(MSTPlusPlus(parsed.bands, parsed.stages), parsed)
