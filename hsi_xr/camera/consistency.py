"""Moves estimated spectra until a camera projects them to the image that it recorded."""

from collections.abc import Sequence

import torch
from torch import Tensor

from hsi_xr.camera.operator import Camera

HALF_STEP = 0.5 / 255
"""Half a quantisation step of an 8-bit image, in RGB where white is 1: its noise, and the
difference up to which two values count as equal."""

RELATIVE_ERROR, CORRELATION_LENGTH = 0.1, 50.0
"""Assumed relative error of an estimate, and the length in nm over which it is correlated.

A channel is about 100 nm wide and resolves nothing finer; on held-out plots, lengths of 40 to 60 nm
give similar scores.
"""

OFFSET = 0.1
"""Share of the pixel's brightness that is added to a spectrum before errors are taken relative to
it, so that a band that was estimated as black can change, too."""

TOLERANCE = 1e-4
"""Largest difference in RGB at which a projection counts as equal to the image."""

ITERATIONS, DAMPING = 24, 1e-3
"""Newton iterations in the search for a non-negative spectrum, and their damping. For colours at
the limit of what non-negative spectra can produce, more iterations would come closer."""

CHUNK = 2**15
"""Pixels per chunk; intermediate results are several times as large as their spectra."""


def consistent(
    cube: Tensor, rgb: Tensor, camera: Camera, centres: Sequence[float], *, noise: float = 0.0
) -> Tensor:
    """Returns the cube, adjusted so that a camera projects it to an image.

    The part of each spectrum that the camera cannot see does not change. Of all changes that lead
    to the image, it is the most likely one if the relative error of the cube is smooth over the
    wavelengths: with D the spectrum (see `OFFSET`) on a diagonal and C the covariance of its
    errors, x + D C D A^T (A D C D A^T + noise^2)^-1 (y - A x). A black spectrum moves by the
    smooth spectrum of least norm. Negative values become 0. If the projection then differs from
    the image, the nearest non-negative spectrum that projects to the image takes its place. A
    colour that no such spectrum has is approximated as closely as possible.

    Args:
        cube: (batch, bands, rows, columns) reflectance; negative values count as 0.
        rgb: (batch, channels, rows, columns) linear image; a white reflector is 1.
        camera: The camera that took the image.
        centres: Centre wavelengths of the bands in nm.
        noise: Standard deviation of the noise of each channel, in units of `rgb`. With 0 the
            result projects to the image exactly; with more it moves only part of the way, least in
            dark pixels.

    Returns:
        (batch, bands, rows, columns) reflectance without negative values. Each pixel depends only
        on the same pixel of the input.

    Source:
        The range-null-space correction of Wang, Yu, Zhang 2022 (arXiv:2212.00490), in the metric
        of a Gaussian process.
    """
    nm = torch.tensor(centres)
    distance = nm[:, None] - nm
    covariance = RELATIVE_ERROR**2 * (-(distance**2) / (2 * CORRELATION_LENGTH**2)).exp().to(cube)
    batch, bands, rows, columns = cube.shape
    spectra, colours = (image.permute(0, 2, 3, 1).flatten(0, 2) for image in (cube, rgb))
    response = camera.response.to(cube)
    moved = [
        _move(x, y, response, covariance, noise)
        for x, y in zip(spectra.split(CHUNK), colours.split(CHUNK))
    ]
    return torch.cat(moved).view(batch, rows, columns, bands).permute(0, 3, 1, 2)


def _move(x: Tensor, y: Tensor, response: Tensor, covariance: Tensor, noise: float) -> Tensor:
    """Moves spectra x (pixels, bands) towards colours y (pixels, channels)."""
    x = x.clamp(min=0)
    scale = x + OFFSET * y.clamp(min=0).mean(1, keepdim=True)
    gain = torch.einsum("cmn,pn->pcm", covariance * response[:, None], scale)
    gram = torch.einsum("pcm,pm,dm->pcd", gain, scale, response)
    gram = gram + noise**2 * torch.eye(len(response)).to(x)
    weights = _solve(gram, y - x @ response.T)
    x = (x + scale * torch.einsum("pcm,pc->pm", gain, weights)).clamp(min=0)
    if not noise:
        missed = (y - x @ response.T).abs().amax(1) > TOLERANCE
        x[missed] = _nearest(x[missed], y[missed], response)
    return x


def _nearest(x: Tensor, y: Tensor, response: Tensor) -> Tensor:
    """Returns the non-negative spectra nearest to x, by least squares, that project to y.

    Damped Newton iterations on the dual problem, which has an unknown per pixel and channel
    whatever the number of bands.
    """
    weights, spectra = torch.zeros_like(y), x
    damping = DAMPING * response.square().sum(1).diag()
    for _ in range(ITERATIONS):
        positive = (spectra > 0).to(x)
        gram = torch.einsum("pm,cm,dm->pcd", positive, response, response) + damping
        weights = weights + _solve(gram, y - spectra @ response.T)
        spectra = (x + weights @ response).clamp(min=0)
    return spectra


def _solve(gram: Tensor, right: Tensor) -> Tensor:
    """Solves positive semidefinite systems, (n, channels, channels), for (n, channels).

    Those of three are solved by L D L^T, which is faster on a GPU.

    The systems are scaled to a unit diagonal. Pivots are kept away from 0: a channel that depends
    on the others adds nothing, and a black spectrum leaves nothing to solve.
    """
    size = gram.diagonal(dim1=1, dim2=2).clamp(min=1e-30).rsqrt()
    if gram.shape[1] != 3:
        unit = gram * size[:, :, None] * size[:, None] + 1e-6 * torch.eye(gram.shape[1]).to(gram)
        return torch.linalg.solve(unit, right * size) * size
    a, b, c = (gram[:, i, j] * size[:, i] * size[:, j] for i, j in ((0, 1), (0, 2), (1, 2)))
    second = (1 - a * a).clamp(min=1e-6)
    ratio = (c - a * b) / second
    third = (1 - b * b - ratio * ratio * second).clamp(min=1e-6)
    x, y, z = (right * size).unbind(1)
    y = y - a * x
    z = (z - b * x - ratio * y) / third
    y = y / second - ratio * z
    return torch.stack([x - a * y - b * z, y, z], dim=1) * size
