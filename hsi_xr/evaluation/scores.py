"""The scores of an evaluation table: computation and formatting."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hsi_xr.evaluation.by_band import ergas, psnr_by_band, ssim
from hsi_xr.evaluation.metrics import Tally
from hsi_xr.evaluation.rgb_error import back_projected


@dataclass(frozen=True)
class Column:
    """A score in a table."""

    title: str
    digits: int
    meaning: str
    """Definition and source, in one line."""


COLUMNS: Final[Mapping[str, Column]] = {
    "mrae": Column("MRAE", 4, "mean of |estimate - truth| / truth (Arad et al. 2022)"),
    "rmse": Column("RMSE", 4, "root mean squared error, no clipping (Arad et al. 2022)"),
    "psnr": Column("PSNR (dB)", 2, "joint over bands, clipped to [0, 1] (Cai et al. 2022, MST++)"),
    "psnr_by_band": Column("PSNR by band (dB)", 2, "mean over bands (Cai et al. 2022, MST)"),
    "sam": Column("SAM (deg)", 2, "mean spectral angle in degrees (Kruse et al. 1993)"),
    "ssim": Column("SSIM", 4, "11 x 11 Gaussian windows, mean over bands (Wang et al. 2004)"),
    "ergas": Column("ERGAS", 2, "relative global error, ratio 1 (Wald 2002)"),
    "bpmrae": Column("BPMRAE", 4, "MRAE of RGB as projected by the camera (Arad et al. 2020)"),
    "gain": Column("gain", 3, "factor on the estimate that minimises its squared error"),
}
"""All scores; those that need more than two cubes are not in every table."""


def columns_of(names: Collection[str]) -> dict[str, Column]:
    """Returns the columns of these scores, in table order."""
    return {name: column for name, column in COLUMNS.items() if name in names}


def scores(
    estimate: ArrayLike,
    truth: ArrayLike,
    *,
    floor: float = 0.0,
    response: NDArray[np.floating] | None = None,
) -> dict[str, float]:
    """Computes the scores of `COLUMNS` except the gain, by name.

    Args:
        estimate: Reconstructed cube, (bands, rows, columns).
        truth: Measured cube of the same shape.
        floor: See `metrics.mrae`; for BPMRAE it applies to the mean true RGB.
        response: (3, bands) spectral response of the camera for BPMRAE, which is NaN if a channel
            has no response in these bands; None omits that score.
    """
    tally = Tally.of(estimate, truth, floor=floor)
    values = {
        "mrae": tally.mrae,
        "rmse": tally.rmse,
        "psnr": tally.psnr,
        "psnr_by_band": psnr_by_band(estimate, truth),
        "sam": tally.sam,
        "ssim": ssim(estimate, truth),
        "ergas": ergas(estimate, truth),
    }
    if response is not None:
        responds = bool((response.sum(axis=1) > 0).all())
        values["bpmrae"] = (
            back_projected(estimate, truth, response, floor=floor) if responds else math.nan
        )
    return values
