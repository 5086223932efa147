"""How a product looks in natural colour, the same wherever it is shown: few numbers tell it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hsi_xr.io.raster_dataset import rasterio_open
from hsi_xr.io.remote import gdal_environment

if TYPE_CHECKING:
    from rasterio import DatasetReader

SIDE = 256
"""Pixels of the longer side of a small picture, at most."""
SHARE = 98
"""Per cent of the numbers that are not cut: a few roofs must not darken a scene."""


def small(path: Path, bands: tuple[int, int, int]) -> "np.ma.MaskedArray[Any, Any]":
    """Stored numbers of three bands of a raster, (3, rows, columns), averaged to a few pixels."""
    from rasterio.enums import Resampling

    with gdal_environment(str(path)), rasterio_open(str(path)) as src:
        read = {"indexes": list(bands), "out_shape": (3, *_shape(src))}
        found: np.ma.MaskedArray[Any, Any] = src.read(
            **read, masked=True, resampling=Resampling.average
        )
    return found


def white(numbers: "np.ma.MaskedArray[Any, Any]") -> float | None:
    """The number that is shown as white in all of three bands, so that colours keep their hue.

    Args:
        numbers: (3, rows, columns).

    Returns:
        A positive number; None where no pixel is valid in all bands.
    """
    valid = ~np.ma.getmaskarray(numbers).any(axis=0)
    if not valid.any():
        return None
    return max(float(np.percentile(numbers.data[:, valid], SHARE)), 1e-6)


def _shape(src: "DatasetReader") -> tuple[int, int]:
    share = min(1.0, SIDE / max(src.shape))
    rows, columns = (max(1, round(length * share)) for length in src.shape)
    return rows, columns
