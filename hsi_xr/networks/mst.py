"""MST: a spectral-wise transformer that a mask guides, for coded apertures and for RGB.

Source: Cai, Lin, Hu, Wang, Yuan, Zhang, Timofte, Van Gool 2022, "Mask-guided Spectral-wise
Transformer for Efficient Hyperspectral Image Reconstruction" (arXiv:2111.07910); for RGB as in
the benchmark of MST++ (arXiv:2204.07908). Keys and numbers are those of published checkpoints.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from hsi_xr.networks._ladder import Ladder
from hsi_xr.networks._msa import Conv, padded
from hsi_xr.networks._prior import Prior
from hsi_xr.networks.attention import AttentionStatistics, ImageStatistics

Counts = tuple[int, int, int]
"""Blocks at full, half and quarter resolution."""

SIZES: Mapping[str, Counts] = {"S": (2, 2, 2), "M": (2, 4, 4), "L": (4, 7, 5)}

SHIFT = 2
"""Columns by which a disperser moves each band against the one before."""

LEAK = 0.1


class SnapshotMST(Ladder):
    """Coded-aperture snapshot -> cube; 922,648, 1,487,592 or 2,018,156 parameters (S, M, L).

    The mask is sheared as the disperser shears the scene. Its guides are moved back by as much as
    a resolution asks for, which is told from the level; published code tells it from the number of
    rows, and only for 256 of them. Any size is ours, too.
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
        """(batch, bands, rows, columns), (batch or 1, bands, rows, wider) -> as the first.

        Args:
            measurement: The snapshot, shifted back to each band's place ("H").
            mask: The aperture's transmission where each band is seen through it ("Phi"): wider by
                `SHIFT * (bands - 1)` columns.
            attention: None takes those of each image.
            prior: Modulates each block; None leaves the published network.

        Raises:
            ValueError: The mask is not as high, or not as wide, as the measurement asks for.
        """
        rows, columns = measurement.shape[-2:]
        asked = (rows, columns + SHIFT * (measurement.shape[1] - 1))
        if tuple(mask.shape[-2:]) != asked:
            raise ValueError(
                f"the mask must be {asked} for this measurement; got {mask.shape[-2:]}"
            )
        seen = padded(measurement)
        more = (0, seen.shape[3] - columns, 0, seen.shape[2] - rows)
        mask = F.pad(mask, more, mode="reflect").contiguous(memory_format=torch.channels_last)
        h = F.leaky_relu(self.embedding(seen), LEAK)
        h = self.climb(h, attention or ImageStatistics(), prior, mask)
        return h[:, : seen.shape[1], :rows, :columns] + measurement


class MST(Ladder):
    """RGB -> cube. Published as "MST-L": 31 bands, 2,450,978 parameters.

    A second embedding of the RGB is what guides. In a batch, each image has its own; published
    code guides all by that of the first, and so does what `published.load` answers.
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
        """(batch, 3, rows, columns) -> (batch, bands, rows, columns), of any size from 8 on."""
        rows, columns = rgb.shape[-2:]
        seen = padded(rgb)
        mask, h = (F.leaky_relu(each(seen), LEAK) for each in (self.embedding_1, self.embedding_2))
        cube = self.climb(h, attention or ImageStatistics(), prior, mask) + h
        cube = cube[:, : len(self.embedding_2.weight), :rows, :columns]
        return cube.contiguous(memory_format=torch.channels_last)
