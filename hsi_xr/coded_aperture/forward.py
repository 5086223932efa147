"""What a coded-aperture camera with one disperser (SD-CASSI) measures of a cube, and what of it
networks are shown. Bands lie 2 pixels apart on the detector; there is no noise.

Source: Wagadarikar et al. 2008, "Single disperser design for coded aperture snapshot spectral
imaging" (Applied Optics 47:10); discrete form and names of the inputs as in the simulation of
https://github.com/caiyuanhao1998/MST.
"""

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor

STEP = 2
"""Pixels to the right from a band to the next."""


def disperse(cube: Tensor, *, step: int = STEP) -> Tensor:
    """Moves band i to the right by i steps; zeros come in.

    Args:
        cube: (batch, bands, rows, columns).
        step: In pixels.

    Returns:
        (batch, bands, rows, columns + (bands - 1) step).
    """
    batch, bands, rows, columns = cube.shape
    moved = cube.new_zeros(batch, bands, rows, columns + (bands - 1) * step)
    for band in range(bands):
        moved[:, band, :, band * step : band * step + columns] = cube[:, band]
    return moved


def gather(measured: Tensor, bands: int, *, step: int = STEP) -> Tensor:
    """Cuts every band's part out of the detector; the adjoint of `disperse` and sum.

    Args:
        measured: (batch, rows, columns + (bands - 1) step).
        bands: How many.
        step: In pixels.

    Returns:
        (batch, bands, rows, columns).

    Raises:
        ValueError: The detector is too narrow for these bands.
    """
    columns = measured.shape[-1] - (bands - 1) * step
    if columns < 1:
        raise ValueError(
            f"{bands} bands {step} pixels apart need more than {(bands - 1) * step} columns; "
            f"got {measured.shape[-1]}"
        )
    starts = range(0, bands * step, step) if step else [0] * bands
    return torch.stack([measured[..., start : start + columns] for start in starts], dim=1)


def measure(cube: Tensor, mask: Tensor, *, step: int = STEP) -> Tensor:
    """The snapshot of a cube, Y: the masked bands, dispersed and summed.

    Args:
        cube: (batch, bands, rows, columns).
        mask: (rows, columns), the light that the aperture lets through.
        step: In pixels.

    Returns:
        (batch, rows, columns + (bands - 1) step).
    """
    return disperse(cube * mask, step=step).sum(1)


def shown(measured: Tensor, bands: int, *, step: int = STEP) -> Tensor:
    """The input H: the snapshot times 2 / bands, every band's part; shapes as of `gather`."""
    return gather(measured * (2 / bands), bands, step=step)


def masked(measured: Tensor, mask: Tensor, bands: int, *, step: int = STEP) -> Tensor:
    """The input HM: H times the mask (rows, columns)."""
    return shown(measured, bands, step=step) * mask


def tiled(mask: Tensor, bands: int) -> Tensor:
    """The input Mask: (rows, columns) -> (bands, rows, columns), alike in every band."""
    return mask.expand(bands, *mask.shape)


def dispersed(mask: Tensor, bands: int, *, step: int = STEP) -> Tensor:
    """The input Phi: the mask as every band throws it on the detector.

    (rows, columns) -> (bands, rows, columns + (bands - 1) step). The published file of it,
    `mask_3d_shift.mat`, is padded in another way that nobody explains; this is the formula.
    """
    return disperse(tiled(mask, bands)[None], step=step)[0]


def energy(phi: Tensor) -> Tensor:
    """The diagonal of Phi Phi', 1 where no light falls: (bands, rows, columns) -> (rows, columns).

    What a step of projection divides by.
    """
    total = phi.square().sum(0)
    return torch.where(total == 0, torch.ones_like(total), total)


Input = Callable[[Tensor, Tensor, int], Tensor]
"""(snapshots as of `measure`, mask (rows, columns), bands) -> what a network is shown of them,
(batch, bands, rows, columns or wider)."""

INPUTS: Final[Mapping[str, Input]] = {
    "H": lambda measured, mask, bands: shown(measured, bands),
    "HM": lambda measured, mask, bands: masked(measured, mask, bands),
    "Mask": lambda measured, mask, bands: tiled(mask, bands).expand(len(measured), -1, -1, -1),
    "Phi": lambda measured, mask, bands: dispersed(mask, bands).expand(len(measured), -1, -1, -1),
}
"""By the names of published code; bands lie `STEP` pixels apart."""
