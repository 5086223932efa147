"""Band grids, and resampling from one to another. All wavelengths are in nanometres."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from statistics import median

import numpy as np
from numpy.typing import NDArray

from hsi_xr.errors import InvalidData

Array = NDArray[np.float32]

_DEFAULT_WIDTH = 10.0
"""nm, assumed for bands of unknown width: the step of the public data sets."""
_FWHM_PER_SIGMA = 2.3548
_NEGLIGIBLE = 1e-5
"""Weight, as a share of the largest, below which a narrow band is ignored."""
_ROUNDING = 1e-3
"""nm, rounding error of wavelengths that were stored in um as float32."""


@dataclass(frozen=True)
class Bands:
    """Centre wavelengths in nm, ascending, and full widths at half maximum where known."""

    centres: tuple[float, ...]
    widths: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not self.centres:
            raise InvalidData("a band grid needs at least one band")
        if any(b <= a for a, b in zip(self.centres, self.centres[1:])) or min(self.centres) <= 0:
            raise InvalidData(f"band centres must be positive and ascending; got {self.centres}")
        if self.widths is not None and len(self.widths) != len(self.centres):
            raise InvalidData(
                f"{len(self.centres)} band centres need as many widths; got {len(self.widths)}"
            )

    def __len__(self) -> int:
        return len(self.centres)

    @classmethod
    def regular(cls, first: float, last: float, step: float) -> "Bands":
        """Evenly spaced bands as wide as their step: `Bands.regular(400, 700, 10)` has 31."""
        count = round((last - first) / step) + 1
        return cls(tuple(first + step * i for i in range(count)), (float(step),) * count)

    @property
    def step(self) -> float:
        """Median distance between neighbouring centres in nm; infinite for a single band."""
        return median(b - a for a, b in pairwise(self.centres)) if len(self) > 1 else inf

    @property
    def extent(self) -> tuple[float, float]:
        """Lower half-maximum wavelength of the first band and upper one of the last, in nm."""
        widths = self.widths or (0.0,) * len(self)
        return self.centres[0] - widths[0] / 2, self.centres[-1] + widths[-1] / 2

    def nearest(self, wavelength: float) -> int:
        """Returns the index of the band whose centre is nearest to a wavelength in nm."""
        return nearest(self.centres, wavelength)


def nearest(centres: Sequence[float], wavelength: float) -> int:
    """Returns the index of the centre that is nearest to a wavelength."""
    return min(range(len(centres)), key=lambda i: abs(centres[i] - wavelength))


def resample(cube: Array, source: Bands, target: Bands) -> Array:
    """Resamples a cube from one band grid to another.

    Args:
        cube: (n, ...) values.
        source: The n bands of the cube.
        target: The bands of the result.

    Returns:
        (target bands, ...) values: `convolve` where the source bands are closer together than the
        target bands, otherwise `interpolate`.
    """
    centres = np.array(source.centres)
    if source.step < target.step:
        return convolve(cube, centres, target)
    return interpolate(cube, centres, target)


def convolve(cube: Array, wavelengths: Array, bands: Bands) -> Array:
    """Averages narrow bands, weighted by the Gaussian response of each wide band.

    Args:
        cube: (n, ...) values of narrow bands.
        wavelengths: (n,) their wavelengths in nm.
        bands: The wide bands.

    Returns:
        (bands, ...) averages; NaN where no wavelength is within half the width of a band's centre,
        or where a value that contributes is NaN.
    """
    averages = np.full((len(bands), *cube.shape[1:]), np.nan, dtype="float32")
    for band, weights in enumerate(_weights(wavelengths, bands)):
        if (used := np.flatnonzero(weights)).size:  # the others may be NaN
            averages[band] = np.tensordot(weights[used] / weights.sum(), cube[used], 1)
    return averages


def contributing(wavelengths: Array, bands: Bands) -> NDArray[np.bool_]:
    """Returns a mask of the wavelengths (nm) that contribute to any band; see `convolve`."""
    return np.asarray(_weights(wavelengths, bands).any(0))


def _weights(wavelengths: Array, bands: Bands) -> NDArray[np.float64]:
    """Returns (bands, n) weights; 0 where negligible, and for bands that are not covered."""
    centres = np.array(bands.centres)[:, None]
    widths = np.array(bands.widths or (_DEFAULT_WIDTH,) * len(bands))[:, None]
    distance = np.abs(wavelengths[None] - centres)
    weights = np.exp(-0.5 * (distance / (widths / _FWHM_PER_SIGMA)) ** 2)
    weights[weights < _NEGLIGIBLE * weights.max(1, keepdims=True)] = 0
    weights[~covered(wavelengths, bands)] = 0
    return np.asarray(weights)


def covered(wavelengths: Array, bands: Bands) -> NDArray[np.bool_]:
    """Returns a mask of the bands that have a wavelength (nm) within their full width."""
    distance = np.abs(wavelengths[None] - np.array(bands.centres)[:, None]).min(1)
    half_width = np.array(bands.widths or (_DEFAULT_WIDTH,) * len(bands)) / 2
    return np.asarray(distance <= half_width + _ROUNDING)


def interpolate(cube: Array, centres: Array, bands: Bands) -> Array:
    """Interpolates a cube linearly at the centres of bands; equal centres keep their values.

    Args:
        cube: (n, ...) values.
        centres: (n,) their wavelengths in nm, ascending.
        bands: The bands of the result.

    Returns:
        (bands, ...) values; NaN beyond the first and the last centre.
    """
    wanted = np.array(bands.centres)
    right = np.searchsorted(centres, wanted).clip(1, len(centres) - 1)
    share = (wanted - centres[right - 1]) / (centres[right] - centres[right - 1])
    share = share.astype("float32").reshape(-1, *(1,) * (cube.ndim - 1))
    values = (1 - share) * cube[right - 1] + share * cube[right]
    for at, band in ((0, right - 1), (1, right)):  # a NaN times 0 would be NaN
        values = np.where(share == at, cube[band], values)
    values[(wanted < centres[0]) | (wanted > centres[-1])] = np.nan
    return values.astype("float32")
