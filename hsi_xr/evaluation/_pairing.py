"""Validation of the two cubes that a score compares."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]


def pair(estimate: ArrayLike, truth: ArrayLike) -> tuple[Values, Values]:
    """Returns both cubes as float64, after checking their shapes.

    Raises:
        ValueError: The shapes differ (they would otherwise broadcast) or are not (bands, rows,
            columns).
    """
    guess, true = np.asarray(estimate, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if guess.shape != true.shape or guess.ndim != 3:
        raise ValueError(
            "cubes must have the same shape (bands, rows, columns); "
            f"got {guess.shape} for the estimate and {true.shape} for the truth"
        )
    return guess, true


def valid_pixels(estimate: NDArray[np.floating], truth: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Returns where no band of either cube is NaN, (rows, columns)."""
    missing = np.isnan(estimate) | np.isnan(truth)
    return np.asarray(~missing.any(axis=0))
