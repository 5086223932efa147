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

_WIDTH = 10.0
"""nm, of bands whose width nobody tells: the step of the public data sets."""
_SIGMAS = 2.3548
"""Full width at half maximum of a Gaussian, in standard deviations."""
_LEAST = 1e-5
"""Weight of a narrow band, over the largest, below which it is not looked at."""
_ROUND = 1e-3
"""nm, of wavelengths that were um in float32."""


@dataclass(frozen=True)
class Bands:
    """Centres, and where known full widths at half maximum, in nm, ascending."""

    centres: tuple[float, ...]
    widths: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not self.centres:
            raise InvalidData("there is no band; give one at least")
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
        """From one band to the next, usually, in nm; infinite for one band."""
        return median(b - a for a, b in pairwise(self.centres)) if len(self) > 1 else inf

    @property
    def extent(self) -> tuple[float, float]:
        """From the lower half maximum of the first band to the upper one of the last, in nm."""
        widths = self.widths or (0.0,) * len(self)
        return self.centres[0] - widths[0] / 2, self.centres[-1] + widths[-1] / 2

    def nearest(self, wavelength: float) -> int:
        """Index of the band whose centre is nearest to a wavelength in nm."""
        return nearest(self.centres, wavelength)


def nearest(centres: Sequence[float], wavelength: float) -> int:
    return min(range(len(centres)), key=lambda i: abs(centres[i] - wavelength))


def resampled(cube: Array, own: Bands, wanted: Bands) -> Array:
    """Numbers at some wavelengths as those of bands: the finer of the two are averaged.

    Args:
        cube: (n, ...).
        own: Its n bands.
        wanted: Those wanted.

    Returns:
        (bands, ...): where `own` are closer together, by the Gaussians of the bands, otherwise by
        lines between them; NaN where they do not reach, or a number that counts is NaN.
    """
    centres = np.array(own.centres)
    if own.step < wanted.step:
        return by_gaussians(cube, centres, wanted)
    return by_lines(cube, centres, wanted)


def by_gaussians(cube: Array, wavelengths: Array, bands: Bands) -> Array:
    """Averages narrow bands with the Gaussian of each wide one.

    Args:
        cube: (n, ...).
        wavelengths: (n,) in nm.
        bands: Those wanted.

    Returns:
        (bands, ...); NaN where the nearest of the n is further than half a width, or a number
        that counts is NaN.
    """
    weights = _weights(wavelengths, bands)
    found = np.full((len(bands), *cube.shape[1:]), np.nan, dtype="float32")
    for band, row in enumerate(weights):
        if (used := np.flatnonzero(row)).size:  # others may be NaN
            found[band] = np.tensordot(row[used] / row.sum(), cube[used], 1)
    return found


def needed(wavelengths: Array, bands: Bands) -> NDArray[np.bool_]:
    """Which of these wavelengths (nm) tell of some band; see `by_gaussians`."""
    return np.asarray(_weights(wavelengths, bands).any(0))


def _weights(wavelengths: Array, bands: Bands) -> NDArray[np.float64]:
    """(bands, n), 0 where negligible and for bands that are not reached."""
    centres = np.array(bands.centres)[:, None]
    widths = np.array(bands.widths or (_WIDTH,) * len(bands))[:, None]
    away = np.abs(wavelengths[None] - centres)
    weights = np.exp(-0.5 * (away / (widths / _SIGMAS)) ** 2)
    weights[weights < _LEAST * weights.max(1, keepdims=True)] = 0
    weights[~reached(wavelengths, bands)] = 0
    return np.asarray(weights)


def reached(wavelengths: Array, bands: Bands) -> NDArray[np.bool_]:
    """Whether one of these wavelengths (nm) lies within the full width of each band."""
    away = np.abs(wavelengths[None] - np.array(bands.centres)[:, None]).min(1)
    reach = np.array(bands.widths or (_WIDTH,) * len(bands)) / 2
    return np.asarray(away <= reach + _ROUND)


def by_lines(cube: Array, centres: Array, bands: Bands) -> Array:
    """Between the two nearest bands; at the same centres the numbers stay as they are.

    Args:
        cube: (n, ...).
        centres: (n,) in nm, ascending.
        bands: Those wanted.

    Returns:
        (bands, ...); NaN beyond the first and the last centre.
    """
    wanted = np.array(bands.centres)
    right = np.searchsorted(centres, wanted).clip(1, len(centres) - 1)
    share = (wanted - centres[right - 1]) / (centres[right] - centres[right - 1])
    share = share.astype("float32").reshape(-1, *(1,) * (cube.ndim - 1))
    found = (1 - share) * cube[right - 1] + share * cube[right]
    for at, band in ((0, right - 1), (1, right)):  # of a neighbour that is NaN, nothing
        found = np.where(share == at, cube[band], found)
    found[(wanted < centres[0]) | (wanted > centres[-1])] = np.nan
    return found.astype("float32")
