"""The scores of a table: how they are made of two cubes, and how they are told."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

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
    """Definition and source in one line."""


COLUMNS: Final[Mapping[str, Column]] = {
    "mrae": Column("MRAE", 4, "mean of |estimate - truth| / truth (Arad et al. 2022)"),
    "rmse": Column("RMSE", 4, "root of the mean squared error, no clamping (Arad et al. 2022)"),
    "psnr": Column("PSNR (dB)", 2, "one joint error, clamped to [0, 1] (Cai et al. 2022, MST++)"),
    "psnr_by_band": Column("PSNR by band (dB)", 2, "mean over bands (Cai et al. 2022, MST)"),
    "sam": Column("SAM (deg)", 2, "mean spectral angle in degrees (Kruse et al. 1993)"),
    "ssim": Column("SSIM", 4, "11 x 11 Gaussian windows, mean over bands (Wang et al. 2004)"),
    "ergas": Column("ERGAS", 2, "relative global error, ratio 1 (Wald 2002)"),
    "bpmrae": Column("BPMRAE", 4, "MRAE of what the camera sees of both cubes (Arad et al. 2020)"),
    "gain": Column("gain", 3, "factor on what a model gave that makes its squared error least"),
}
"""All that there are; those that need more than two cubes are not in every table."""


def columns_of(found: Collection[str]) -> dict[str, Column]:
    """The columns of the scores of these names, in the order of a table."""
    return {name: column for name, column in COLUMNS.items() if name in found}


def scores(
    estimate: ArrayLike,
    truth: ArrayLike,
    *,
    floor: float = 0.0,
    response: NDArray[Any] | None = None,
) -> dict[str, float]:
    """The scores of `COLUMNS` but the gain, by name.

    Args:
        estimate: Reconstructed cube, (bands, rows, columns).
        truth: Measured cube of the same shape.
        floor: As for `metrics.mrae`; of BPMRAE for the mean true RGB.
        response: (3, bands) of the camera that BPMRAE is of, which is NaN where a channel sees
            none of these bands; None where no camera is known, and no such score.
    """
    tally = Tally.of(estimate, truth, floor=floor)
    found = {
        "mrae": tally.mrae,
        "rmse": tally.rmse,
        "psnr": tally.psnr,
        "psnr_by_band": psnr_by_band(estimate, truth),
        "sam": tally.sam,
        "ssim": ssim(estimate, truth),
        "ergas": ergas(estimate, truth),
    }
    if response is not None:
        sees = bool((response.sum(axis=1) > 0).all())
        found["bpmrae"] = (
            back_projected(estimate, truth, response, floor=floor) if sees else math.nan
        )
    return found
