"""Robust estimation of one gain per band from a few comparisons.

The logarithm of the gain is a level, for which nothing is assumed, plus a small deviation that is
correlated between neighbouring bands. At each point, known and estimated spectrum differ by the
gain and by the model's own error there, which has a level and a shape. The size of these errors is
estimated from the disagreement of the points; for a single point it is assumed. One point thus
determines little more than a level, many points a gain for each band.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

_LEVEL = 10.0
"""Prior standard deviation of the level of the log gain: practically unknown."""
_DEVIATION = 0.2
"""Prior standard deviation of the log gain about its level."""
_POINT_LEVEL = 0.25
"""Standard deviation of the model's log error in level at one point; 0.25 to 0.28 for single pixels
of real images of forest."""
_POINT_SHAPE = 0.15
"""Standard deviation of the model's log error in shape at one point; 0.03 to 0.13 in the same
images of one site, more between materials."""
_POINT_LENGTH = 60.0
"""Length, in nm, over which that shape changes."""
_NOISE = 0.02
"""Relative standard deviation of the noise of a known value."""
_PRIOR_POINTS = 1.0
"""Weight of the assumed error against the observed ones, as a number of points."""
_DARK = 0.005
"""Mean reflectance at which a point gets half weight: relative errors of black ground are noise."""
_INDEPENDENT = 10
"""Most log ratios of one scene that count as independent: neighbouring ground is alike, as are the
light and the haze over a scene."""
_AGREEMENT = 0.1
"""Typical misfit below which no point is an outlier."""
_CUTOFF = 4.685
"""Cutoff of the biweight in typical misfits (Beaton and Tukey 1974)."""
_ITERATIONS = 200
_TOLERANCE = 1e-10
"""Change of the log gain in one iteration at which the fit has converged."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """A known spectrum and the estimated spectrum of the same ground."""

    known: Vector
    """(n,) known values, positive."""
    estimated: Vector
    """(bands,) estimate of the cube, non-negative."""
    mixing: Vector
    """(n, bands) weights of the cube's bands in each known value; rows sum to one."""

    def misfit(self, log_gain: Vector) -> Vector:
        """Returns the logarithm of known over corrected values, (n,)."""
        corrected = self.mixing @ (self.estimated * np.exp(log_gain))
        return np.asarray(np.log(self.known) - np.log(corrected))

    def error(self, log_gain: Vector) -> float:
        """Returns the mean relative error of the corrected values."""
        return float(np.abs(np.expm1(-self.misfit(log_gain))).mean())

    def slopes(self, log_gain: Vector) -> Vector:
        """Returns the derivatives of the log corrected values with respect to the log gains."""
        parts = self.mixing * (self.estimated * np.exp(log_gain))
        return np.asarray(parts / parts.sum(1, keepdims=True))


@dataclass(frozen=True)
class _Variances:
    """Variances of the points' own errors, in units of the assumed variances."""

    level: float
    shape: float


def fit_log_gains(
    points: Sequence[Comparison], wavelengths: Vector, smooth: float
) -> tuple[Vector, Vector]:
    """Estimates the most probable log gain of each band.

    Args:
        points: At least one comparison.
        wavelengths: (bands,) in nm.
        smooth: Length in nm over which the gain changes; infinite for one gain for all bands.

    Returns:
        (bands,) log gains, and (points,) weights in [0, 1].
    """
    prior = _LEVEL**2 + _DEVIATION**2 * _correlation(wavelengths, smooth)
    own = _correlation(wavelengths, _POINT_LENGTH)
    flat = np.zeros(len(wavelengths))
    gain = flat + np.median([point.misfit(flat).mean() for point in points])
    for _ in range(_ITERATIONS):
        weights, variances = _weigh(points, gain)
        shapes = _POINT_LEVEL**2 * variances.level + _POINT_SHAPE**2 * variances.shape * own
        before, gain = gain, _gauss_newton_step(points, gain, weights, prior, shapes)
        if np.abs(gain - before).max() < _TOLERANCE:
            break
    return gain, weights


def _correlation(wavelengths: Vector, length: float) -> Vector:
    """Returns exponential correlations, (bands, bands).

    Smoother ones (Gaussians) would blur errors that models make in few bands: at the ends of the
    range and at the red edge.
    """
    return np.asarray(np.exp(-np.abs(wavelengths[:, None] - wavelengths[None]) / length))


def _gauss_newton_step(
    points: Sequence[Comparison], gain: Vector, weights: Vector, prior: Vector, own: Vector
) -> Vector:
    """Takes one Gauss-Newton step; exact where each known value is of one band of the cube."""
    bands = len(gain)
    precision, evidence = np.zeros((bands, bands)), np.zeros(bands)
    for point, weight in zip(points, weights):
        slopes = point.slopes(gain)
        noise = slopes @ own @ slopes.T + _NOISE**2 * np.eye(len(slopes))
        trust = weight / (1 + (_DARK / point.known.mean()) ** 2)
        weighted = trust * np.linalg.solve(noise, slopes).T
        precision += weighted @ slopes
        evidence += weighted @ (point.misfit(gain) + slopes @ gain)
    return np.asarray(prior @ np.linalg.solve(np.eye(bands) + precision @ prior, evidence))


def _weigh(points: Sequence[Comparison], gain: Vector) -> tuple[Vector, _Variances]:
    """Returns the biweight of each point, and the variances of the weighted points' errors."""
    misfits = [point.misfit(gain) for point in points]
    typical = np.array([np.sqrt(np.mean(misfit**2)) for misfit in misfits])
    cutoff = _CUTOFF * max(_AGREEMENT, 1.4826 * float(np.median(typical)))
    weights = np.maximum(1 - (typical / cutoff) ** 2, 0) ** 2
    levels = np.array([misfit.mean() for misfit in misfits])
    shapes = np.array([misfit.std() for misfit in misfits])
    return weights, _Variances(
        level=_variance(levels / _POINT_LEVEL, weights),
        shape=_variance(shapes / _POINT_SHAPE, weights),
    )


def _variance(sizes: Vector, weights: Vector) -> float:
    if len(sizes) == 1:  # a single point cannot disagree
        return 1.0
    others = max(float(weights.sum()) - 1, 0)
    return float((_PRIOR_POINTS + weights @ sizes**2) / (_PRIOR_POINTS + others))


def fit_log_level(ratios: Vector, weights: Vector) -> tuple[float, float]:
    """Estimates the level of log ratios by a biweight about their median.

    Args:
        ratios: (n,) logarithms of ratios, at least one.
        weights: (n,) positive weights of at most 1, such as the valid share of each place.

    Returns:
        The level, and its standard deviation.
    """
    level = _weighted_median(ratios, weights)
    for _ in range(_ITERATIONS):
        distance = np.abs(ratios - level)
        cutoff = _CUTOFF * max(_AGREEMENT, 1.4826 * _weighted_median(distance, weights))
        trust = weights * np.maximum(1 - (distance / cutoff) ** 2, 0) ** 2
        before, level = level, float(trust @ ratios / trust.sum())
        if abs(level - before) < _TOLERANCE:
            break
    sizes = _PRIOR_POINTS * _POINT_LEVEL**2 + float(trust @ (ratios - level) ** 2)
    variance = sizes / (_PRIOR_POINTS + float(trust.sum()))
    return level, float(np.sqrt(variance / min(len(ratios), _INDEPENDENT)))


def _weighted_median(values: Vector, weights: Vector) -> float:
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, below[-1] / 2)])
