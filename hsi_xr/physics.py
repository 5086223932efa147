"""From spectra to RGB: a camera as a linear map with what inverse problems need of it; sRGB."""

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


def srgb_encode(linear: Tensor) -> Tensor:
    """Linear light in [0, 1] -> sRGB values in [0, 1] (IEC 61966-2-1)."""
    bright = 1.055 * linear.clamp(min=0.0031308).pow(1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, bright)


def srgb_decode(encoded: Tensor) -> Tensor:
    """The inverse of `srgb_encode`."""
    bright = ((encoded.clamp(min=0.04045) + 0.055) / 1.055).pow(2.4)
    return torch.where(encoded <= 0.04045, encoded / 12.92, bright)
