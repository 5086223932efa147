"""The gains of a scene: values, residuals of the points they were fitted to, and attributes."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsi_xr.errors import BandMismatch

SMOOTH = 60.0
"""Default length, in nm, over which the gain changes."""
_PREFIX = "hsi_xr_calibration"
_DIGITS = 6
_TOLERANCE = 1e-3
"""Largest difference, in nm, between two values of the same wavelength."""
_SET_ASIDE = 0.1
"""Weight below which a point is reported as set aside."""


@dataclass(frozen=True, kw_only=True)
class PointResidual:
    """Errors of the estimate at one point, before and after calibration."""

    name: str
    x: float
    y: float
    before: float
    """Mean relative error of the model's estimate."""
    after: float
    """Mean relative error of the calibrated estimate."""
    weight: float
    """Weight of the point in the fit, in [0, 1]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Gains:
    """Factors per band that match the model's estimate to known spectra.

    Attributes:
        wavelengths: Band centres, nm.
        values: Gain of each band.
        points: Residuals at the points that the gains were fitted to.
        method: How the gains were fitted, as text.
        source: Where the known spectra came from.
    """

    wavelengths: tuple[float, ...]
    values: tuple[float, ...]
    points: tuple[PointResidual, ...]
    method: str
    source: str

    @property
    def before(self) -> float:
        """Mean relative error over the points before calibration."""
        return float(np.mean([point.before for point in self.points]))

    @property
    def after(self) -> float:
        """Mean relative error over the points after calibration."""
        return float(np.mean([point.after for point in self.points]))

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of a calibrated cube: text, numbers and lists of numbers."""
        attributes = {
            "": self.method,
            "_source": self.source,
            "_points": len(self.points),
            "_points_set_aside": sum(point.weight < _SET_ASIDE for point in self.points),
            "_error_before": round(self.before, _DIGITS),
            "_error_after": round(self.after, _DIGITS),
            "_wavelengths": list(self.wavelengths),
            "_gains": list(self.values),
        }
        return {_PREFIX + name: value for name, value in attributes.items()}

    def __str__(self) -> str:
        rows = [
            f"{point.name}: {point.before:.1%} -> {point.after:.1%}"
            + (", set aside" if point.weight < _SET_ASIDE else "")
            for point in self.points
        ]
        pairs = zip(self.wavelengths, self.values)
        bands = ", ".join(f"{gain:.3f} at {nm:g} nm" for nm, gain in pairs)
        head = fill(f"{self.method}: {bands}", width=96, subsequent_indent="  ")
        total = [f"all: {self.before:.1%} -> {self.after:.1%}"] if len(rows) > 1 else []
        return "\n".join([head, *rows, *total])


def round_gains(gains: NDArray[np.float64]) -> tuple[float, ...]:
    """Rounds gains to the digits that are recorded, so that recorded and applied gains agree."""
    return tuple(round(float(gain), _DIGITS) for gain in gains)


def applied_gains(
    attrs: Mapping[Hashable, Any], wavelengths: tuple[float, ...]
) -> NDArray[np.float64]:
    """Returns the gains a cube was multiplied by, (bands,); ones if it is not calibrated."""
    if _PREFIX not in attrs:
        return np.ones(len(wavelengths))
    recorded = attrs[f"{_PREFIX}_wavelengths"], attrs[f"{_PREFIX}_gains"]
    return gains_at(wavelengths, *(tuple(np.atleast_1d(values).tolist()) for values in recorded))


def gains_at(
    wavelengths: tuple[float, ...], known: tuple[float, ...], gains: tuple[float, ...]
) -> NDArray[np.float64]:
    """Selects the gains at some of their wavelengths.

    Args:
        wavelengths: (bands,) wavelengths to select, nm.
        known: (n,) wavelengths of the gains, nm.
        gains: (n,) gains.

    Raises:
        BandMismatch: A wavelength has no gain.
    """
    distance = np.abs(np.subtract.outer(wavelengths, known))
    if (distance.min(1) > _TOLERANCE).any():
        missing = wavelengths[int(distance.min(1).argmax())]
        raise BandMismatch(
            f"there are gains for {len(known)} bands from {known[0]:g} to {known[-1]:g} nm, but "
            f"none at {missing:g} nm; calibrate the cube in the bands it was estimated in"
        )
    return np.asarray(gains, np.float64)[distance.argmin(1)]
