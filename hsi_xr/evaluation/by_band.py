"""Scores computed for each band as an image, and averaged over bands.

Cubes and missing values are as in `hsi_xr.evaluation.metrics`.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from hsi_xr.evaluation._pairing import Values, pair, valid_pixels

SIGMA: Final = 1.5
RADIUS: Final = 5
"""Half-width of an SSIM window in pixels; windows are 11 x 11."""
K: Final = (0.01, 0.03)


def psnr_by_band(estimate: ArrayLike, truth: ArrayLike, *, peak: float = 1.0) -> float:
    """Returns the peak signal-to-noise ratio in dB, averaged over bands.

    At least as high as the ratio of the joint error (`metrics.psnr`), since good bands raise it.

    Args:
        estimate: Reconstructed cube, (bands, rows, columns); clipped to [0, peak].
        truth: Measured cube of the same shape; clipped as well.
        peak: Largest possible value.

    Returns:
        Infinite if a band is equal in both; NaN if no pixel is valid.

    Raises:
        ValueError: The shapes differ or are not (bands, rows, columns).

    Source:
        Cai et al. 2022, MST (arXiv:2111.07910), and most work on CAVE.
    """
    guess, true = (np.clip(cube, 0, peak) for cube in pair(estimate, truth))
    kept = valid_pixels(guess, true)
    if not kept.any():
        return float("nan")
    errors = np.mean((guess[:, kept] - true[:, kept]) ** 2, axis=1)
    with np.errstate(divide="ignore"):
        return float(np.mean(10 * np.log10(peak**2 / errors)))


def ergas(estimate: ArrayLike, truth: ArrayLike, *, ratio: float = 1.0) -> float:
    """Returns the relative dimensionless global error in synthesis; 0 is perfect, no clipping.

    100 x ratio x the root of the mean over bands of (RMSE of the band / its mean true value)^2.

    Args:
        estimate: Reconstructed cube, (bands, rows, columns).
        truth: Measured cube of the same shape. Bands whose mean is not positive have no relative
            error and are excluded.
        ratio: Pixel size of the sharp image over that of the coarse one, e.g. 1/4 for a resolution
            four times finer; 1 where only bands are reconstructed.

    Source:
        Wald 2002, Data Fusion: Definitions and Architectures.
    """
    guess, true = pair(estimate, truth)
    kept = valid_pixels(guess, true)
    if not kept.any():
        return float("nan")
    means = np.mean(true[:, kept], axis=1)
    errors = np.mean((guess[:, kept] - true[:, kept]) ** 2, axis=1)
    lit = means > 0
    if not lit.any():
        return float("nan")
    return float(100 * ratio * np.sqrt(np.mean(errors[lit] / means[lit] ** 2)))


def ssim(estimate: ArrayLike, truth: ArrayLike, *, peak: float = 1.0) -> float:
    """Returns the structural similarity, averaged over bands; 1 if equal, no clipping.

    Windows are 11 x 11 pixels, weighted by a Gaussian of sigma 1.5. Only windows entirely within
    the image and without missing pixels count.

    Args:
        estimate: Reconstructed cube, (bands, rows, columns).
        truth: Measured cube of the same shape.
        peak: Range of values (L in the paper).

    Returns:
        NaN if there is no such window, as in images of fewer than 11 rows or columns.

    Source:
        Wang et al. 2004, IEEE Transactions on Image Processing 13, 600-612; K is 0.01 and 0.03.
    """
    guess, true = pair(estimate, truth)
    if min(guess.shape[1:]) <= 2 * RADIUS:
        return float("nan")
    hole = ~valid_pixels(guess, true)
    means: list[float] = []
    for a, b in zip(guess, true):
        similarity = _similarity(np.where(hole, np.nan, a), b, peak)
        defined = similarity[~np.isnan(similarity)]  # the same windows in every band
        means.append(float(np.mean(defined)) if defined.size else np.nan)
    return float(np.mean(means))


def _similarity(a: Values, b: Values, peak: float) -> Values:
    """Returns the similarity of two images in every complete window."""
    mean_a, mean_b = _window_means(a), _window_means(b)
    variance_a = _window_means(a * a) - mean_a**2
    variance_b = _window_means(b * b) - mean_b**2
    covariance = _window_means(a * b) - mean_a * mean_b
    c1, c2 = ((k * peak) ** 2 for k in K)
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return luminance * (2 * covariance + c2) / (variance_a + variance_b + c2)


def _window_means(image: Values) -> Values:
    """Returns the weighted mean of every complete window; NaN where the window contains NaN."""
    steps = np.arange(-RADIUS, RADIUS + 1)
    weights = np.exp(-(steps**2) / (2 * SIGMA**2))
    weights /= weights.sum()
    rows, columns = (size - 2 * RADIUS for size in image.shape)
    down: Values = sum(w * image[i : i + rows] for i, w in enumerate(weights))
    both: Values = sum(w * down[:, i : i + columns] for i, w in enumerate(weights))
    return both
