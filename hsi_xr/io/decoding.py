"""Converts stored values to physical ones: one rule for nodata, scale and offset everywhere."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsi_xr.io.band_facts import BandFacts

_TOLERANCE = 0.01
"""Steps of the stored values within which a scaled value equals the scaled nodata value."""


def decode(
    stored: NDArray[Any], bands: Sequence[BandFacts], valid: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Returns physical values as float32, NaN in every band where a pixel is invalid.

    A nodata value that can be a colour (0, or any value of an unsigned type) applies only if every
    band has it: a single band at 0 may be a shadow, and a single band at 255 a bright roof. A value
    that cannot be a colour (-9999), NaN or an infinity invalidates the pixel in any band.

    A reader that masks each band separately leaves NaN at such a single 0; the value is restored.

    Args:
        stored: (bands, rows, columns), integers or floating-point numbers, in the state that the
            facts of each band state.
        bands: Facts of each band.
        valid: (rows, columns), False where an alpha band or a mask invalidates the pixel.
    """
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, hence NaN
        values = stored.astype(np.float32)
    invalid = _is_nodata(stored, values, bands)
    pending = [band if band.state != "decoded" else None for band in bands]
    if any(band is not None and band.is_scaled for band in pending):
        scales = [1.0 if band is None else band.scale for band in pending]
        offsets = [0.0 if band is None else band.offset for band in pending]
        values *= np.array(scales, np.float32)[:, None, None]
        values += np.array(offsets, np.float32)[:, None, None]
    if stored.dtype.kind == "f":
        invalid |= ~np.isfinite(values).all(axis=0)
    if valid is not None:
        invalid |= ~valid
    values[:, invalid] = np.nan
    return values


def _is_nodata(
    stored: NDArray[Any], values: NDArray[np.float32], bands: Sequence[BandFacts]
) -> NDArray[np.bool_]:
    """Returns where pixels are nodata, (rows, columns); replaces NaN by colours in `values`."""
    alone = np.zeros(stored.shape[1:], dtype=bool)
    in_all = np.full(alone.shape, any(band.nodata_can_be_colour for band in bands))
    for plane, value, band in zip(stored, values, bands):
        if band.nodata is None:
            continue
        is_masked = band.state != "stored"
        scaled = band.nodata * band.scale + band.offset
        colour = scaled if band.state == "decoded" else band.nodata
        marked = _equals(plane, band.nodata)
        if is_masked:  # or it is not, if the reader did not know the value
            marked = np.isnan(value) | (np.abs(value - colour) <= _TOLERANCE * abs(band.scale))
        if not band.nodata_can_be_colour:
            alone |= marked
            continue
        in_all &= marked
        if is_masked:
            value[marked] = colour
    return alone | in_all


def _equals(plane: NDArray[Any], value: float) -> NDArray[np.bool_]:
    if np.isnan(value):
        return np.asarray(np.isnan(plane))
    # an integer outside the range of the type equals no value; as a float it would be rounded
    is_integer = plane.dtype.kind in "iu" and float(value).is_integer()
    return np.asarray(plane == (int(value) if is_integer else value))
