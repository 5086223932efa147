"""Scores of a reconstructed cube against the true one, with definition and source.

Cubes are arrays (bands, rows, columns) of reflectance, of any float type and memory layout. Sums
are accumulated in float64. **Missing values**: a pixel with NaN in any band of either cube is
excluded from every score; a score without any valid pixel is NaN.

Cubes larger than memory can be scored block by block: `Tally.of(...) + Tally.of(...)` has the
scores of both blocks together.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from hsi_xr.evaluation._pairing import Values, pair, valid_pixels


def mrae(estimate: ArrayLike, truth: ArrayLike, *, floor: float = 0.0) -> float:
    """Returns the mean relative absolute error, |estimate - truth| / truth over pixels and bands.

    Args:
        estimate: Reconstructed reflectance, (bands, rows, columns).
        truth: Measured reflectance of the same shape.
        floor: Smallest mean true reflectance of a pixel that counts; relative errors of nearly
            black pixels are noise. 0.02 is common for outdoor scenes.

    Returns:
        A fraction (0.05 is 5 %). Values with a true value of zero or less have no relative error
        and are excluded; NaN if no value remains.

    Raises:
        ValueError: The shapes differ or are not (bands, rows, columns).

    Source:
        Arad et al. 2022, NTIRE challenge on spectral recovery, which uses all values (no floor).
    """
    return Tally.of(estimate, truth, floor=floor).mrae


def rmse(estimate: ArrayLike, truth: ArrayLike) -> float:
    """Returns the root mean squared error over pixels and bands, in reflectance; no clipping.

    Source: Arad et al. 2022. Arguments and errors as for `mrae`.
    """
    return Tally.of(estimate, truth).rmse


def psnr(estimate: ArrayLike, truth: ArrayLike) -> float:
    """Returns the peak signal-to-noise ratio in dB, for reflectance with a peak of 1.

    Both cubes are clipped to [0, 1]. The mean squared error is taken over all bands jointly, not
    per band; infinite for equal cubes.

    Source: the validation code of Cai et al. 2022, MST++ (arXiv:2204.07908), which scales both
    cubes by 255; the ratio is the same. Arguments and errors as for `mrae`.
    """
    return Tally.of(estimate, truth).psnr


def sam(estimate: ArrayLike, truth: ArrayLike) -> float:
    """Returns the mean spectral angle over pixels, in **degrees**; it ignores brightness.

    Pixels without an angle (see `spectral_angle`) are excluded. Arguments and errors as
    for `mrae`; source as for `spectral_angle`.
    """
    return Tally.of(estimate, truth).sam


def spectral_angle(estimate: ArrayLike, truth: ArrayLike) -> Values:
    """Returns the angle between two spectra at every pixel.

    Args:
        estimate: Reconstructed reflectance, (bands, rows, columns); any positive scale.
        truth: Measured reflectance of the same shape.

    Returns:
        Radians in [0, pi], (rows, columns), float64; 0 is the same shape. NaN where a value is NaN
        or either spectrum is zero in every band.

    Raises:
        ValueError: The shapes differ or are not (bands, rows, columns).

    Source:
        Kruse et al. 1993, Remote Sensing of Environment 44, 145-163; computed with the half-angle
        form (Kahan 2006), which stays exact for small angles where arccos does not.

    >>> ramp = np.array([1.0, 2.0, 3.0]).reshape(3, 1, 1)
    >>> spectral_angle(ramp, 5 * ramp).tolist()
    [[0.0]]
    """
    a, b = (_unit(cube) for cube in pair(estimate, truth))
    return 2 * np.arctan2(_norm(a - b), _norm(a + b))


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Sums over pixels that determine the scores; tallies of two blocks can be added."""

    values: int = 0
    """Number of values (pixels times bands) without NaN."""
    squared: float = 0.0
    """Sum of squared errors."""
    clamped: float = 0.0
    """Sum of squared errors of both cubes clipped to [0, 1]."""
    relatives: int = 0
    """Number of values that have a relative error."""
    relative: float = 0.0
    """Sum of relative errors."""
    angles: int = 0
    """Number of pixels that have a spectral angle."""
    angle: float = 0.0
    """Sum of spectral angles, in radians."""
    power: float = 0.0
    """Sum of squared estimates."""
    product: float = 0.0
    """Sum of products of estimate and truth."""

    @classmethod
    def of(cls, estimate: ArrayLike, truth: ArrayLike, *, floor: float = 0.0) -> "Tally":
        """Computes the sums of one block; `floor` and errors as for `mrae`."""
        guess, true = pair(estimate, truth)
        kept = valid_pixels(guess, true)
        angles = spectral_angle(guess, true)[kept]
        guess, true = guess[:, kept], true[:, kept]
        error = guess - true
        defined = (true > 0) & (true.mean(axis=0) >= floor)
        return cls(
            values=error.size,
            squared=float(np.sum(error**2)),
            clamped=float(np.sum((np.clip(guess, 0, 1) - np.clip(true, 0, 1)) ** 2)),
            relatives=int(defined.sum()),
            relative=float(np.sum(np.abs(error[defined]) / true[defined])),
            angles=int((~np.isnan(angles)).sum()),
            angle=float(np.nansum(angles)),
            power=float(np.sum(guess**2)),
            product=float(np.sum(guess * true)),
        )

    def __add__(self, other: "Tally") -> "Tally":
        names = [field.name for field in fields(self)]
        return Tally(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def mrae(self) -> float:
        """See the function `mrae`."""
        return _mean(self.relative, self.relatives)

    @property
    def rmse(self) -> float:
        """See the function `rmse`."""
        return float(np.sqrt(_mean(self.squared, self.values)))

    @property
    def psnr(self) -> float:
        """See the function `psnr`."""
        error = _mean(self.clamped, self.values)
        return float("inf") if error == 0 else float(-10 * np.log10(error))

    @property
    def sam(self) -> float:
        """See the function `sam`."""
        return float(np.degrees(_mean(self.angle, self.angles)))

    @property
    def gain(self) -> float:
        """Factor on the estimate that minimises its squared error.

        The exposure of an image is unknown; scores of `gain * estimate` are those with known
        exposure. NaN if every estimate is zero.
        """
        return self.product / self.power if self.power else float("nan")


def _unit(cube: Values) -> Values:
    length = _norm(cube)
    return cube / np.where(length > 0, length, np.nan)


def _norm(cube: Values) -> Values:
    length: Values = np.sqrt(np.sum(cube**2, axis=0))
    return length


def _mean(total: float, count: int) -> float:
    return total / count if count else float("nan")
