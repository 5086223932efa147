"""The scores of a table: how they are made of two cubes, and how they are told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from numpy.typing import ArrayLike

from hsi_xr.evaluation.by_band import ergas, psnr_by_band, ssim
from hsi_xr.evaluation.metrics import Tally


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
    "gain": Column("gain", 3, "factor on what a model gave that makes its squared error least"),
}


def scores(estimate: ArrayLike, truth: ArrayLike, *, floor: float = 0.0) -> dict[str, float]:
    """The scores of `COLUMNS` but the gain, by name; `floor` as for `metrics.mrae`."""
    tally = Tally.of(estimate, truth, floor=floor)
    return {
        "mrae": tally.mrae,
        "rmse": tally.rmse,
        "psnr": tally.psnr,
        "psnr_by_band": psnr_by_band(estimate, truth),
        "sam": tally.sam,
        "ssim": ssim(estimate, truth),
        "ergas": ergas(estimate, truth),
    }
