"""MST: a spectral-wise transformer guided by a mask, for coded apertures and for RGB.

Source: Cai, Lin, Hu, Wang, Yuan, Zhang, Timofte, Van Gool 2022, "Mask-guided Spectral-wise
Transformer for Efficient Hyperspectral Image Reconstruction" (arXiv:2111.07910); for RGB as in the
benchmark of MST++ (arXiv:2204.07908). Keys and values are those of the published checkpoints.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from hsi_xr.networks._msa import Conv, pad_to_stride
from hsi_xr.networks._prior import Prior
from hsi_xr.networks._unet import UNet
from hsi_xr.networks.attention import AttentionStatistics, ImageStatistics

Counts = tuple[int, int, int]
"""Blocks at full, half and quarter resolution."""

SIZES: Mapping[str, Counts] = {"S": (2, 2, 2), "M": (2, 4, 4), "L": (4, 7, 5)}

SHIFT = 2
"""Columns by which a disperser shifts each band relative to the one before."""

LEAK = 0.1


class SnapshotMST(UNet):
    """MST for coded-aperture snapshots; 922,648, 1,487,592 or 2,018,156 parameters (S, M, L).

    The mask is sheared as the disperser shears the scene, and its guides are shifted back by the
    amount for their resolution. Published code infers the resolution from the number of rows, and
    only for 256 of them; support for any size is original to this package.

    Args:
        bands: Bands of the output; also the width of the network.
        counts: Blocks per resolution.
    """

    def __init__(self, bands: int = 28, counts: Counts = SIZES["L"]) -> None:
        super().__init__(bands, counts, mask_shift=SHIFT)
        self.embedding = Conv(bands, bands, 3, padding=1, bias=False)

    def forward(
        self,
        measurement: Tensor,
        mask: Tensor,
        *,
        attention: AttentionStatistics | None = None,
        prior: Prior | None = None,
    ) -> Tensor:
        """Reconstructs a cube.

        Args:
            measurement: (batch, bands, rows, columns) snapshot, with each band shifted back ("H").
            mask: (batch or 1, bands, rows, wider) transmission of the aperture, sheared for each
                band ("Phi"): wider by `SHIFT * (bands - 1)` columns.
            attention: Statistics of spectral attention; None computes them from each image.
            prior: Modulates each block; None for the published network.

        Returns:
            (batch, bands, rows, columns).

        Raises:
            ValueError: The mask does not have the size that fits the measurement.
        """
        rows, columns = measurement.shape[-2:]
        expected = (rows, columns + SHIFT * (measurement.shape[1] - 1))
        if tuple(mask.shape[-2:]) != expected:
            raise ValueError(
                f"the mask must be {expected} for this measurement; got {mask.shape[-2:]}"
            )
        padded = pad_to_stride(measurement)
        margin = (0, padded.shape[3] - columns, 0, padded.shape[2] - rows)
        mask = F.pad(mask, margin, mode="reflect").contiguous(memory_format=torch.channels_last)
        h = F.leaky_relu(self.embedding(padded), LEAK)
        h = self.features(h, attention or ImageStatistics(), prior, mask)
        return h[:, : padded.shape[1], :rows, :columns] + measurement


class MST(UNet):
    """MST for RGB. Published as "MST-L" with 31 bands, 2,450,978 parameters.

    A second embedding of the RGB image takes the place of the mask. In a batch, each image has its
    own; published code uses that of the first image for all, and so do the networks of
    `checkpoints.published.load`.

    Args:
        bands: Bands of the output; also the width of the network.
        counts: Blocks per resolution.
    """

    def __init__(self, bands: int = 31, counts: Counts = SIZES["L"]) -> None:
        super().__init__(bands, counts, mask_shift=0)
        self.embedding_1 = Conv(3, bands, 3, padding=1, bias=False)
        self.embedding_2 = Conv(3, bands, 3, padding=1, bias=False)

    def forward(
        self,
        rgb: Tensor,
        *,
        attention: AttentionStatistics | None = None,
        prior: Prior | None = None,
    ) -> Tensor:
        """Reconstructs a cube.

        Args:
            rgb: (batch, 3, rows, columns), at least 8 x 8.
            attention: Statistics of spectral attention; None computes them from each image.
            prior: Modulates each block; None for the published network.

        Returns:
            (batch, bands, rows, columns).
        """
        rows, columns = rgb.shape[-2:]
        image = pad_to_stride(rgb)
        mask, h = (
            F.leaky_relu(embedding(image), LEAK)
            for embedding in (self.embedding_1, self.embedding_2)
        )
        cube = self.features(h, attention or ImageStatistics(), prior, mask) + h
        cube = cube[:, : len(self.embedding_2.weight), :rows, :columns]
        return cube.contiguous(memory_format=torch.channels_last)
