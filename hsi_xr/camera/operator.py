"""From spectra to RGB: a camera as a linear map with what inverse problems need of it; sRGB."""

from collections.abc import Sequence

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


HALF_STEP = 0.5 / 255
"""RGB of known level: the noise of a picture of 8 bits, and what counts as the same in it."""

ERROR, LENGTH = 0.1, 50.0
"""Relative error that is expected of an estimate, and over how many nm it is alike.

A channel is about 100 nm wide and tells nothing finer; on held-out plots 40 to 60 nm score alike.
"""

LIFT = 0.1
"""Of the brightness seen, what is added to a spectrum before errors are taken relative to it: a
band that an estimate calls black may move, too."""

NEAR = 1e-4
"""RGB up to which an image counts as reached without more ado."""

ROUNDS, DAMPING = 24, 1e-3
"""Of the search for a spectrum that is not negative; for colours at the border of what spectra can
have, more rounds would come nearer."""

SLAB = 2**15
"""Pixels at once: several times their spectra are held meanwhile."""


def consistent(
    cube: Tensor, rgb: Tensor, camera: Camera, centres: Sequence[float], *, noise: float = 0.0
) -> Tensor:
    """The cube, moved so that a camera sees an image in it; what the camera cannot see stays.

    Of all changes that lead to the image, that is taken which is likeliest if the cube's relative
    error is smooth over the wavelengths: with D the spectrum (see `LIFT`) on a diagonal and C its
    errors' covariance, x + D C D A^T (A D C D A^T + noise^2)^-1 (y - A x). A black spectrum moves
    by the smooth one of least norm. What comes out negative is 0; where the image is missed by
    that, the nearest spectrum takes its place that is nowhere negative and is seen as the image.
    A colour that no such spectrum has is met as nearly as it can be.

    Args:
        cube: (batch, bands, rows, columns); negatives count as 0.
        rgb: (batch, 3, rows, columns) linear, a white reflector being 1.
        camera: That took the image.
        centres: Of the bands, nm.
        noise: Standard deviation of each channel; 0 reaches the image, more goes a part of the
            way to it, shortest in dark pixels.

    Returns:
        (batch, bands, rows, columns), nowhere negative; a pixel depends on itself alone.

    Source: the range-null-space correction of Wang, Yu, Zhang 2022 (arXiv:2212.00490), in the
        metric of a Gaussian process.
    """
    at = torch.tensor(centres)
    errors = ERROR**2 * (-((at[:, None] - at) ** 2) / (2 * LENGTH**2)).exp().to(cube)
    batch, bands, rows, columns = cube.shape
    spectra, seen = (each.permute(0, 2, 3, 1).flatten(0, 2) for each in (cube, rgb))
    found = [
        _moved(x, y, camera.response.to(cube), errors, noise)
        for x, y in zip(spectra.split(SLAB), seen.split(SLAB))
    ]
    return torch.cat(found).view(batch, rows, columns, bands).permute(0, 3, 1, 2)


def _moved(x: Tensor, y: Tensor, response: Tensor, errors: Tensor, noise: float) -> Tensor:
    """(pixels, bands), (pixels, 3) -> (pixels, bands)."""
    x = x.clamp(min=0)
    scale = x + LIFT * y.clamp(min=0).mean(1, keepdim=True)
    reach = torch.einsum("cmn,pn->pcm", errors * response[:, None], scale)
    gram = torch.einsum("pcm,pm,dm->pcd", reach, scale, response)
    gram = gram + noise**2 * torch.eye(3).to(x)
    pull = _solve(gram, y - x @ response.T)
    x = (x + scale * torch.einsum("pcm,pc->pm", reach, pull)).clamp(min=0)
    if not noise:
        missed = (y - x @ response.T).abs().amax(1) > NEAR
        x[missed] = _nearest(x[missed], y[missed], response)
    return x


def _nearest(x: Tensor, y: Tensor, response: Tensor) -> Tensor:
    """The spectra nearest to x, by least squares, that are not negative and are seen as y.

    Newton's method on the dual problem, damped: three unknowns a pixel, whatever the bands.
    """
    pull, found = torch.zeros_like(y), x
    damping = DAMPING * response.square().sum(1).diag()
    for _ in range(ROUNDS):
        free = (found > 0).to(x)
        gram = torch.einsum("pm,cm,dm->pcd", free, response, response) + damping
        pull = pull + _solve(gram, y - found @ response.T)
        found = (x + pull @ response).clamp(min=0)
    return found


def _solve(gram: Tensor, right: Tensor) -> Tensor:
    """Positive semidefinite systems of three, (n, 3, 3) and (n, 3) -> (n, 3), by L D L^T.

    Scaled to a unit diagonal. Pivots are kept from 0: a channel that sees what others see adds
    nothing, and a black spectrum has nothing to solve.
    """
    size = gram.diagonal(dim1=1, dim2=2).clamp(min=1e-30).rsqrt()
    a, b, c = (gram[:, i, j] * size[:, i] * size[:, j] for i, j in ((0, 1), (0, 2), (1, 2)))
    second = (1 - a * a).clamp(min=1e-6)
    ratio = (c - a * b) / second
    third = (1 - b * b - ratio * ratio * second).clamp(min=1e-6)
    x, y, z = (right * size).unbind(1)
    y = y - a * x
    z = (z - b * x - ratio * y) / third
    y = y / second - ratio * z
    return torch.stack([x - a * y - b * z, y, z], dim=1) * size


def srgb_encode(linear: Tensor) -> Tensor:
    """Linear light in [0, 1] -> sRGB values in [0, 1] (IEC 61966-2-1)."""
    bright = 1.055 * linear.clamp(min=0.0031308).pow(1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, bright)


def srgb_decode(encoded: Tensor) -> Tensor:
    """The inverse of `srgb_encode`."""
    bright = ((encoded.clamp(min=0.04045) + 0.055) / 1.055).pow(2.4)
    return torch.where(encoded <= 0.04045, encoded / 12.92, bright)
