"""The hook through which a prior modulates the blocks of a host network."""

from typing import Protocol

from torch import Tensor


class Prior(Protocol):
    """Modulates the features of a host network's blocks.

    A host takes `prior: Prior | None`, and each of its blocks calls the prior right after its
    LayerNorm. With None, the host is exactly the network without a prior.
    """

    def __call__(self, features: Tensor, index: int) -> Tensor:
        """Returns modulated features.

        Args:
            features: (batch, width, rows, columns).
            index: Index of the block in the order in which blocks run, from 0 without gaps.

        Returns:
            The same shape. A prior of batch 1 serves every image of the batch.
        """
