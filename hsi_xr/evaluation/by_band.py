"""Scores that look at each band as an image of its own, and are means over bands.

Cubes and missing values are as in `hsi_xr.evaluation.metrics`.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from hsi_xr.evaluation._pairing import Values, pair, whole

SIGMA: Final = 1.5
RADIUS: Final = 5
"""Pixels: the windows of SSIM are 11 x 11."""
K: Final = (0.01, 0.03)


def psnr_by_band(estimate: ArrayLike, truth: ArrayLike, *, peak: float = 1.0) -> float:
    """Mean over bands of the peak signal-to-noise ratio of each, in dB.

    Not less than the ratio of one joint error (`metrics.psnr`), since good bands lift it.

    Args:
        estimate: Reconstructed cube, (bands, rows, columns); cut to [0, peak].
        truth: Measured cube of the same shape; cut as well.
        peak: The greatest value that there can be.

    Returns:
        Infinite if a band is equal; NaN if no pixel is left.

    Raises:
        ValueError: The shapes differ or are not (bands, rows, columns).

    Source:
        The tables of Cai et al. 2022, MST (arXiv:2111.07910), and of most work on CAVE.
    """
    guess, true = (np.clip(cube, 0, peak) for cube in pair(estimate, truth))
    kept = whole(guess, true)
    if not kept.any():
        return float("nan")
    errors = np.mean((guess[:, kept] - true[:, kept]) ** 2, axis=1)
    with np.errstate(divide="ignore"):
        return float(np.mean(10 * np.log10(peak**2 / errors)))


def ergas(estimate: ArrayLike, truth: ArrayLike, *, ratio: float = 1.0) -> float:
    """Relative dimensionless global error in synthesis; 0 is perfect, no clamping.

    100 x ratio x the root of the mean over bands of (RMSE of the band / its mean true value)^2.

    Args:
        estimate: As for `psnr_by_band`.
        truth: As for `psnr_by_band`. Bands whose mean is not positive have no relative error and
            are left out.
        ratio: Size of a pixel of the sharp image over that of the coarse one, 1/4 where the
            resolution is four times finer; 1 where only bands are made.

    Source:
        Wald 2002, Data Fusion: Definitions and Architectures. Raises as `psnr_by_band`.
    """
    guess, true = pair(estimate, truth)
    kept = whole(guess, true)
    if not kept.any():
        return float("nan")
    means = np.mean(true[:, kept], axis=1)
    errors = np.mean((guess[:, kept] - true[:, kept]) ** 2, axis=1)
    lit = means > 0
    if not lit.any():
        return float("nan")
    return float(100 * ratio * np.sqrt(np.mean(errors[lit] / means[lit] ** 2)))


def ssim(estimate: ArrayLike, truth: ArrayLike, *, peak: float = 1.0) -> float:
    """Structural similarity of each band, then the mean over bands; 1 is equal, no clamping.

    Windows are 11 x 11 pixels, weighted by a Gaussian with sigma 1.5, and only those that lie whole
    within the image and hold no missing pixel.

    Args:
        estimate: As for `psnr_by_band`.
        truth: The same shape.
        peak: The range of values (L in the paper).

    Returns:
        NaN if there is no such window, as in images of less than 11 rows or columns.

    Source:
        Wang et al. 2004, IEEE Transactions on Image Processing 13, 600-612; K is 0.01 and 0.03.
        Raises as `psnr_by_band`.
    """
    guess, true = pair(estimate, truth)
    if min(guess.shape[1:]) <= 2 * RADIUS:
        return float("nan")
    hole = ~whole(guess, true)
    means: list[float] = []
    for a, b in zip(guess, true):
        found = _similarity(np.where(hole, np.nan, a), b, peak)
        there = found[~np.isnan(found)]  # of the same windows in every band
        means.append(float(np.mean(there)) if there.size else np.nan)
    return float(np.mean(means))


def _similarity(a: Values, b: Values, peak: float) -> Values:
    """Of every whole window of two images."""
    mean_a, mean_b = _blurred(a), _blurred(b)
    spread_a = _blurred(a * a) - mean_a**2
    spread_b = _blurred(b * b) - mean_b**2
    together = _blurred(a * b) - mean_a * mean_b
    c1, c2 = ((k * peak) ** 2 for k in K)
    light = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return light * (2 * together + c2) / (spread_a + spread_b + c2)


def _blurred(image: Values) -> Values:
    """Weighted mean of every whole window; NaN where it holds NaN."""
    steps = np.arange(-RADIUS, RADIUS + 1)
    weights = np.exp(-(steps**2) / (2 * SIGMA**2))
    weights /= weights.sum()
    rows, columns = (size - 2 * RADIUS for size in image.shape)
    down: Values = sum(w * image[i : i + rows] for i, w in enumerate(weights))
    both: Values = sum(w * down[:, i : i + columns] for i, w in enumerate(weights))
    return both
