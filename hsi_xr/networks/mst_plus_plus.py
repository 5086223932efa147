"""MST++: three spectral-wise transformers in a row, for RGB and for coded apertures.

Source: Cai, Lin, Lin, Wang, Zhang, Pfister, Timofte, Van Gool 2022, "MST++: Multi-stage
Spectral-wise Transformer for Efficient Spectral Reconstruction" (arXiv:2204.07908). Keys and
numbers are those of the published checkpoints.
"""

import torch
from torch import Tensor, nn

from hsi_xr.networks._ladder import Ladder
from hsi_xr.networks._msa import Conv, padded
from hsi_xr.networks._prior import Prior
from hsi_xr.networks.attention import AttentionStatistics, ImageStatistics

BLOCKS = 5
"""Blocks of a stage: one per resolution, down and up again."""


class Stage(Ladder):
    """SST, a single-stage spectral-wise transformer."""

    def __init__(self, width: int, *, first: int) -> None:
        super().__init__(width, (1, 1, 1), first=first)
        self.embedding = Conv(width, width, 3, padding=1, bias=False)

    def forward(self, x: Tensor, attention: AttentionStatistics, prior: Prior | None) -> Tensor:
        return self.climb(self.embedding(x), attention, prior) + x


class MSTPlusPlus(nn.Module):
    """RGB -> cube. Published: 31 bands, 1,619,625 parameters, shown sRGB over [0, 1] by image.

    Args:
        bands: Of the answer; also the width of the network.
        stages: Transformers in a row.
        seen: Channels of the image that it reads.
    """

    def __init__(self, bands: int = 31, stages: int = 3, *, seen: int = 3) -> None:
        super().__init__()
        self.conv_in = Conv(seen, bands, 3, padding=1, bias=False)
        self.body = nn.ModuleList([Stage(bands, first=BLOCKS * i) for i in range(stages)])
        self.conv_out = Conv(bands, bands, 3, padding=1, bias=False)

    def forward(
        self,
        rgb: Tensor,
        *,
        attention: AttentionStatistics | None = None,
        prior: Prior | None = None,
    ) -> Tensor:
        """(batch, seen, rows, columns) -> (batch, bands, rows, columns), of any size from 8 on."""
        attention = attention or ImageStatistics()
        rows, columns = rgb.shape[-2:]
        h = first = self.conv_in(padded(rgb))
        for stage in self.body:
            h = stage(h, attention, prior)
        cube = (self.conv_out(h) + first)[:, : len(self.conv_out.weight)]
        return cube[..., :rows, :columns].contiguous(memory_format=torch.channels_last)


class SnapshotMSTPlusPlus(MSTPlusPlus):
    """Coded-aperture snapshot -> cube. Published: 28 bands, 1,333,950 parameters."""

    def __init__(self, bands: int = 28, stages: int = 3) -> None:
        super().__init__(bands, stages, seen=bands)
        self.fution = nn.Conv2d(2 * bands, bands, 1)  # sic: the key of published checkpoints

    def forward(  # type: ignore[override]  # reads another instrument
        self,
        measurement: Tensor,
        mask: Tensor,
        *,
        attention: AttentionStatistics | None = None,
        prior: Prior | None = None,
    ) -> Tensor:
        """Both (batch, bands, rows, columns), the mask also of batch 1 -> the same.

        Args:
            measurement: The snapshot, shifted back to each band's place ("H").
            mask: The aperture's transmission at each band's place.
        """
        both = torch.cat([measurement, mask.expand_as(measurement)], dim=1)
        return super().forward(self.fution(both), attention=attention, prior=prior)
