"""What training and evaluation ask of a data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hsi_xr.band_grid import Bands

Array = NDArray[np.float32]

COMMON = Bands.regular(400, 700, 10)
"""The grid of ARAD, CAVE and ICVL."""

Coding = Literal["linear", "srgb"]

Splits = Mapping[str, Sequence[str]]
"""`train`, `validation`, `test` -> names of scenes; a data set may lack some."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A scene seen twice, on one grid.

    Attributes:
        name: As in the splits.
        cube: (bands, rows, columns) reflectance or radiance as the data set scales it, about
            [0, 1]; NaN where it is not known.
        rgb: (3, rows, columns) in [0, 1], as the data set's `coding` says; NaN where the ground is
            unknown.
    """

    name: str
    cube: Array
    rgb: Array


class DataSet(Protocol):
    """Scenes of one origin. Opening one reads no pixel."""

    bands: Bands
    coding: Coding
    """What the numbers of pictures are."""
    splits: Splits

    def read(self, name: str) -> Pair:
        """A scene by its name."""

    def problems(self, *splits: str) -> Sequence[str]:
        """What is missing, truncated or mis-shaped, a line each; reads headers alone.

        Of the files of these splits; where none is named of all, and what is extra as well.
        """
