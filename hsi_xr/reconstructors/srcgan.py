"""SRCGAN as a whole system: one pass of the generator; the critic stays in training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hsi_xr.networks.srcgan import DROPPED, Drop, Generator
from hsi_xr.reconstructors._base import Noise, Reconstructor, SceneStatistics, SceneWindows
from hsi_xr.reconstructors._feedforward import DisplayReferred, InputAdapter


@dataclass(frozen=True, kw_only=True)
class Config(DisplayReferred):
    """All that shapes weights or samples; in the card."""

    bands: int = 31
    levels: int = 5
    """Halvings; a card's `stride` is 2 to their power."""
    width: int = 64
    """Channels after the first halving."""


class SRCGANReconstructor(Reconstructor):
    """One pass of the generator, clipped to the [0, 1] of the reflectance that it was trained on.

    In evaluation no layer looks beyond its kernel: a halo makes tiles exact. A stochastic pass
    drops features as training did, but by noise of the ground; see `dropped_by`.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.network = Generator(config.bands, levels=config.levels, width=config.width)
        self.front = InputAdapter(config)

    def whole(self, scene: SceneWindows, noise: Noise) -> tuple[Tensor, SceneStatistics]:
        statistics = self.front.survey(scene)
        return self(scene.rgb, noise, statistics, stochastic=False), statistics

    def forward(
        self, rgb: Tensor, noise: Noise, statistics: SceneStatistics, *, stochastic: bool = False
    ) -> Tensor:
        drop = dropped_by(noise) if stochastic else None
        return self.network(self.front(rgb, statistics), drop=drop).clamp(0, 1)


def dropped_by(noise: Noise) -> Drop:
    """Dropout of one half that belongs to the ground: the same in every tile that sees a place.

    A feature at a coarse resolution covers a square of pixels, and so many numbers of noise; each
    of its channels takes one of them as a fair coin, by its sign. The squares are the same in
    every tile because tiles start on the network's stride. A design of ours.
    """

    def drop(features: Tensor, block: int) -> Tensor:
        coins: list[Tensor] = []
        while sum(each.shape[1] for each in coins) < features.shape[1]:
            field = noise(1 + block + DROPPED * len(coins))
            coins.append(F.pixel_unshuffle(field, field.shape[-1] // features.shape[-1]))
        kept = torch.cat(coins, dim=1)[:, : features.shape[1]] > 0
        return 2 * features * kept

    return drop


def build(config: Mapping[str, Any]) -> Reconstructor:
    """The system of a card's `config`."""
    return SRCGANReconstructor(Config(**config))
