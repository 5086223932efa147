"""What the bands of a sensor let through, and what each band of a cube counts in them."""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.band_grid import Bands
from hsi_xr.errors import InvalidData

TABLE = Path(__file__).with_name("sensors.csv")
_GAUSSIANS = "Gaussians by published centre and width, not measured curves"

_FAINT = 1e-3
"""Share of its maximum below which a Gaussian is taken as 0."""
_STEP = 0.5
"""nm between the points of a Gaussian."""
_SHARP = 1e-6
"""nm beyond its last point where a curve is 0."""


@dataclass(frozen=True, eq=False)
class Bandpass:
    """Relative responses of bands, by ascending wavelength."""

    names: tuple[str, ...]
    bands: Bands
    """Centres and full widths at half maximum, nm."""
    wavelengths: NDArray[np.float64]
    """Of the curves, (n,) nm, ascending; beyond them all is 0."""
    curves: NDArray[np.float64]
    """(bands, n) of any positive scale, on lines between the wavelengths."""
    source: str
    """What the curves are, in words."""

    @cached_property
    def sha256(self) -> str:
        """Of wavelengths and curves as little-endian float32, row by row."""
        table = np.vstack([self.wavelengths, self.curves]).astype("<f4")
        return hashlib.sha256(table.tobytes()).hexdigest()

    def only(self, kept: Sequence[int]) -> "Bandpass":
        """Some of its bands, one at least."""
        widths = self.bands.widths or ()
        return Bandpass(
            tuple(self.names[i] for i in kept),
            Bands(tuple(self.bands.centres[i] for i in kept), tuple(widths[i] for i in kept)),
            self.wavelengths,
            self.curves[list(kept)],
            self.source,
        )


@cache
def published() -> dict[str, Bandpass]:
    """The sensors of `sensors.csv`, by name."""
    with TABLE.open(newline="") as lines:
        rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    found = {}
    for name in dict.fromkeys(row["sensor"] for row in rows):
        own = [row for row in rows if row["sensor"] == name]
        centres, widths = ([float(row[key]) for row in own] for key in ("centre", "fwhm"))
        bands = Bands(tuple(centres), tuple(widths))
        found[name] = gaussians(tuple(row["band"] for row in own), bands)
    return found


def gaussians(names: tuple[str, ...], bands: Bands) -> Bandpass:
    """Bands of which no more is known than centres and widths."""
    centres, widths = np.array(bands.centres)[:, None], np.array(bands.widths)[:, None]
    first, last = (centres - 2 * widths).min(), (centres + 2 * widths).max()
    at = np.arange(first, last + _STEP, _STEP)
    curves = 2.0 ** -((2 * (at - centres) / widths) ** 2)
    return Bandpass(names, bands, at, np.where(curves < _FAINT, 0, curves), _GAUSSIANS)


def measured(curves: xr.DataArray, name: str) -> Bandpass:
    """Bands by their curves, as `hsi_xr.library` reads them: (spectrum, wavelength) in nm.

    A centre is the mean wavelength that a band lets through, its width lies between the outermost
    half maxima.

    Raises:
        InvalidData: A curve is nowhere positive or not finite, or two have one centre.
    """
    at = np.asarray(curves["wavelength"].values, np.float64)
    values = np.nan_to_num(np.asarray(curves.values, np.float64), nan=0.0)  # an empty cell: blind
    names = [str(each) for each in curves["spectrum"].values]
    if blind := [each for each, curve in zip(names, values) if not curve.max() > 0]:
        raise InvalidData(f"{name}: {blind[0]!r} responds to nothing; leave it out")
    values /= values.max(1, keepdims=True)
    area = np.asarray(np.trapezoid(values, at, axis=1))
    centres = np.asarray(np.trapezoid(values * at, at, axis=1)) / area
    order = np.argsort(centres)
    if (np.diff(centres[order]) <= 0).any():
        raise InvalidData(f"{name} has two bands of one centre; leave one of them out")
    widths = [_width(at, values[i]) for i in order]
    bands = Bands(tuple(centres[order].tolist()), tuple(widths))
    return Bandpass(tuple(names[i] for i in order), bands, at, values[order], f"curves of {name}")


def weights(sensor: Bandpass, own: Bands) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each band of a cube counts in each band of a sensor, and how much of those it holds.

    The spectrum of a cube is taken as lines between its centres, level for half a width beyond the
    outer ones; the integral of a response times that is exact.

    Returns:
        (sensor's bands, cube's bands), whose rows sum to 1; and (sensor's bands,) the share of each
        response that lies where the cube has numbers.
    """
    low, high = own.extent
    ends = sensor.wavelengths[0] - _SHARP, sensor.wavelengths[-1] + _SHARP
    at = np.unique([*sensor.wavelengths, *ends, *own.centres, low, high])
    seen = np.array([np.interp(at, sensor.wavelengths, c, left=0, right=0) for c in sensor.curves])
    told = np.array([np.interp(at, own.centres, one) for one in np.eye(len(own))])
    inside = (at >= low) & (at <= high)
    found = _products(seen[:, inside], told[:, inside], at[inside])
    total = found.sum(1, keepdims=True)
    share = total[:, 0] / np.trapezoid(seen, at, axis=1)
    return found / np.where(total > 0, total, np.nan), share


def _products(
    f: NDArray[np.float64], g: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(m, k) integrals of all products of f (m, n) and g (k, n), both on lines between points."""
    step = np.diff(at) / 6
    left, right = f[:, :-1] * step, f[:, 1:] * step
    return (2 * left + right) @ g[:, :-1].T + (left + 2 * right) @ g[:, 1:].T


def _width(at: NDArray[np.float64], curve: NDArray[np.float64]) -> float:
    """Between the outermost places where a curve with maximum 1 crosses a half."""
    over = np.flatnonzero(curve >= 0.5)
    first, last = over[0], over[-1]
    rise = np.interp(0.5, curve[[first - 1, first]], at[[first - 1, first]]) if first else at[0]
    last_one = last == len(at) - 1
    fall = at[-1] if last_one else np.interp(0.5, curve[[last + 1, last]], at[[last + 1, last]])
    return float(fall - rise)
