"""A camera as a linear map from spectra to RGB, with what inverse problems need of it."""

import torch
from torch import Tensor


class Camera:
    """Projects cubes to linear RGB; a white reflector (1 in every band) becomes (1, 1, 1).

    Args:
        response: (3, bands), spectral sensitivity times illuminant, any positive scale per row.
    """

    def __init__(self, response: Tensor) -> None:
        if response.ndim != 2 or response.shape[0] != 3:
            raise ValueError(f"a response is (3, bands); got {tuple(response.shape)}")
        total = response.sum(1, keepdim=True)
        if (total <= 0).any():
            raise ValueError("every channel of the response must see some light")
        self.response = response / total

    def project(self, cube: Tensor) -> Tensor:
        """(batch, bands, rows, columns) reflectance -> (batch, 3, rows, columns) linear RGB."""
        return torch.einsum("cb,nbhw->nchw", self.response, cube)

    def back_project(self, rgb: Tensor) -> Tensor:
        """The adjoint of `project`."""
        return torch.einsum("cb,nchw->nbhw", self.response, rgb)

    def pseudo_invert(self, rgb: Tensor) -> Tensor:
        """The smallest cube that projects to an RGB image (Moore-Penrose)."""
        return torch.einsum("bc,nchw->nbhw", torch.linalg.pinv(self.response), rgb)
