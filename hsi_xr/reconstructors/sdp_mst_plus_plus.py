"""MST++ with a spectral diffusion prior, which is estimated once for the scene.

Source: Yu, Wu, Huang 2025, "Spectral Diffusion Prior" (arXiv:2507.13769); the host network after
Cai et al. 2022, MST++ (arXiv:2204.07908).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from hsi_xr.networks._unet import block_widths
from hsi_xr.networks.attention import GivenStatistics, PooledStatistics
from hsi_xr.networks.mst_plus_plus import MSTPlusPlus
from hsi_xr.networks.sdp import SpectralPrior
from hsi_xr.reconstructors._base import Noise, Reconstructor, SceneStatistics, SceneWindows
from hsi_xr.reconstructors._feedforward import Benchmark, InputAdapter


@dataclass(frozen=True, kw_only=True)
class Config(Benchmark):
    """Everything that determines weights or samples; part of the card.

    Attributes:
        stages: Transformers of the host network.
        prior: Length of the prior.
        extractor: Channels of the feature extractor.
        extractor_blocks: Residual blocks of the feature extractor.
        diffusion: Steps of the latent chain.
    """

    stages: int = 3
    prior: int = 256
    extractor: int = 64
    extractor_blocks: int = 5
    diffusion: int = 4


class SDPMSTPlusPlus(Reconstructor):
    """Estimates one prior from the windows of a scene; it modulates every block in every tile.

    A prior that was estimated from a tile would make the output depend on the tiling.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.adapter = InputAdapter(config)
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
        encoding = self.adapter.survey(scene)
        image = self.adapter(scene.rgb, encoding)
        prior = self.prior.of_scene(image, scene.weights)
        attention = PooledStatistics(scene.weights)
        cube = self.network(image, attention=attention, prior=self.prior.inject(prior))
        return cube, {**encoding, "prior": prior, **attention.collected}

    def forward(
        self, rgb: Tensor, noise: Noise, statistics: SceneStatistics, *, stochastic: bool = False
    ) -> Tensor:
        prior = self.prior.inject(statistics["prior"])
        attention = GivenStatistics(statistics)
        return self.network(self.adapter(rgb, statistics), attention=attention, prior=prior)


def build(config: Mapping[str, Any]) -> Reconstructor:
    """Builds the system from the `config` of a card."""
    return SDPMSTPlusPlus(Config(**config))
