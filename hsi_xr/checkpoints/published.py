"""Networks with the weights of published checkpoints, and nothing of ours around them.

They take what the authors' code takes, coded and scaled as there, and answer what it answers; a
reconstructor is the same network with statistics, levels and guides that suit whole scenes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from hsi_xr.checkpoints.layout import differences
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
"""Entries under which training code keeps the weights; the first that is there is taken."""

State = Mapping[str, Tensor]

RGB = ("RGB",)


@dataclass(frozen=True)
class Published:
    """A network of which weights were published, and what it is shown."""

    network: Callable[..., nn.Module]
    sizes: Callable[[State], dict[str, int]]
    """What a state tells of the network's arguments."""
    inputs: tuple[str, ...] = RGB
    """What `forward` takes, in order: a picture, or what is made of a coded-aperture snapshot, by
    the names of `hsi_xr.coded_aperture.forward.INPUTS`."""


def load(name: str, state: Mapping[str, Any]) -> nn.Module:
    """The network of a published checkpoint, in evaluation mode, in float32 on the CPU.

    Its `forward` takes the tensors that the authors' takes, in their order. A mask is always asked
    for: where none is given, their code makes one up, of zeros or of random numbers.

    Args:
        name: One of `NETWORKS`; hyphens count as underscores.
        state: What `torch.load(path, weights_only=True)` answers: tensors by key, bare or under
            one of `CONTAINERS`, with or without the prefix `module.`. It tells the bands, and
            width, stages and blocks where `name` does not.

    Raises:
        UnknownName: No published network of that name is known here.
        InvalidCheckpoint: The state holds no tensors, or those of another network.
    """
    known = key_of(name)
    found = _tensors(state)
    network = _empty(known, found)
    if wrong := differences(network.state_dict(), found):
        raise InvalidCheckpoint(
            f"the state is not one of {known}: it {wrong}{_whose(found, known)}"
        )
    copies = {
        key: tensor.detach().to("cpu", torch.float32, copy=True) for key, tensor in found.items()
    }
    network.load_state_dict(copies, assign=True)
    return network.eval()


def key_of(name: str) -> str:
    """The name as `NETWORKS` has it; hyphens count as underscores.

    Raises:
        UnknownName: No published network of that name is known here.
    """
    key = name.replace("-", "_")
    if key in NETWORKS:
        return key
    raise unknown_name("published network", name, NETWORKS)


def sizes(name: str, state: Mapping[str, Any]) -> dict[str, int]:
    """What a state tells of the sizes of its network, as the network's arguments; see `load`."""
    return NETWORKS[name].sizes(_tensors(state))


def _tensors(state: object) -> State:
    """What a file holds, without what training code wraps around it."""
    if isinstance(state, Mapping):
        state = next((state[key] for key in CONTAINERS if key in state), state)
    if not isinstance(state, Mapping):
        raise InvalidCheckpoint(
            f"the state is no mapping but of type {type(state).__name__}; weights are tensors by "
            "key: of a whole module, hand over its `state_dict()`"
        )
    for key, value in state.items():
        if not isinstance(value, Tensor):
            raise InvalidCheckpoint(
                f"{key!r} is no tensor but of type {type(value).__name__}; weights are tensors by "
                f"key, bare or under {', '.join(CONTAINERS)}, and pickled modules are not read"
            )
    if odd := [key for key, tensor in state.items() if not tensor.isfinite().all()]:
        raise InvalidCheckpoint(f"{odd[0]!r} holds numbers that are not finite; fetch it again")
    prefix = "module." if all(str(key).startswith("module.") for key in state) else ""
    return {str(key).removeprefix(prefix): value for key, value in state.items()}


def _empty(name: str, state: State) -> nn.Module:
    """The network that a state asks for; of shapes alone, so that odd ones cost nothing."""
    with torch.device("meta"):
        published = NETWORKS[name]
        return published.network(**published.sizes(state))


def _whose(state: State, name: str) -> str:
    """Tells another network, if its keys are these."""
    others = [
        other
        for other in NETWORKS
        if other != name and _empty(other, state).state_dict().keys() == state.keys()
    ]
    return f"; these are the tensors of {others[0]}" if others else ""


class GuidedByFirst(UNet):
    """The mask of the first image guides a whole batch, as in published code."""

    def features(
        self,
        h: Tensor,
        attention: AttentionStatistics,
        prior: Prior | None,
        mask: Tensor | None = None,
    ) -> Tensor:
        return super().features(h, attention, prior, None if mask is None else mask[:1])


class PublishedMST(GuidedByFirst, MST):
    """See `GuidedByFirst`."""


class PublishedSnapshotMST(GuidedByFirst, SnapshotMST):
    """See `GuidedByFirst`."""


def _size(state: State, layer: str, published: int) -> int:
    """Channels that a convolution answers; as published where it is missing."""
    weight = state.get(f"{layer}.weight")
    return len(weight) if weight is not None and weight.ndim and len(weight) else published


def _count(state: State, modules: str, published: int) -> int:
    """Members of a list of modules; as published where it is missing."""
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
"""By name."""

SNAPSHOT_NETWORKS = tuple(name for name, each in NETWORKS.items() if each.inputs != RGB)
"""Names of those that read snapshots of a coded aperture."""
