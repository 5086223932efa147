"""The gains of a scene: what they are, by which points, and how they are recorded."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsi_xr.errors import BandMismatch

_PREFIX = "hsi_xr_calibration"
_DIGITS = 6
_SAME = 1e-3
"""nm between two tellings of one wavelength."""
_ASIDE = 0.1
"""How much a point counts that is set aside, at most."""


@dataclass(frozen=True, kw_only=True)
class PointResidual:
    """What became of a point."""

    name: str
    x: float
    y: float
    before: float
    """Mean relative error of the estimate there."""
    after: float
    """The same of the calibrated one."""
    count: float
    """How much it counted, in [0, 1]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Gains:
    """Factors of a scene's bands, to be multiplied with what the model estimated."""

    wavelengths: tuple[float, ...]
    """nm."""
    values: tuple[float, ...]
    points: tuple[PointResidual, ...]
    method: str
    source: str

    @property
    def before(self) -> float:
        """Mean relative error over the points, as the model estimated them."""
        return float(np.mean([point.before for point in self.points]))

    @property
    def after(self) -> float:
        """The same when calibrated."""
        return float(np.mean([point.after for point in self.points]))

    @property
    def attributes(self) -> dict[str, Any]:
        """What a calibrated cube says of itself."""
        facts = {
            "": self.method,
            "_source": self.source,
            "_points": len(self.points),
            "_points_set_aside": sum(point.count < _ASIDE for point in self.points),
            "_error_before": round(self.before, _DIGITS),
            "_error_after": round(self.after, _DIGITS),
            "_wavelengths": list(self.wavelengths),
            "_gains": list(self.values),
        }
        return {_PREFIX + name: value for name, value in facts.items()}

    def __str__(self) -> str:
        rows = [
            f"{point.name}: {point.before:.1%} -> {point.after:.1%}"
            + (", set aside" if point.count < _ASIDE else "")
            for point in self.points
        ]
        pairs = zip(self.wavelengths, self.values)
        bands = ", ".join(f"{gain:.3f} at {nm:g} nm" for nm, gain in pairs)
        head = fill(f"{self.method}: {bands}", width=96, subsequent_indent="  ")
        total = [f"all: {self.before:.1%} -> {self.after:.1%}"] if len(rows) > 1 else []
        return "\n".join([head, *rows, *total])


def rounded(gains: NDArray[np.float64]) -> tuple[float, ...]:
    """As they are recorded, and applied."""
    return tuple(round(float(gain), _DIGITS) for gain in gains)


def applied(attrs: Mapping[Hashable, Any], wavelengths: tuple[float, ...]) -> NDArray[np.float64]:
    """The gains that are in a cube's numbers already, (bands,); ones if it is not calibrated."""
    if _PREFIX not in attrs:
        return np.ones(len(wavelengths))
    told = attrs[f"{_PREFIX}_wavelengths"], attrs[f"{_PREFIX}_gains"]
    return gains_at(wavelengths, *(tuple(np.atleast_1d(values).tolist()) for values in told))


def gains_at(
    wavelengths: tuple[float, ...], told: tuple[float, ...], gains: tuple[float, ...]
) -> NDArray[np.float64]:
    """The gains at some of the wavelengths that they are told for.

    Raises:
        BandMismatch: A wavelength is not among them.
    """
    away = np.abs(np.subtract.outer(wavelengths, told))
    if (away.min(1) > _SAME).any():
        missing = wavelengths[int(away.min(1).argmax())]
        raise BandMismatch(
            f"the gains are for {len(told)} bands from {told[0]:g} to {told[-1]:g} nm, and none is "
            f"at {missing:g} nm; calibrate the cube with the bands that it was estimated in"
        )
    return np.asarray(gains, np.float64)[away.argmin(1)]
