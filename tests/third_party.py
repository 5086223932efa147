"""A third-party reconstructor, installed as a distribution in its own folder.

It is cheap, so that tests of memory and of the pipeline do not wait for a network.
"""

import json
from pathlib import Path

MODULE = '''
"""Returns grey spectra that rise to the red, plus `pull` times the tile's mean; logs batches."""

import torch

BATCHES, ROUNDED = [], []

from hsi_xr.reconstructors._base import Reconstructor


class Slope(Reconstructor):
    def __init__(self, bands, limit, pull):
        super().__init__()
        self.slope = torch.nn.Parameter(torch.linspace(0.5, 1.5, bands))
        self.limit, self.pull = limit, pull

    def forward(self, rgb, noise, statistics, *, stochastic):
        BATCHES.append(len(rgb))
        ROUNDED.append(torch.backends.cudnn.allow_tf32)
        if len(rgb) > self.limit:
            raise torch.OutOfMemoryError(f"a batch of {len(rgb)} does not fit")
        grey = rgb.mean(1, keepdim=True) / statistics["mean"]
        if self.pull:
            grey = grey + self.pull * grey.mean((2, 3), keepdim=True)
        return grey * self.slope[None, :, None, None]

    def whole(self, scene, noise):
        rgb = scene.rgb
        mean = (rgb.mean(1, keepdim=True) * scene.weights).sum() / scene.weights.sum()
        statistics = {"mean": mean.reshape(1)}
        cubes = [self(each[None], noise, statistics, stochastic=False) for each in rgb]
        return torch.cat(cubes), statistics


def build(config):
    return Slope(**config)
'''


def install(
    folder: Path,
    *,
    name: str = "slope",
    limit: int = 1_000_000,
    pull: float = 0,
    context: str | None = None,
) -> Path:
    """Writes the distribution and a model of it into a folder; returns the path of the weights.

    Processes find it if the folder is on `sys.path` or in `PYTHONPATH`.
    """
    import torch
    from safetensors.torch import save_file

    from hsi_xr.checkpoints.card import checksum

    (folder / "third_party_slope.py").write_text(MODULE)
    info = folder / "third_party_slope-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party-slope\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[hsi_xr.reconstructors]\nslope = third_party_slope\n")
    weights = folder / f"{name}.safetensors"
    save_file({"slope": torch.linspace(0.5, 1.5, 31)}, weights)
    card = {
        "schema": 1,
        "name": name,
        "version": "1.0",
        "reconstructor": "slope",
        "sha256": checksum(weights),
        "bands": {"centres_nm": list(range(400, 701, 10)), "widths_nm": [10] * 31},
        "config": {"bands": 31, "limit": limit, "pull": pull},
        "stride": 4,
        "steps": 1,
        "reach": {"halo": 8, "context": context},
        "parameters": 31,
        "memory_bytes_per_pixel": 200,
        "licence": "CC0-1.0",
    }
    weights.with_suffix(".json").write_text(json.dumps(card))
    return weights
