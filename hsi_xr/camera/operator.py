"""A camera as a linear operator from spectra to its channels."""

import torch
from torch import Tensor, nn


class Camera(nn.Module):
    """Projects reflectance cubes to linear channels; a white reflector (1 in every band) is 1.

    Args:
        response: (channels, bands) spectral sensitivity times illuminant. Each row may have any
            positive scale: it is divided by its sum.

    Raises:
        ValueError: The shape differs, or a row does not have a positive sum.
    """

    response: Tensor
    """(channels, bands); each row sums to 1."""

    def __init__(self, response: Tensor) -> None:
        super().__init__()
        if response.ndim != 2 or response.shape[0] < 3:
            raise ValueError(
                f"a response must be (3, bands), or have more channels; got {tuple(response.shape)}"
            )
        total = response.sum(1, keepdim=True)
        if (total <= 0).any():
            raise ValueError("each channel of a response needs a positive sum")
        self.register_buffer("response", response / total, persistent=False)

    def forward(self, cube: Tensor) -> Tensor:
        return self.project(cube)

    def project(self, cube: Tensor) -> Tensor:
        """Projects reflectance, (batch, bands, rows, columns), to (batch, channels, ...)."""
        return torch.einsum("cb,nbhw->nchw", self.response, cube)

    def back_project(self, rgb: Tensor) -> Tensor:
        """Applies the adjoint of `project`."""
        return torch.einsum("cb,nchw->nbhw", self.response, rgb)

    def pseudo_invert(self, rgb: Tensor) -> Tensor:
        """Returns the cube of least norm that projects to `rgb` (Moore-Penrose inverse)."""
        return torch.einsum("bc,nchw->nbhw", torch.linalg.pinv(self.response), rgb)
