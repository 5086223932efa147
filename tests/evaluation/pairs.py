"""A small data set in memory, for tests of evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hsi_xr.band_grid import Bands
from hsi_xr.datasets._base import Coding, Pair


@dataclass
class Pairs:
    """Smooth spectra, brighter to the east, and RGB images of them from three broad channels."""

    bands: Bands = field(default_factory=lambda: Bands.regular(400, 700, 10))
    coding: Coding = "linear"
    splits: Mapping[str, Sequence[str]] = field(
        default_factory=lambda: {"train": ["a"], "test": ["b", "c"]}
    )
    shape: tuple[int, int] = (40, 53)
    reads: list[str] = field(default_factory=list)
    file_problems: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Lines that `problems` returns, by split."""

    def read(self, name: str) -> Pair:
        self.reads.append(name)
        nm = np.array(self.bands.centres)[:, None, None]
        rng = np.random.default_rng(ord(name))
        rows, columns = self.shape
        peaks = rng.uniform(420, 680, (rows // 8 + 1, columns // 8 + 1))
        peaks = peaks.repeat(8, axis=0).repeat(8, axis=1)[:rows, :columns]
        cube = (0.1 + 0.6 * np.exp(-(((nm - peaks) / 60) ** 2))) * np.linspace(0.4, 1, columns)
        curves = np.exp(-(((nm[:, 0, 0] - np.array([[610], [540], [460]])) / 40) ** 2))
        rgb = np.tensordot(curves / curves.sum(1, keepdims=True), cube, axes=1)
        return Pair(name, cube.astype("float32"), rgb.astype("float32"))

    def problems(self, *splits: str) -> Sequence[str]:
        return [
            line for split in splits or self.splits for line in self.file_problems.get(split, ())
        ]
