"""JPEG compression as it affects pixels, without a file."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_LUMINANCE = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
_CHROMINANCE = torch.tensor(
    [
        [17, 18, 24, 47, 99, 99, 99, 99],
        [18, 21, 26, 66, 99, 99, 99, 99],
        [24, 26, 56, 99, 99, 99, 99, 99],
        [47, 66, 99, 99, 99, 99, 99, 99],
        *[[99] * 8] * 4,
    ]
)
"""Quantisation tables of ITU-T T.81, K.1 and K.2."""

_TO_YCC = torch.tensor(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
)
"""RGB to luminance and chrominance (ITU-T T.871)."""


def compress(image: Tensor, *, quality: int, coarse_colours: bool = False) -> Tensor:
    """Returns an image after JPEG compression.

    Args:
        image: (3, rows, columns), values from 0 to 255.
        quality: As in libjpeg, 1 to 100.
        coarse_colours: Colours are stored at half the resolution (4:2:0), not at the full one.

    Source: ITU-T T.81 and T.871; the tables are scaled by the quality as in libjpeg.
    """
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    tables = torch.stack([_LUMINANCE, _CHROMINANCE, _CHROMINANCE])
    tables = ((tables * scale + 50) / 100).floor().clamp(1, 255)
    ycc = torch.einsum("dc,chw->dhw", _TO_YCC, image - 128)  # white minus 128 in luminance
    if coarse_colours:
        rows, columns = image.shape[1:]
        colours = F.pad(ycc[None, 1:], (0, columns % 2, 0, rows % 2), mode="replicate")
        colours = _quantise(F.avg_pool2d(colours, 2)[0], tables[1:])
        colours = F.interpolate(colours[None], scale_factor=2.0, mode="bilinear")[0]
        decoded = torch.cat([_quantise(ycc[:1], tables[:1]), colours[:, :rows, :columns]])
    else:
        decoded = _quantise(ycc, tables)
    return (torch.einsum("cd,dhw->chw", torch.linalg.inv(_TO_YCC), decoded) + 128).clamp(0, 255)


def _quantise(planes: Tensor, tables: Tensor) -> Tensor:
    """Quantises the cosine transform of blocks of (planes, rows, columns) by (planes, 8, 8)."""
    _, rows, columns = planes.shape
    padded = F.pad(planes[None], (0, -columns % 8, 0, -rows % 8), mode="replicate")
    blocks = F.unfold(padded.transpose(0, 1), 8, stride=8).transpose(1, 2).unflatten(2, (8, 8))
    cosines, table = _cosine_basis(), tables[:, None]
    quantised = (cosines @ blocks @ cosines.T / table).round() * table
    flat = (cosines.T @ quantised @ cosines).flatten(2).transpose(1, 2)
    return F.fold(flat, padded.shape[-2:], 8, stride=8)[:, 0, :rows, :columns]


def _cosine_basis() -> Tensor:
    """The matrix of the discrete cosine transform of eight values."""
    order = torch.arange(8)
    cosines = ((2 * order + 1) * order[:, None] * math.pi / 16).cos() / 2
    cosines[0] /= 2**0.5
    return cosines
