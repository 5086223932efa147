"""HSCNN+ as a whole system: one pass of a network that is local."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hsi_xr.networks.hscnn_plus import HSCNNPlus
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.reconstructors._one_pass import Benchmark, OnePass

ABOUT = {
    "title": "HSCNN+",
    "citation": "Shi, Chen, Xiong, Liu, Wu 2018, 'HSCNN+: Advanced CNN-Based Hyperspectral "
    "Recovery from RGB Images' (doi:10.1109/CVPRW.2018.00139); at the size of the NTIRE 2022 "
    "benchmark of Cai et al. 2022 (arXiv:2204.07908)",
    "licence": "Apache-2.0",
    "ours": "written from the description of the layers, since the authors' repository has no "
    "licence file; the layers are the benchmark's",
    "survey": False,
    "context": None,
    "stride": 1,
    "steps": 1,
}


@dataclass(frozen=True, kw_only=True)
class Config(Benchmark):
    """All that shapes weights or samples; in the card."""

    blocks: int = 30
    """Each adds 32 channels to its input and one pixel to the reach."""


def build(config: Mapping[str, Any]) -> Reconstructor:
    """The system of a card's `config`."""
    found = Config(**config)
    return OnePass(HSCNNPlus(found.bands, found.blocks), found)
