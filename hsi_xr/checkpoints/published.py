"""Networks with the weights of published checkpoints, as their authors ran them.

They take and return the same tensors as the authors' code, in its encoding and scale. A
reconstructor contains the same network with statistics, levels and guides for whole scenes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from hsi_xr.checkpoints.groups import Group, groups_in, list_groups
from hsi_xr.checkpoints.tensors import listed, mismatches
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
"""Where several entries contain the tensors of a network, the first one of these is read."""

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
            key, with any prefix, such as `module.` or `model._orig_mod.`, and in any entry, such as
            `state_dict` or `ema`. Other entries are ignored. The number of bands, and width, stages
            and blocks if `name` does not determine them, are inferred.

    Raises:
        UnknownName: No published network has this name.
        InvalidCheckpoint: The state contains no tensors, tensors of another network, or several
            sets of tensors of this one.
    """
    key = key_of(name)
    tensors = _find(key, state)
    network = _empty(key, tensors)
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
    return NETWORKS[name].sizes(_find(name, state))


def _find(name: str, state: object) -> State:
    """Returns the tensors of a network, without containers and prefixes of training code.

    Raises:
        InvalidCheckpoint: No group of tensors is that of the network, or several are, or it
            contains values that are not finite.
    """
    found = groups_in(state)
    matching = _matching(name, found)
    if not matching:
        raise InvalidCheckpoint(_mismatch_message(name, found))
    preferred = min(map(_rank, matching))
    chosen, *others = (group for group in matching if _rank(group) == preferred)
    if different := [group for group in others if not group.equals(chosen)]:
        raise InvalidCheckpoint(
            f"the state contains the tensors of {name} more than once, with different values: "
            f"{list_groups([chosen, *different])}; save only the ones to use, by their keys"
        )
    if invalid := [key for key, tensor in chosen.tensors.items() if not tensor.isfinite().all()]:
        raise InvalidCheckpoint(
            f"{invalid[0]!r} contains values that are not finite; download the file again"
        )
    return chosen.tensors


def _matching(name: str, found: Sequence[Group]) -> list[Group]:
    """Returns the groups that have all tensors of a network, and no others."""
    anchor = next(iter(_empty(name, {}).state_dict()))
    candidates = (group for each in found for group in each.ending_in(anchor))
    return [group for group in candidates if not _mismatches(name, group)]


def _mismatches(name: str, group: Group) -> list[str]:
    return mismatches(_empty(name, group.tensors).state_dict(), group.tensors)


def _rank(group: Group) -> int:
    """Returns the position of the containers of a group in `CONTAINERS`."""
    ranks = (CONTAINERS.index(each) for each in group.containers if each in CONTAINERS)
    return min(ranks, default=len(CONTAINERS))


def _mismatch_message(name: str, found: Sequence[Group]) -> str:
    """Describes how the tensors that are closest to those of a network differ from them."""
    anchor = next(iter(_empty(name, {}).state_dict()))
    first = min(found, key=_rank)
    candidates = [first, first.without_common_prefix()]
    candidates += (group for each in found for group in each.ending_in(anchor))
    closest = min((_mismatches(name, group) for group in candidates), key=len)
    other = next((other for other in NETWORKS if other != name and _matching(other, found)), None)
    also = f"; tensors were found in {list_groups(found)}" if len(found) > 1 else ""
    hint = f"; these are the tensors of {other}" if other is not None else ""
    return f"the state is not one of {name}: it {listed(closest)}{also}{hint}"


def _empty(name: str, state: State) -> nn.Module:
    """Builds the network that fits a state, without memory for its weights."""
    with torch.device("meta"):
        published = NETWORKS[name]
        return published.network(**published.sizes(state))


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
