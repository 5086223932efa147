"""MST++ with a spectral diffusion prior as a whole system: the prior is the scene's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from hsi_xr.networks._ladder import block_widths
from hsi_xr.networks.attention import GivenStatistics, PooledStatistics
from hsi_xr.networks.mst_plus_plus import MSTPlusPlus
from hsi_xr.networks.sdp import SpectralPrior
from hsi_xr.reconstructors._base import Noise, Reconstructor, SceneStatistics, SceneWindows
from hsi_xr.reconstructors._feedforward import Benchmark, InputAdapter


@dataclass(frozen=True, kw_only=True)
class Config(Benchmark):
    """All that shapes weights or samples; in the card."""

    stages: int = 3
    prior: int = 256
    """Length of the prior."""
    extractor: int = 64
    """Channels of the feature extractor."""
    extractor_blocks: int = 5
    diffusion: int = 4
    """Steps of the latent chain."""


class SDPMSTPlusPlus(Reconstructor):
    """The survey's windows tell one prior, which modulates every block in every tile.

    Estimated from a tile, a prior would make what a pixel becomes depend on the tiling.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.front = InputAdapter(config)
        self.network = MSTPlusPlus(config.bands, config.stages)
        self.prior = SpectralPrior(
            3,
            block_widths(self.network),
            config.prior,
            width=config.extractor,
            blocks=config.extractor_blocks,
            steps=config.diffusion,
        )

    def whole(self, scene: SceneWindows, noise: Noise) -> tuple[Tensor, SceneStatistics]:
        statistics = self.front.survey(scene)
        seen = self.front(scene.rgb, statistics)
        statistics["prior"] = self.prior.of_scene(seen, scene.weights)
        attention = PooledStatistics(scene.weights)
        prior = self.prior.inject(statistics["prior"])
        cube = self.network(seen, attention=attention, prior=prior)
        return cube, {**statistics, **attention.collected}

    def forward(
        self, rgb: Tensor, noise: Noise, statistics: SceneStatistics, *, stochastic: bool = False
    ) -> Tensor:
        prior = self.prior.inject(statistics["prior"])
        attention = GivenStatistics(statistics)
        return self.network(self.front(rgb, statistics), attention=attention, prior=prior)


def build(config: Mapping[str, Any]) -> Reconstructor:
    """The system of a card's `config`."""
    return SDPMSTPlusPlus(Config(**config))
