"""Networks with the weights of published checkpoints, as their authors ran them.

They take and return the same tensors as the authors' code, in its encoding and scale. A
reconstructor contains the same network with statistics, levels and guides for whole scenes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from hsi_xr.checkpoints.tensors import differences
from hsi_xr.errors import InvalidCheckpoint
from hsi_xr.networks._prior import Prior
from hsi_xr.networks._unet import UNet
from hsi_xr.networks.attention import AttentionStatistics
from hsi_xr.networks.awan import AWAN
from hsi_xr.networks.bisrnet import BiSRNet
from hsi_xr.networks.hscnn_plus import HSCNNPlus
from hsi_xr.networks.mst import MST, SIZES, SnapshotMST
from hsi_xr.networks.mst_plus_plus import MSTPlusPlus, SnapshotMSTPlusPlus
from hsi_xr.suggestions import unknown_name

CONTAINERS = ("state_dict", "params_ema", "params")
"""Entries in which training code keeps the weights; the first one present is read."""

State = Mapping[str, Tensor]

RGB = ("RGB",)


@dataclass(frozen=True)
class Published:
    """A network with published weights.

    Attributes:
        network: Builds the network.
        sizes: Infers the arguments of `network` from the tensors.
        inputs: Arguments of `forward` in order: an RGB image, or inputs that are derived from a
            coded-aperture snapshot, by their names in `hsi_xr.coded_aperture.forward.INPUTS`.
    """

    network: Callable[..., nn.Module]
    sizes: Callable[[State], dict[str, int]]
    inputs: tuple[str, ...] = RGB


def load(name: str, state: Mapping[str, object]) -> nn.Module:
    """Loads the network of a published checkpoint, in float32 on the CPU, in evaluation mode.

    Its `forward` takes the tensors that the authors' `forward` takes, in their order. A mask is
    always required; if none is given, the authors' code uses zeros or random values.

    Args:
        name: One of `NETWORKS`, with hyphens or underscores.
        state: Contents of a checkpoint as read by `torch.load(path, weights_only=True)`: tensors by
            key, or under one of `CONTAINERS`, with or without the prefix `module.`. The number of
            bands, and width, stages and blocks if `name` does not determine them, are inferred.

    Raises:
        UnknownName: No published network has this name.
        InvalidCheckpoint: The state contains no tensors, or tensors of another network.
    """
    key = key_of(name)
    tensors = _tensors(state)
    network = _empty(key, tensors)
    if wrong := differences(network.state_dict(), tensors):
        raise InvalidCheckpoint(
            f"the state is not one of {key}: it {wrong}{_other_network(tensors, key)}"
        )
    copies = {
        key: tensor.detach().to("cpu", torch.float32, copy=True) for key, tensor in tensors.items()
    }
    network.load_state_dict(copies, assign=True)
    return network.eval()


def key_of(name: str) -> str:
    """Returns the key in `NETWORKS` of a name with hyphens or underscores.

    Raises:
        UnknownName: No published network has this name.
    """
    key = name.replace("-", "_")
    if key not in NETWORKS:
        raise unknown_name("published network", name, NETWORKS)
    return key


def sizes(name: str, state: Mapping[str, object]) -> dict[str, int]:
    """Infers the arguments of a network from the contents of a checkpoint; see `load`."""
    return NETWORKS[name].sizes(_tensors(state))


def _tensors(state: object) -> State:
    """Returns the tensors of a checkpoint, without containers and prefixes of training code."""
    if isinstance(state, Mapping):
        state = next((state[key] for key in CONTAINERS if key in state), state)
    if not isinstance(state, Mapping):
        raise InvalidCheckpoint(
            f"the state is a {type(state).__name__}, not a mapping of tensors by key; for a whole "
            "module, pass its `state_dict()`"
        )
    for key, value in state.items():
        if not isinstance(value, Tensor):
            raise InvalidCheckpoint(
                f"{key!r} is a {type(value).__name__}, not a tensor; weights are tensors by key, "
                f"or under {', '.join(CONTAINERS)}, and pickled modules are not read"
            )
    if invalid := [key for key, tensor in state.items() if not tensor.isfinite().all()]:
        raise InvalidCheckpoint(
            f"{invalid[0]!r} contains values that are not finite; download the file again"
        )
    prefix = "module." if all(str(key).startswith("module.") for key in state) else ""
    return {str(key).removeprefix(prefix): value for key, value in state.items()}


def _empty(name: str, state: State) -> nn.Module:
    """Builds the network that fits a state, without memory for its weights."""
    with torch.device("meta"):
        published = NETWORKS[name]
        return published.network(**published.sizes(state))


def _other_network(state: State, name: str) -> str:
    """Returns a hint that another network has these keys, or an empty text."""
    others = [
        other
        for other in NETWORKS
        if other != name and _empty(other, state).state_dict().keys() == state.keys()
    ]
    return f"; these are the tensors of {others[0]}" if others else ""


class GuidedByFirst(UNet):
    """Guides a whole batch by the mask of its first image, as published code does."""

    def features(
        self,
        h: Tensor,
        attention: AttentionStatistics,
        prior: Prior | None,
        mask: Tensor | None = None,
    ) -> Tensor:
        return super().features(h, attention, prior, None if mask is None else mask[:1])


class PublishedMST(GuidedByFirst, MST):
    """MST for RGB; see `GuidedByFirst`."""


class PublishedSnapshotMST(GuidedByFirst, SnapshotMST):
    """MST for coded-aperture snapshots; see `GuidedByFirst`."""


def _size(state: State, layer: str, published: int) -> int:
    """Returns the output channels of a convolution; the published number if it is missing."""
    weight = state.get(f"{layer}.weight")
    return len(weight) if weight is not None and weight.ndim and len(weight) else published


def _count(state: State, modules: str, published: int) -> int:
    """Returns the length of a list of modules; the published length if it is missing."""
    inside = f"{modules}."
    members = {key.split(inside)[1].split(".")[0] for key in state if key.startswith(inside)}
    return len(members) or published


def _mst(state: State) -> dict[str, int]:
    return {"bands": _size(state, "embedding", 28)}


def _mst_plus_plus(state: State) -> dict[str, int]:
    return {"bands": _size(state, "conv_in", 31), "stages": _count(state, "body", 3)}


NETWORKS: Mapping[str, Published] = {
    "awan": Published(
        AWAN,
        lambda s: {
            "bands": _size(s, "output_conv2D.conv2d", 31),
            "width": _size(s, "input_conv2D.conv2d", 96),
            "blocks": _count(s, "backbone", 8),
        },
    ),
    "bisrnet": Published(BiSRNet, lambda s: {"bands": _size(s, "conv_in", 28)}, ("H", "Mask")),
    "hscnn_plus": Published(
        HSCNNPlus,
        lambda s: {"bands": _size(s, "conv_out", 31), "blocks": _count(s, "ddfn.dfus_blocks", 30)},
    ),
    "mst_l": Published(partial(PublishedSnapshotMST, counts=SIZES["L"]), _mst, ("H", "Phi")),
    "mst_l_rgb": Published(
        partial(PublishedMST, counts=SIZES["L"]),
        lambda s: {"bands": _size(s, "embedding_1", 31)},
    ),
    "mst_m": Published(partial(PublishedSnapshotMST, counts=SIZES["M"]), _mst, ("H", "Phi")),
    "mst_plus_plus": Published(MSTPlusPlus, _mst_plus_plus),
    "mst_plus_plus_cassi": Published(SnapshotMSTPlusPlus, _mst_plus_plus, ("H", "Mask")),
    "mst_s": Published(partial(PublishedSnapshotMST, counts=SIZES["S"]), _mst, ("H", "Phi")),
}
"""Networks with published weights, by name."""

SNAPSHOT_NETWORKS = tuple(name for name, each in NETWORKS.items() if each.inputs != RGB)
"""Names of the networks that read coded-aperture snapshots."""
