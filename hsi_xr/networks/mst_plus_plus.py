"""MST++: three spectral-wise transformers in a row, for RGB and for coded apertures.

Source: Cai, Lin, Lin, Wang, Zhang, Pfister, Timofte, Van Gool 2022, "MST++: Multi-stage
Spectral-wise Transformer for Efficient Spectral Reconstruction" (arXiv:2204.07908). Keys and values
are those of the published checkpoints.
"""

import torch
from torch import Tensor, nn

from hsi_xr.networks._msa import Conv, pad_to_stride
from hsi_xr.networks._prior import Prior
from hsi_xr.networks._unet import UNet
from hsi_xr.networks.attention import AttentionStatistics, ImageStatistics

BLOCKS = 5
"""Blocks of a stage: one per resolution in encoder, bottleneck and decoder."""


class Stage(UNet):
    """SST, a single-stage spectral-wise transformer."""

    def __init__(self, width: int, *, first: int) -> None:
        super().__init__(width, (1, 1, 1), first=first)
        self.embedding = Conv(width, width, 3, padding=1, bias=False)

    def forward(self, x: Tensor, attention: AttentionStatistics, prior: Prior | None) -> Tensor:
        return self.features(self.embedding(x), attention, prior) + x


class MSTPlusPlus(nn.Module):
    """MST++ for RGB. Published with 31 bands, 1,619,625 parameters; its input is sRGB in [0, 1].

    Args:
        bands: Bands of the output; also the width of the network.
        stages: Transformers in a row.
        channels: Channels of the input image.
    """

    def __init__(self, bands: int = 31, stages: int = 3, *, channels: int = 3) -> None:
        super().__init__()
        self.conv_in = Conv(channels, bands, 3, padding=1, bias=False)
        self.body = nn.ModuleList([Stage(bands, first=BLOCKS * i) for i in range(stages)])
        self.conv_out = Conv(bands, bands, 3, padding=1, bias=False)

    def forward(
        self,
        rgb: Tensor,
        *,
        attention: AttentionStatistics | None = None,
        prior: Prior | None = None,
    ) -> Tensor:
        """Reconstructs a cube.

        Args:
            rgb: (batch, channels, rows, columns), at least 8 x 8.
            attention: Statistics of spectral attention; None computes them from each image.
            prior: Modulates each block; None for the published network.

        Returns:
            (batch, bands, rows, columns).
        """
        attention = attention or ImageStatistics()
        rows, columns = rgb.shape[-2:]
        h = first = self.conv_in(pad_to_stride(rgb))
        for stage in self.body:
            h = stage(h, attention, prior)
        cube = (self.conv_out(h) + first)[:, : len(self.conv_out.weight)]
        return cube[..., :rows, :columns].contiguous(memory_format=torch.channels_last)


class SnapshotMSTPlusPlus(MSTPlusPlus):
    """MST++ for coded-aperture snapshots. Published with 28 bands, 1,333,950 parameters.

    Args:
        bands: Bands of the output; also the width of the network.
        stages: Transformers in a row.
    """

    def __init__(self, bands: int = 28, stages: int = 3) -> None:
        super().__init__(bands, stages, channels=bands)
        self.fution = nn.Conv2d(2 * bands, bands, 1)  # sic: the key of published checkpoints

    def forward(  # type: ignore[override]  # reads another instrument
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
            mask: (batch or 1, bands, rows, columns) transmission of the aperture for each band.
            attention: Statistics of spectral attention; None computes them from each image.
            prior: Modulates each block; None for the published network.

        Returns:
            (batch, bands, rows, columns).
        """
        both = torch.cat([measurement, mask.expand_as(measurement)], dim=1)
        return super().forward(self.fution(both), attention=attention, prior=prior)
