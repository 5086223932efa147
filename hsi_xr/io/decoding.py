"""Stored values to physical ones: the rule for nodata, scale and offset, the same everywhere."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hsi_xr.io.band_facts import BandFacts

State = Literal["stored", "masked", "decoded"]
"""What a reader has done to the values of a file: nothing; replaced nodata by NaN, band by band; or
also applied scale and offset."""


def decode(
    stored: NDArray[Any],
    bands: Sequence[BandFacts],
    valid: NDArray[np.bool_] | None = None,
    *,
    state: State = "stored",
) -> NDArray[np.float32]:
    """Returns physical values as float32, NaN in every band where a pixel is invalid.

    A nodata value that can be a colour (0, or any value of an unsigned type) counts only if every
    band has it: a blue of 0 alone is a shadow, and a red of 255 a roof. A value that cannot be one
    (-9999), NaN or an infinity invalidates the pixel in any band.

    A reader that masks each band by itself leaves NaN at such a blue of 0; the value is put back.

    Args:
        stored: (bands, rows, columns), integers or floating-point numbers.
        bands: Facts of each band.
        valid: (rows, columns), False where an alpha band or a mask invalidates the pixel.
        state: What a reader has done to the values already.
    """
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, hence NaN
        values = stored.astype(np.float32)
    invalid = _is_nodata(stored, values, bands, state)
    if state != "decoded" and any(band.is_scaled for band in bands):
        values *= np.array([band.scale for band in bands], np.float32)[:, None, None]
        values += np.array([band.offset for band in bands], np.float32)[:, None, None]
    if stored.dtype.kind == "f":
        invalid |= ~np.isfinite(values).all(axis=0)
    if valid is not None:
        invalid |= ~valid
    values[:, invalid] = np.nan
    return values


def _is_nodata(
    stored: NDArray[Any],
    values: NDArray[np.float32],
    bands: Sequence[BandFacts],
    state: State,
) -> NDArray[np.bool_]:
    """Returns where pixels are nodata, (rows, columns); replaces NaN by colours in `values`."""
    alone = np.zeros(stored.shape[1:], dtype=bool)
    in_all = np.full(alone.shape, all(band.nodata_can_be_colour for band in bands))
    for plane, value, band in zip(stored, values, bands):
        if band.nodata is None:
            continue
        marked = np.isnan(value) if state != "stored" else _equals(plane, band.nodata)
        if not band.nodata_can_be_colour:
            alone |= marked
            continue
        in_all &= marked
        if state != "stored":
            scaled = state == "decoded"
            value[marked] = band.nodata * band.scale + band.offset if scaled else band.nodata
    return alone | in_all


def _equals(plane: NDArray[Any], value: float) -> NDArray[np.bool_]:
    if np.isnan(value):
        return np.asarray(np.isnan(plane))
    # an integer that the type cannot hold equals nothing; as a float it would be rounded
    is_integer = plane.dtype.kind in "iu" and float(value).is_integer()
    return np.asarray(plane == (int(value) if is_integer else value))
