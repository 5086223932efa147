"""Scores as published for coded-aperture reconstruction, computed on 256 levels.

Both cubes are clipped to [0, 1], scaled by 255 and rounded, as the MATLAB scripts behind the
published tables do. The Python code that trained the same networks skips this step; its scores
differ in the second decimal. Cubes and missing values are as in `hsi_xr.evaluation.metrics`.

Source: Cai et al. 2022, MST (arXiv:2111.07910), quality metrics of the simulation.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from hsi_xr.evaluation import by_band, metrics
from hsi_xr.evaluation._pairing import Values, pair
from hsi_xr.evaluation.scores import Column

PEAK = 255.0

COLUMNS: Final[Mapping[str, Column]] = {
    "psnr": Column("PSNR (dB)", 2, "peak 255, mean over bands (Cai et al. 2022, MST)"),
    "ssim": Column("SSIM", 4, "11 x 11 Gaussian windows, mean over bands (Wang et al. 2004)"),
    "sam": Column("SAM (deg)", 2, "mean spectral angle in degrees (Kruse et al. 1993)"),
}


def scores(estimate: ArrayLike, truth: ArrayLike) -> dict[str, float]:
    """Returns every score of `COLUMNS` by name."""
    return {
        "psnr": psnr(estimate, truth),
        "ssim": ssim(estimate, truth),
        "sam": sam(estimate, truth),
    }


def psnr(estimate: ArrayLike, truth: ArrayLike) -> float:
    """Returns the peak signal-to-noise ratio in dB, peak 255, averaged over bands."""
    return by_band.psnr_by_band(*_levels(estimate, truth), peak=PEAK)


def ssim(estimate: ArrayLike, truth: ArrayLike) -> float:
    """Returns the structural similarity on [0, 255], averaged over bands; see `by_band.ssim`."""
    return by_band.ssim(*_levels(estimate, truth), peak=PEAK)


def sam(estimate: ArrayLike, truth: ArrayLike) -> float:
    """Returns the mean spectral angle in degrees; see `metrics.sam`."""
    return metrics.sam(*_levels(estimate, truth))


def _levels(estimate: ArrayLike, truth: ArrayLike) -> tuple[Values, Values]:
    """Quantises to 256 levels, rounding halves up as MATLAB does; numpy rounds them to even."""
    first, second = (np.floor(np.clip(c, 0, 1) * PEAK + 0.5) for c in pair(estimate, truth))
    return first, second
