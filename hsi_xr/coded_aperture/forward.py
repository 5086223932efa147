"""Forward model of a coded-aperture snapshot camera with one disperser (SD-CASSI), without noise,
and the inputs that published networks derive from its snapshots.

Source: Wagadarikar et al. 2008, "Single disperser design for coded aperture snapshot spectral
imaging" (Applied Optics 47:10); discrete form and names of the inputs as in the simulation of
https://github.com/caiyuanhao1998/MST.
"""

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor

STEP = 2
"""Dispersion between neighbouring bands, in pixels to the right."""


def disperse(cube: Tensor, *, step: int = STEP) -> Tensor:
    """Shifts band i to the right by i steps and pads with zeros.

    Args:
        cube: (batch, bands, rows, columns).
        step: Dispersion between neighbouring bands, in pixels.

    Returns:
        (batch, bands, rows, columns + (bands - 1) step).
    """
    batch, bands, rows, columns = cube.shape
    shifted = cube.new_zeros(batch, bands, rows, columns + (bands - 1) * step)
    for band in range(bands):
        shifted[:, band, :, band * step : band * step + columns] = cube[:, band]
    return shifted


def gather(measured: Tensor, bands: int, *, step: int = STEP) -> Tensor:
    """Shifts the snapshot back for each band; the adjoint of `disperse` followed by a sum.

    Args:
        measured: (batch, rows, columns + (bands - 1) step).
        bands: Number of bands.
        step: Dispersion between neighbouring bands, in pixels.

    Returns:
        (batch, bands, rows, columns).

    Raises:
        ValueError: The snapshot is too narrow for that many bands.
    """
    columns = measured.shape[-1] - (bands - 1) * step
    if columns < 1:
        raise ValueError(
            f"{bands} bands {step} pixels apart need a snapshot of more than "
            f"{(bands - 1) * step} columns; got {measured.shape[-1]}"
        )
    starts = range(0, bands * step, step) if step else [0] * bands
    return torch.stack([measured[..., start : start + columns] for start in starts], dim=1)


def measure(cube: Tensor, mask: Tensor, *, step: int = STEP) -> Tensor:
    """Returns the snapshot of a cube, Y: masked, dispersed and summed over bands.

    Args:
        cube: (batch, bands, rows, columns).
        mask: (rows, columns) transmittance of the coded aperture, in [0, 1].
        step: Dispersion between neighbouring bands, in pixels.

    Returns:
        (batch, rows, columns + (bands - 1) step).
    """
    return disperse(cube * mask, step=step).sum(1)


def initial_estimate(measured: Tensor, bands: int, *, step: int = STEP) -> Tensor:
    """Returns the input H: the snapshot times 2 / bands, shifted back; shapes as in `gather`."""
    return gather(measured * (2 / bands), bands, step=step)


def masked_estimate(measured: Tensor, mask: Tensor, bands: int, *, step: int = STEP) -> Tensor:
    """Returns the input HM: H times the mask of (rows, columns)."""
    return initial_estimate(measured, bands, step=step) * mask


def repeat_mask(mask: Tensor, bands: int) -> Tensor:
    """Returns the input Mask: (rows, columns) repeated to (bands, rows, columns)."""
    return mask.expand(bands, *mask.shape)


def phi(mask: Tensor, bands: int, *, step: int = STEP) -> Tensor:
    """Returns the input Phi: the mask as each band projects it onto the detector.

    (rows, columns) -> (bands, rows, columns + (bands - 1) step). The published file
    `mask_3d_shift.mat` pads Phi differently, without explanation; this function uses the formula.
    """
    return disperse(repeat_mask(mask, bands)[None], step=step)[0]


def energy(operator: Tensor) -> Tensor:
    """Returns the diagonal of Phi Phi^T, the divisor of a projection step; 1 where it would be 0.

    (bands, rows, columns) -> (rows, columns).
    """
    total = operator.square().sum(0)
    return torch.where(total == 0, torch.ones_like(total), total)


Input = Callable[[Tensor, Tensor, int], Tensor]
"""(snapshots as `measure` returns them, mask (rows, columns), number of bands) -> network input
(batch, bands, rows, columns or wider)."""

INPUTS: Final[Mapping[str, Input]] = {
    "H": lambda measured, mask, bands: initial_estimate(measured, bands),
    "HM": lambda measured, mask, bands: masked_estimate(measured, mask, bands),
    "Mask": lambda measured, mask, bands: repeat_mask(mask, bands).expand(
        len(measured), -1, -1, -1
    ),
    "Phi": lambda measured, mask, bands: phi(mask, bands).expand(len(measured), -1, -1, -1),
}
"""Input name in published code -> function; neighbouring bands are `STEP` pixels apart."""
