"""Processes that train one model together, as `torchrun` starts them."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

from hsi_xr.pipeline.devices import resolve_device

PATIENCE = timedelta(hours=12)
"""Of those that wait while the first process validates."""


@dataclass(frozen=True)
class Ranks:
    """Which process this is, of how many. Each draws batches of its own; gradients are averaged.

    Averaged by hand and not by DistributedDataParallel, whose one wrapper would have to know
    which parameters each turn moves.
    """

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def average(self, tensors: Iterable[Tensor | None]) -> None:
        """Replaces tensors by their means over all processes; None is None in all of them."""
        found = [each for each in tensors if each is not None]
        if self.count == 1 or not found:
            return
        flat = torch.cat([each.reshape(-1) for each in found])
        distributed.all_reduce(flat)
        flat /= self.count
        for each, part in zip(found, flat.split([each.numel() for each in found])):
            each.copy_(part.view_as(each))

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            distributed.barrier()


def join(device: str) -> tuple[Ranks, str]:
    """This process among those that were started with it, and its device by full name."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    name = resolve_device(device)
    if count == 1:
        return Ranks(), name
    if name.startswith("cuda"):
        name = resolve_device(f"cuda:{os.environ['LOCAL_RANK']}")
        torch.cuda.set_device(name)
    if not distributed.is_initialized():
        kind = "nccl" if name.startswith("cuda") else "gloo"
        distributed.init_process_group(kind, timeout=PATIENCE)
    return Ranks(distributed.get_rank(), count), name
