"""A known spectrum, and its comparison with the bands of a cube."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.band_grid import Bands, convolve, interpolate
from hsi_xr.errors import InvalidData
from hsi_xr.io.cube import sorted_bands

Vector = NDArray[np.float64]

BRIGHT = 2.0
"""Upper limit of ground reflectance; percent and stored integers exceed it."""
_WIDE = 2.0
"""Width, in widths of the cube's bands, from which a known band averages several of them."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Reflectance over wavelength."""

    bands: Bands
    """Bands of the values; the width is NaN where a value is for a single wavelength."""
    values: Vector
    """(bands,) positive reflectance; NaN where unknown."""

    @classmethod
    def parse(cls, array: xr.DataArray, name: str) -> "Spectrum":
        """Parses an array over `wavelength`, with the coordinate `fwhm` if its bands are wide.

        Args:
            array: Reflectance in [0, 1] over `wavelength` in nm.
            name: Name of the spectrum in messages.

        Raises:
            InvalidData: The array is not a spectrum of reflectance in [0, 1].
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

    def compare_with(self, cube: Bands) -> tuple[Vector, Vector]:
        """Returns known values (n,) comparable with a cube, and its band weights (n, bands).

        A spectrum finer than the cube is averaged over the cube's bands. Otherwise a wide known
        band averages the cube's bands by its Gaussian, and a narrow one is interpolated between
        two of them.
        """
        if self.bands.step < cube.step:
            # as a column: convolve averages over the first axis
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
        raise InvalidData(f"the spectrum of {name} has no values; remove the point")
    if (highest := np.nanmax(values)) > BRIGHT:
        raise InvalidData(
            f"the spectrum of {name} reaches {highest:g}, but a white reflector is 1; give the "
            "factor to [0, 1], e.g. scale=0.01 (--known-scale 0.01) for percent"
        )
    if (lowest := np.nanmin(values)) <= 0:
        at = bands.centres[int(np.nanargmin(values))]
        raise InvalidData(
            f"the spectrum of {name} is {lowest:g} at {at:g} nm, but reflectance must be positive; "
            "set that value to NaN (an empty cell), or remove the point"
        )


def _mixing(known: Bands, cube: Bands) -> Vector:
    """Returns (known, bands) weights; NaN for known bands that the cube does not cover."""
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
