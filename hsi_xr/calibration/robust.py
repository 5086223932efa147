"""One gain per band from a few comparisons: the most probable one, robust to bad points.

The logarithm of the gain has a level, about which nothing is assumed, and a deviation from it that
is small and alike in bands that are near. A point differs from the estimate by the gain, and by
what the model misjudges there: a level and a shape of its own. How much, the points tell by their
disagreement; of one it is assumed. So one point gives about a level, many a gain for each band.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

_FREE = 10.0
"""Standard deviation of the level of a gain, in logarithms as all here: as good as unknown."""
_DEVIATION = 0.2
"""Of its deviation from the level."""
_OWN_LEVEL = 0.25
"""Of the level of one point: that of single pixels of real pictures of forest, 0.25 to 0.28."""
_OWN_SHAPE = 0.15
"""Of its shape: 0.03 to 0.13 in the same pictures of one site, more between materials."""
_OWN_LENGTH = 60.0
"""nm over which that shape changes."""
_NOISE = 0.02
"""Of a number by itself."""
_BELIEF = 1.0
"""Points that what is assumed of one point counts for, against what they tell themselves."""
_DARK = 0.005
"""Mean reflectance at which a point counts half: relative errors of black ground are noise."""
_AGREED = 0.1
"""Typical misfit below which no point is called bad."""
_BAD = 4.685
"""Typical misfits from which on a point counts nothing (Beaton and Tukey 1974)."""
_ROUNDS = 200
_SETTLED = 1e-10
"""Change of a logarithm in one round."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """A known spectrum beside the estimated one of the same ground."""

    known: Vector
    """(n,), positive."""
    estimated: Vector
    """(bands,) of the cube, none negative."""
    mixing: Vector
    """(n, bands), what each known number is of the cube's bands: rows sum to one."""

    def misfit(self, log_gain: Vector) -> Vector:
        """(n,), the logarithm of known over estimated and corrected."""
        seen = self.mixing @ (self.estimated * np.exp(log_gain))
        return np.asarray(np.log(self.known) - np.log(seen))

    def error(self, log_gain: Vector) -> float:
        """Mean relative error of what is estimated and corrected."""
        return float(np.abs(np.expm1(-self.misfit(log_gain))).mean())

    def slopes(self, log_gain: Vector) -> Vector:
        """(n, bands), of the logarithm of what is corrected by that of the gain."""
        parts = self.mixing * (self.estimated * np.exp(log_gain))
        return np.asarray(parts / parts.sum(1, keepdims=True))


@dataclass(frozen=True)
class _Spread:
    """Variances of what points have of their own, in units of the assumed ones."""

    level: float
    shape: float


def log_gains(
    points: Sequence[Comparison], wavelengths: Vector, smooth: float
) -> tuple[Vector, Vector]:
    """The most probable gain of each band, in logarithms, and how much each point counted.

    Args:
        points: At least one.
        wavelengths: (bands,) in nm.
        smooth: nm over which the gain changes; infinite for one gain of all bands.

    Returns:
        (bands,), and (points,) in [0, 1].
    """
    prior = _FREE**2 + _DEVIATION**2 * _alike(wavelengths, smooth)
    own = _alike(wavelengths, _OWN_LENGTH)
    flat = np.zeros(len(wavelengths))
    gain = flat + np.median([point.misfit(flat).mean() for point in points])
    for _ in range(_ROUNDS):
        counts, spread = _judged(points, gain)
        shapes = _OWN_LEVEL**2 * spread.level + _OWN_SHAPE**2 * spread.shape * own
        before, gain = gain, _most_probable(points, gain, counts, prior, shapes)
        if np.abs(gain - before).max() < _SETTLED:
            break
    return gain, counts


def _alike(wavelengths: Vector, length: float) -> Vector:
    """(bands, bands) correlations, which fall by e with every length.

    Smoother ones (Gaussians) would blur what models misjudge in few bands: the ends of the range,
    the red edge.
    """
    return np.asarray(np.exp(-np.abs(wavelengths[:, None] - wavelengths[None]) / length))


def _most_probable(
    points: Sequence[Comparison], gain: Vector, counts: Vector, prior: Vector, own: Vector
) -> Vector:
    """One step of Gauss and Newton, exact where each known number is of one band of the cube."""
    bands = len(gain)
    precision, told = np.zeros((bands, bands)), np.zeros(bands)
    for point, count in zip(points, counts):
        slopes = point.slopes(gain)
        noise = slopes @ own @ slopes.T + _NOISE**2 * np.eye(len(slopes))
        trust = count / (1 + (_DARK / point.known.mean()) ** 2)
        weighed = trust * np.linalg.solve(noise, slopes).T
        precision += weighed @ slopes
        told += weighed @ (point.misfit(gain) + slopes @ gain)
    return np.asarray(prior @ np.linalg.solve(np.eye(bands) + precision @ prior, told))


def _judged(points: Sequence[Comparison], gain: Vector) -> tuple[Vector, _Spread]:
    """How much each point counts, and how far those that do are from the gain."""
    misfits = [point.misfit(gain) for point in points]
    typical = np.array([np.sqrt(np.mean(misfit**2)) for misfit in misfits])
    bad = _BAD * max(_AGREED, 1.4826 * float(np.median(typical)))
    counts = np.maximum(1 - (typical / bad) ** 2, 0) ** 2
    levels = np.array([misfit.mean() for misfit in misfits])
    shapes = np.array([misfit.std() for misfit in misfits])
    return counts, _Spread(
        level=_told(levels / _OWN_LEVEL, counts), shape=_told(shapes / _OWN_SHAPE, counts)
    )


def _told(sizes: Vector, counts: Vector) -> float:
    if len(sizes) == 1:  # it cannot disagree
        return 1.0
    others = max(float(counts.sum()) - 1, 0)
    return float((_BELIEF + counts @ sizes**2) / (_BELIEF + others))
