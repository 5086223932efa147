"""MST-L for RGB as a whole system: one pass, with the spectral attention of the scene."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hsi_xr.networks.mst import MST
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.reconstructors._one_pass import Benchmark, OnePass

ABOUT = {
    "title": "MST-L",
    "citation": "Cai, Lin, Hu, Wang, Yuan, Zhang, Timofte, Van Gool 2022, 'Mask-guided "
    "Spectral-wise Transformer for Efficient Hyperspectral Image Reconstruction' "
    "(arXiv:2111.07910); for RGB as in the NTIRE 2022 benchmark of Cai et al. 2022 "
    "(arXiv:2204.07908)",
    "licence": "Apache-2.0",
    "ours": "attention goes by moments that are pooled over the surveyed scene, and the layout of "
    "the computation, at equal numbers; each image of a batch has its own guide, where published "
    "code takes the first image's for all",
    "survey": True,
    "context": None,
    "stride": 8,
    "steps": 1,
}


@dataclass(frozen=True, kw_only=True)
class Config(Benchmark):
    """All that shapes weights or samples, besides the network's published depth; in the card."""


def build(config: Mapping[str, Any]) -> Reconstructor:
    """The system of a card's `config`."""
    found = Config(**config)
    return OnePass(MST(found.bands), found)
