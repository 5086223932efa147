"""SRCGAN: one pass of a generator that was trained against a discriminator.

Source: Alvarez-Gila, van de Weijer, Garrote 2017 (arXiv:1709.00265).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hsi_xr.networks.srcgan import DROPOUT_BLOCKS, Drop, Generator
from hsi_xr.reconstructors._base import Noise, Reconstructor, SceneStatistics, SceneWindows
from hsi_xr.reconstructors._feedforward import DisplayReferred, InputAdapter


@dataclass(frozen=True, kw_only=True)
class Config(DisplayReferred):
    """Everything that determines weights or samples; part of the card.

    Attributes:
        bands: Bands of the output.
        levels: Number of halvings; the `stride` in a card is 2 to this power.
        width: Channels after the first halving.
    """

    bands: int = 31
    levels: int = 5
    width: int = 64


class SRCGANReconstructor(Reconstructor):
    """Runs the generator once. Its output is clipped to [0, 1], the range it was trained on.

    In evaluation, no layer reads beyond its kernel, so a halo makes tiles exact. A stochastic pass
    drops features as in training, but as a function of position; see `ground_dropout`.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.network = Generator(config.bands, levels=config.levels, width=config.width)
        self.adapter = InputAdapter(config)

    def whole(self, scene: SceneWindows, noise: Noise) -> tuple[Tensor, SceneStatistics]:
        statistics = self.adapter.survey(scene)
        return self(scene.rgb, noise, statistics, stochastic=False), statistics

    def forward(
        self, rgb: Tensor, noise: Noise, statistics: SceneStatistics, *, stochastic: bool = False
    ) -> Tensor:
        drop = ground_dropout(noise) if stochastic else None
        return self.network(self.adapter(rgb, statistics), drop=drop).clamp(0, 1)


def ground_dropout(noise: Noise) -> Drop:
    """Returns a dropout of one half that is a function of position, the same in all tiles.

    A feature at a coarse resolution covers a square of pixels, and thus several values of noise.
    Each of its channels takes the sign of one of them as a coin toss. The squares are the same in
    every tile because tiles start on the network's stride. Original to this package.
    """

    def drop(features: Tensor, block: int) -> Tensor:
        coins: list[Tensor] = []
        while sum(each.shape[1] for each in coins) < features.shape[1]:
            field = noise(1 + block + DROPOUT_BLOCKS * len(coins))
            coins.append(F.pixel_unshuffle(field, field.shape[-1] // features.shape[-1]))
        kept = torch.cat(coins, dim=1)[:, : features.shape[1]] > 0
        return 2 * features * kept

    return drop


def build(config: Mapping[str, Any]) -> Reconstructor:
    """Builds the system from the `config` of a card."""
    return SRCGANReconstructor(Config(**config))
