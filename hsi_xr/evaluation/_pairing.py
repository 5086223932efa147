"""Two cubes as every score reads them."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]


def pair(estimate: ArrayLike, truth: ArrayLike) -> tuple[Values, Values]:
    """Both as float64, by their axes and not by how they lie in memory.

    Raises:
        ValueError: The shapes differ (they would otherwise broadcast) or are not (bands, rows,
            columns).
    """
    guess, true = np.asarray(estimate, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if guess.shape != true.shape or guess.ndim != 3:
        raise ValueError(
            "cubes must have one shape (bands, rows, columns); "
            f"got {guess.shape} for the estimate and {true.shape} for the truth"
        )
    return guess, true


def whole(estimate: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.bool_]:
    """(rows, columns): where no band of either cube is NaN."""
    missing = np.isnan(estimate) | np.isnan(truth)
    return np.asarray(~missing.any(axis=0))
