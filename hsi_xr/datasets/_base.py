"""The interface of a data set, as training and evaluation use it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hsi_xr.band_grid import Bands

Array = NDArray[np.float32]

COMMON = Bands.regular(400, 700, 10)
"""The band grid of ARAD, CAVE and ICVL."""

Coding = Literal["linear", "srgb"]
"""Tone curve of RGB values: proportional to light, or display-referred (IEC 61966-2-1)."""

Splits = Mapping[str, Sequence[str]]
"""Scene names by split: `train`, `validation` and `test`; a data set may lack some of them."""


@dataclass(frozen=True, eq=False)
class Pair:
    """The hyperspectral cube and the RGB image of a scene, pixel by pixel.

    Attributes:
        name: Name of the scene in the splits.
        cube: (bands, rows, columns) reflectance or radiance, scaled by the data set to about
            [0, 1]; NaN where unknown.
        rgb: (3, rows, columns) in [0, 1], coded as `DataSet.coding` states; NaN where unknown.
    """

    name: str
    cube: Array
    rgb: Array


class DataSet(Protocol):
    """Scenes from one source. Opening a data set reads no pixels."""

    bands: Bands
    """Bands of all cubes."""
    coding: Coding
    """Tone curve of all RGB images."""
    splits: Splits
    """Names of the scenes by split."""

    def read(self, name: str) -> Pair:
        """Read a scene into memory.

        Raises:
            UnknownName: No split contains the scene.
            InvalidData: A file is damaged or does not match the other files of the scene.
            UnreadableFile: A file is missing or cannot be opened.
        """

    def problems(self, *splits: str) -> Sequence[str]:
        """List missing, truncated and mis-shaped files, one line each, from headers alone.

        Args:
            splits: Check the files of these splits; by default check all splits and report extra
                files as well.
        """
