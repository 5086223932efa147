"""AWAN as a whole system: one pass, with channel attention that is pooled over the scene."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hsi_xr.networks.awan import AWAN
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.reconstructors._one_pass import Benchmark, OnePass

ABOUT = {
    "title": "AWAN",
    "citation": "Li, Wu, Song, Li, Liu 2020, 'Adaptive Weighted Attention Network with Camera "
    "Spectral Sensitivity Prior for Spectral Reconstruction from RGB Images' (arXiv:2005.09305); "
    "96 channels after Cai et al. 2022 (arXiv:2204.07908)",
    "licence": "Apache-2.0",
    "ours": "written from the paper's description, since the authors' repository has no licence "
    "file; channel attention pools over the surveyed scene; at equal numbers, the non-local module "
    "goes by moments of its features, and wide convolutions on a CPU by products of polynomials",
    "survey": True,
    # the non-local module lets a pixel attend to the quarter of the tile that it lies in, and no
    # survey stands in for that: tiles differ from the scene in one piece by its residual
    "context": "tile",
    "stride": 1,
    "steps": 1,
}


@dataclass(frozen=True, kw_only=True)
class Config(Benchmark):
    """All that shapes weights or samples; in the card."""

    width: int = 96
    """Channels: 96 in the NTIRE 2022 benchmark, 200 in the paper."""
    blocks: int = 8


def build(config: Mapping[str, Any]) -> Reconstructor:
    """The system of a card's `config`."""
    found = Config(**config)
    return OnePass(AWAN(found.bands, found.width, found.blocks), found)
