"""Networks that answer in one pass, as reconstructors: what they share around the network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self, get_args

import torch
from torch import Tensor, nn

from hsi_xr.camera.srgb import srgb_encode
from hsi_xr.networks.attention import AttentionStatistics, GivenStatistics, PooledStatistics
from hsi_xr.reconstructors._base import Noise, Reconstructor, SceneStatistics, SceneWindows
from hsi_xr.reconstructors._scene_gain import SceneGain

Coding = Literal["linear", "srgb"]
Level = Literal["gain", "min-max", "as-is"]


@dataclass(frozen=True, kw_only=True)
class InputEncoding:
    """What a network was trained to be shown; in the card.

    Attributes:
        coding: `linear` light, or `srgb`: the display-referred values that public data sets hold.
        level: `gain` divides by the scene's gain over reflectance, `min-max` spreads the scene
            over [0, 1] (all channels alike, as the NTIRE 2022 baselines do by image), `as-is`
            leaves the numbers.
    """

    coding: Coding = "linear"
    level: Level = "gain"

    def __post_init__(self) -> None:
        for name, kind in (("coding", Coding), ("level", Level)):
            *others, last = map(repr, get_args(kind))
            if getattr(self, name) not in get_args(kind):
                raise ValueError(
                    f"{name} must be {', '.join(others)} or {last}; got {getattr(self, name)!r}"
                )


@dataclass(frozen=True, kw_only=True)
class Benchmark(InputEncoding):
    """What the NTIRE 2022 benchmark shows its networks and asks of them, as their weights expect.

    DisplayReferred-referred values, spread over [0, 1] by picture; 31 bands.
    """

    coding: Coding = "srgb"
    level: Level = "min-max"
    bands: int = 31

    @classmethod
    def of_published(cls, **sizes: Any) -> Self:
        """That of published weights, by the sizes that they tell."""
        return cls(**sizes)


@dataclass(frozen=True, kw_only=True)
class DisplayReferred(InputEncoding):
    """What networks of 8-bit pictures were published with: display-referred values as they are."""

    coding: Coding = "srgb"
    level: Level = "as-is"


class InputAdapter(nn.Module):
    """Brings linear RGB to what the network was trained on; decided once per scene."""

    def __init__(self, shown: InputEncoding) -> None:
        super().__init__()
        self.shown = shown
        if shown.level == "gain":
            self.gain = SceneGain()

    def survey(self, scene: SceneWindows) -> dict[str, Tensor]:
        """The scene's facts."""
        if self.shown.level == "gain":
            return {"gain": self.gain.of(scene)}
        if self.shown.level == "min-max":
            extremes = scene.extremes
            if extremes is None:
                valid = scene.rgb[(scene.weights > 0).expand_as(scene.rgb)]
                valid = valid if len(valid) else scene.rgb.new_zeros(1)
                extremes = torch.stack([valid.min(), valid.max()])
            low, high = self._coded(extremes)  # the coding keeps the order
            return {"low": low.reshape(1), "high": torch.maximum(high, low + 1e-6).reshape(1)}
        return {}

    def forward(self, rgb: Tensor, statistics: Mapping[str, Tensor]) -> Tensor:
        """(batch, 3, rows, columns) linear -> the same, as the network wants it."""
        if self.shown.level == "gain":
            return self._coded(rgb / statistics["gain"][..., None, None])
        coded = self._coded(rgb)
        if self.shown.level == "min-max":
            low, high = (statistics[key][:, None, None, None] for key in ("low", "high"))
            return (coded - low) / (high - low)
        return coded

    def _coded(self, rgb: Tensor) -> Tensor:
        return srgb_encode(rgb.clamp(min=0)) if self.shown.coding == "srgb" else rgb


class FeedForwardNetwork(Protocol):
    """A network whose scene statistics come from outside; it may have none and ignore them."""

    def __call__(self, rgb: Tensor, *, attention: AttentionStatistics) -> Tensor: ...


class FeedForwardReconstructor(Reconstructor):
    """RGB as the network wants it -> the network -> reflectance.

    Args:
        network: A module; see `FeedForwardNetwork`.
        shown: What it was trained to be shown.
    """

    def __init__(self, network: nn.Module, shown: InputEncoding) -> None:
        super().__init__()
        self.config = shown
        self.network, self.front = network, InputAdapter(shown)

    def whole(self, scene: SceneWindows, noise: Noise) -> tuple[Tensor, SceneStatistics]:
        statistics = self.front.survey(scene)
        attention = PooledStatistics(scene.weights)
        cube = self.network(self.front(scene.rgb, statistics), attention=attention)
        return cube, {**statistics, **attention.collected}

    def forward(
        self, rgb: Tensor, noise: Noise, statistics: SceneStatistics, *, stochastic: bool = False
    ) -> Tensor:
        attention = GivenStatistics(statistics)
        return self.network(self.front(rgb, statistics), attention=attention)
