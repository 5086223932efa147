"""Groups of tensors in a checkpoint: those of one container whose keys have one prefix.

Training code keeps weights in containers of any name (`state_dict`, `model`, `ema`), next to
optimisers and counters, and wrappers put prefixes before their keys (`module.`, `_orig_mod.`,
`model.`). What is wanted is found by the keys of its network, not by these names.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile

import torch
from torch import Tensor

from hsi_xr.errors import InvalidCheckpoint

_LISTED = 5
"""Number of groups or entries that a message names."""


@dataclass(frozen=True, eq=False)
class Group:
    """Tensors by key.

    Attributes:
        containers: Keys of the nested containers that lead to the tensors.
        prefix: What all keys of the group have before those in `tensors`.
        tensors: The tensors, by key without the prefix.
    """

    containers: tuple[str, ...]
    prefix: str
    tensors: Mapping[str, Tensor]

    def __str__(self) -> str:
        place = "".join(f"[{container!r}]" for container in self.containers)
        keys = f"keys {self.prefix}*" if self.prefix else f"{len(self.tensors)} tensors"
        return f"{place} ({keys})" if place else keys

    def after(self, prefix: str) -> "Group":
        """Returns the tensors whose keys start with a prefix, without it."""
        chosen = {
            key.removeprefix(prefix): tensor
            for key, tensor in self.tensors.items()
            if key.startswith(prefix)
        }
        return Group(self.containers, self.prefix + prefix, chosen)

    def ending_in(self, key: str) -> "list[Group]":
        """Returns the group of each prefix that some key has before the given one."""
        prefixes = {each.removesuffix(key) for each in self.tensors if each.endswith(key)}
        return [self.after(prefix) for prefix in sorted(prefixes)]

    def without_common_prefix(self) -> "Group":
        """Returns the group without what all its keys have in common, up to a dot."""
        first, last = (key.split(".")[:-1] for key in (min(self.tensors), max(self.tensors)))
        common = takewhile(lambda pair: pair[0] == pair[1], zip(first, last))
        return self.after("".join(f"{part}." for part, _ in common))

    def equals(self, other: "Group") -> bool:
        """True if keys and values are the same, as of modules that share their weights."""
        mine, theirs = self.tensors, other.tensors
        return mine.keys() == theirs.keys() and all(
            torch.equal(tensor, theirs[key]) for key, tensor in mine.items()
        )


def groups_in(state: object) -> list[Group]:
    """Returns the tensors of each container, the fullest first.

    Raises:
        InvalidCheckpoint: The state is not a mapping, or contains no tensors.
    """
    if not isinstance(state, Mapping):
        raise InvalidCheckpoint(
            f"the state is a {type(state).__name__}, not a mapping of tensors by key; for a whole "
            "module, pass its `state_dict()`"
        )
    found: list[Group] = []
    seen: set[int] = set()
    left: list[tuple[tuple[str, ...], Mapping[object, object]]] = [((), state)]
    for path, mapping in left:
        if id(mapping) in seen:
            continue
        seen.add(id(mapping))
        tensors = {str(key): each for key, each in mapping.items() if isinstance(each, Tensor)}
        if tensors:
            found.append(Group(path, "", tensors))
        left += (
            ((*path, str(key)), each) for key, each in mapping.items() if isinstance(each, Mapping)
        )
    if not found:
        raise InvalidCheckpoint(
            f"the state contains no tensors{_entries(state)}; weights are tensors by key, and "
            "pickled modules are not read: save the `state_dict()` of the module"
        )
    return sorted(found, key=lambda group: -len(group.tensors))


def list_groups(groups: Iterable[Group]) -> str:
    """Lists groups for a message, the first few by name."""
    texts = [str(group) for group in groups]
    return ", ".join(texts[:_LISTED]) + (", ..." if len(texts) > _LISTED else "")


def _entries(state: Mapping[str, object]) -> str:
    texts = [f"{str(key)!r} is a {type(each).__name__}" for key, each in state.items()]
    return ", but " + ", ".join(texts[:_LISTED]) if texts else ""
