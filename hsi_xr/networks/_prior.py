"""The hook through which a prior reaches the blocks of a host network."""

from typing import Protocol

from torch import Tensor


class Prior(Protocol):
    """Modulates the features of a host's blocks, which are counted in the order they run.

    A host takes `prior: Prior | None` and each block calls it right after its LayerNorm; with
    None nothing is called, so that the host is what it is without the hook, bit for bit. It knows
    no more: where the prior comes from, and that it belongs to a scene, is its maker's business.
    """

    def __call__(self, features: Tensor, index: int) -> Tensor:
        """(batch, width, rows, columns), block -> the same shape.

        Batch 1 on the prior's side serves every image of the batch. `index` is 0 for the first
        block that runs, and counts on without gaps.
        """
