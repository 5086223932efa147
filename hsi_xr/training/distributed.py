"""Processes that train one model together, as `torchrun` starts them."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

from hsi_xr.pipeline.devices import resolve_device

TIMEOUT = timedelta(hours=12)
"""How long processes wait for the first one, which validates."""


@dataclass(frozen=True)
class Ranks:
    """The rank of this process, and the number of processes.

    Each process draws batches of its own; gradients are averaged. They are averaged here and not
    by DistributedDataParallel, because several optimisers update different parts of a model.
    """

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """True for the process that writes files."""
        return self.rank == 0

    def average(self, tensors: Iterable[Tensor | None]) -> None:
        """Replace tensors by their means over all processes; None must be None in all of them."""
        present = [tensor for tensor in tensors if tensor is not None]
        if self.count == 1 or not present:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in present])
        distributed.all_reduce(flat)
        flat /= self.count
        for tensor, mean in zip(present, flat.split([tensor.numel() for tensor in present])):
            tensor.copy_(mean.view_as(tensor))

    def wait(self) -> None:
        """Wait until every process has arrived here."""
        if self.count > 1:
            distributed.barrier()


def join(device: str) -> tuple[Ranks, str]:
    """Join the processes that `torchrun` started with this one.

    Args:
        device: As in `hsi_xr.reconstruct`.

    Returns:
        The rank of this process, and the full name of its device.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    name = resolve_device(device)
    if count == 1:
        return Ranks(), name
    if name.startswith("cuda"):
        name = resolve_device(f"cuda:{os.environ['LOCAL_RANK']}")
        torch.cuda.set_device(name)
    if not distributed.is_initialized():
        backend = "nccl" if name.startswith("cuda") else "gloo"
        distributed.init_process_group(backend, timeout=TIMEOUT)
    return Ranks(distributed.get_rank(), count), name
