"""Reconstructors that run a network once, and the input encodings of their networks."""

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
    """The encoding of RGB that a network was trained on; part of a card's `config`.

    Attributes:
        coding: `linear` light, or `srgb`: display-referred values, as in public data sets.
        level: `gain` divides by the gain of the scene over reflectance, `min-max` stretches the
            scene to [0, 1] (all channels alike, as the NTIRE 2022 baselines stretch each image),
            `as-is` keeps the values.
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
    """The input and output of the NTIRE 2022 benchmark, which its published weights expect.

    Display-referred values, stretched to [0, 1] for each image; 31 bands.
    """

    coding: Coding = "srgb"
    level: Level = "min-max"
    bands: int = 31

    @classmethod
    def from_published(cls, **sizes: Any) -> Self:
        """Returns the configuration for published weights of these sizes."""
        return cls(**sizes)


@dataclass(frozen=True, kw_only=True)
class DisplayReferred(InputEncoding):
    """The input of networks that were published for 8-bit images: sRGB values as they are."""

    coding: Coding = "srgb"
    level: Level = "as-is"


class InputAdapter(nn.Module):
    """Converts linear RGB to the encoding of a network, in the same way for all tiles of a scene.

    Args:
        encoding: The encoding that the network was trained on.
    """

    def __init__(self, encoding: InputEncoding) -> None:
        super().__init__()
        self.encoding = encoding
        if encoding.level == "gain":
            self.gain = SceneGain()

    def survey(self, scene: SceneWindows) -> dict[str, Tensor]:
        """Returns the statistics of a scene that `forward` needs: gain, extremes, or none."""
        if self.encoding.level == "gain":
            return {"gain": self.gain.estimate(scene)}
        if self.encoding.level == "min-max":
            low, high = self._encode(_extremes(scene))  # monotonic, so order is kept
            return {"low": low.reshape(1), "high": torch.maximum(high, low + 1e-6).reshape(1)}
        return {}

    def forward(self, rgb: Tensor, statistics: Mapping[str, Tensor]) -> Tensor:
        """Encodes linear RGB, (batch, 3, rows, columns)."""
        if self.encoding.level == "gain":
            return self._encode(rgb / statistics["gain"][..., None, None])
        encoded = self._encode(rgb)
        if self.encoding.level == "min-max":
            low, high = (statistics[key][:, None, None, None] for key in ("low", "high"))
            return (encoded - low) / (high - low)
        return encoded

    def _encode(self, rgb: Tensor) -> Tensor:
        return srgb_encode(rgb.clamp(min=0)) if self.encoding.coding == "srgb" else rgb


def _extremes(scene: SceneWindows) -> Tensor:
    """Returns the lowest and highest value of linear RGB in a scene, (2,)."""
    if scene.extremes is not None:
        return scene.extremes
    valid = scene.rgb[(scene.weights > 0).expand_as(scene.rgb)]
    valid = valid if len(valid) else scene.rgb.new_zeros(1)
    return torch.stack([valid.min(), valid.max()])


class FeedForwardNetwork(Protocol):
    """A network that takes attention statistics as an argument, and may ignore them."""

    def __call__(self, rgb: Tensor, *, attention: AttentionStatistics) -> Tensor: ...


class FeedForwardReconstructor(Reconstructor):
    """Runs a network once on encoded RGB; its output is reflectance.

    Args:
        network: A module; see `FeedForwardNetwork`.
        encoding: The encoding that the network was trained on.
    """

    def __init__(self, network: nn.Module, encoding: InputEncoding) -> None:
        super().__init__()
        self.config = encoding
        self.network, self.adapter = network, InputAdapter(encoding)

    def whole(self, scene: SceneWindows, noise: Noise) -> tuple[Tensor, SceneStatistics]:
        statistics = self.adapter.survey(scene)
        attention = PooledStatistics(scene.weights)
        cube = self.network(self.adapter(scene.rgb, statistics), attention=attention)
        return cube, {**statistics, **attention.collected}

    def forward(
        self, rgb: Tensor, noise: Noise, statistics: SceneStatistics, *, stochastic: bool = False
    ) -> Tensor:
        attention = GivenStatistics(statistics)
        return self.network(self.adapter(rgb, statistics), attention=attention)
