"""A known spectrum, and what its numbers are of the bands of a cube."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.band_grid import Bands, convolve, interpolate
from hsi_xr.errors import InvalidData
from hsi_xr.io.cube import sorted_bands

Vector = NDArray[np.float64]

BRIGHT = 2.0
"""No reflectance of ground; percent and stored integers are above."""
_WIDE = 2.0
"""Widths of the cube's bands from which on a band sees several of them."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Reflectance by wavelength."""

    bands: Bands
    """Widths are NaN where a number is that of one wavelength."""
    values: Vector
    """(bands,), positive; NaN where not known."""

    @classmethod
    def of(cls, array: xr.DataArray, name: str) -> "Spectrum":
        """Of an array over `wavelength`, with `fwhm` where its numbers are of wide bands.

        Raises:
            InvalidData: It is no spectrum of reflectance in [0, 1].
        """
        if array.dims != ("wavelength",) or "wavelength" not in array.coords or not array.size:
            raise InvalidData(
                f"the spectrum of {name} has dimensions {', '.join(map(str, array.dims))}; give "
                "an array over the coordinate `wavelength` in nm, e.g. "
                "xr.DataArray(values, {'wavelength': nm}, 'wavelength')"
            )
        bands, order = sorted_bands(array, name)
        values = np.asarray(array.values, np.float64)[order]
        _check(values, bands, name)
        return cls(bands, values)

    def beside(self, cube: Bands) -> tuple[Vector, Vector]:
        """Known numbers (n,) that a cube can be compared with, and its share in each, (n, bands).

        A spectrum that is finer than the cube is averaged by the cube's bands. Otherwise a wide
        band averages the cube's by its Gaussian, and a narrow one lies between two of them.
        """
        if self.bands.step < cube.step:
            # a column: its mean is written in place
            known = convolve(
                self.values[:, None].astype("float32"),
                np.array(self.bands.centres, "float32"),
                cube,
            )[:, 0].astype(np.float64)
            mixing = np.eye(len(cube))
        else:
            known, mixing = self.values, _mixing(self.bands, cube)
        usable = np.isfinite(known) & np.isfinite(mixing).all(1)
        return known[usable], mixing[usable]


def _check(values: Vector, bands: Bands, name: str) -> None:
    if not np.isfinite(values).any():
        raise InvalidData(f"the spectrum of {name} has no numbers; leave the point out")
    if (highest := np.nanmax(values)) > BRIGHT:
        raise InvalidData(
            f"the spectrum of {name} reaches {highest:g}, and a white reflector is 1; give the "
            "scale that brings it to [0, 1], scale=0.01 (--known-scale 0.01) for percent"
        )
    if (lowest := np.nanmin(values)) <= 0:
        at = bands.centres[int(np.nanargmin(values))]
        raise InvalidData(
            f"the spectrum of {name} is {lowest:g} at {at:g} nm, and nothing reflects less than "
            "nothing; leave that number empty (NaN), or the point out"
        )


def _mixing(known: Bands, cube: Bands) -> Vector:
    """(known, bands), NaN for what the cube does not reach."""
    centres, every = np.array(cube.centres, "float32"), np.eye(len(cube), dtype="float32")
    mixing = interpolate(every, centres, known).astype(np.float64)
    own, widths = np.array(cube.widths), np.array(known.widths)
    wide = widths >= _WIDE * np.median(own)
    if wide.any():
        middle, half = np.array(known.centres), widths / 2
        first, last = cube.centres[0] - own[0] / 2, cube.centres[-1] + own[-1] / 2
        covered = (middle - half >= first) & (middle + half <= last)
        mixing[wide] = convolve(every, centres, known)[wide]
        mixing[wide & ~covered] = np.nan
    return np.asarray(mixing / mixing.sum(1, keepdims=True))
