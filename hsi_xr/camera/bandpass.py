"""Spectral responses of sensor bands, and the weights of a cube's bands in them."""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsi_xr.band_grid import Bands
from hsi_xr.errors import InvalidData

TABLE = Path(__file__).with_name("sensors.csv")
CURVES = Path(__file__).with_name("responses.csv")
PRECISION = 10_000
"""Unit of the responses in `responses.csv`, as a fraction of the maximum of a curve."""
STEP = 2
"""Spacing of the responses in `responses.csv`, nm."""
LEAST = 0.9
"""Share of a band's response that must be within the range of a cube."""
_GAUSSIANS = "nominal: Gaussian of published centre and width"

_FAINT = 1e-3
"""Fraction of its maximum below which a Gaussian is set to 0."""
_STEP = 0.5
"""Spacing of the points of a Gaussian, nm."""
_SHARP = 1e-6
"""Distance beyond its last point at which a curve is 0, nm."""


@dataclass(frozen=True, eq=False)
class Bandpass:
    """Relative responses of a sensor's bands, by ascending wavelength."""

    names: tuple[str, ...]
    bands: Bands
    """Centres and full widths at half maximum, nm."""
    wavelengths: NDArray[np.float64]
    """(n,) wavelengths of the curves, nm, ascending; responses beyond them are 0."""
    curves: NDArray[np.float64]
    """(bands, n) responses in any positive scale, linear between the wavelengths."""
    sources: tuple[str, ...]
    """Origin of each band's curve, as text."""

    @property
    def source(self) -> str:
        """Origin of the curves, as text; with the names of bands if it differs between them."""
        if len({*self.sources}) == 1:
            return self.sources[0]
        return "; ".join(
            f"{', '.join(n for n, own in zip(self.names, self.sources) if own == each)}: {each}"
            for each in dict.fromkeys(self.sources)
        )

    @cached_property
    def sha256(self) -> str:
        """Checksum of wavelengths and curves as little-endian float32, row by row."""
        table = np.vstack([self.wavelengths, self.curves]).astype("<f4")
        return hashlib.sha256(table.tobytes()).hexdigest()

    def select(self, kept: Sequence[int]) -> "Bandpass":
        """Returns the bands at some indices, at least one."""
        widths = self.bands.widths or ()
        return Bandpass(
            tuple(self.names[i] for i in kept),
            Bands(tuple(self.bands.centres[i] for i in kept), tuple(widths[i] for i in kept)),
            self.wavelengths,
            self.curves[list(kept)],
            tuple(self.sources[i] for i in kept),
        )


def sensors() -> list[str]:
    """Returns the names of the sensors that ship with the package."""
    return sorted(published())


@cache
def published() -> dict[str, Bandpass]:
    """Returns the sensors that ship with the package by name; sensors.md states their sources.

    Bands have the names, centres and widths of `sensors.csv`. Their curves are those of
    `responses.csv`, and Gaussians where it has none. Sensors that only `responses.csv` contains
    have the centres and widths of their curves.
    """
    nominal, curves = _nominal_sensors(), _measured_sensors()
    return curves | {
        name: _with_curves(sensor, curves[name]) if name in curves else sensor
        for name, sensor in nominal.items()
    }


def _nominal_sensors() -> dict[str, Bandpass]:
    sensors = {}
    for name, own in _rows_by_sensor(TABLE).items():
        centres, widths = ([float(row[key]) for row in own] for key in ("centre", "fwhm"))
        bands = Bands(tuple(centres), tuple(widths))
        sensors[name] = gaussians(tuple(row["band"] for row in own), bands)
    return sensors


def _measured_sensors() -> dict[str, Bandpass]:
    sensors = {}
    for name, own in _rows_by_sensor(CURVES).items():
        values = [np.array(row["response"].split(), np.float64) for row in own]
        firsts = [int(row["first_nm"]) for row in own]
        ends = [first + STEP * len(each) for first, each in zip(firsts, values)]
        at = np.arange(min(firsts), max(ends), STEP)
        known = [np.arange(first, end, STEP) for first, end in zip(firsts, ends)]
        table = np.array([np.interp(at, nm, v, 0, 0) for nm, v in zip(known, values)])
        found = measured([row["band"] for row in own], at, table, name)
        origins = {row["band"]: f"measured: {row['source']}" for row in own}
        sensors[name] = replace(found, sources=tuple(origins[band] for band in found.names))
    return sensors


def _rows_by_sensor(table: Path) -> dict[str, list[dict[str, str]]]:
    with table.open(newline="") as lines:
        rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    names = dict.fromkeys(row["sensor"] for row in rows)
    return {name: [row for row in rows if row["sensor"] == name] for name in names}


def _with_curves(sensor: Bandpass, known: Bandpass) -> Bandpass:
    """Returns a sensor with measured curves for the bands that have one."""
    at = np.union1d(sensor.wavelengths, known.wavelengths)
    index = {name: i for i, name in enumerate(known.names)}
    choices = [
        (known, index[name]) if name in index else (sensor, i)
        for i, name in enumerate(sensor.names)
    ]
    curves = [np.interp(at, one.wavelengths, one.curves[i], 0, 0) for one, i in choices]
    sources = tuple(one.sources[i] for one, i in choices)
    return Bandpass(sensor.names, sensor.bands, at, np.array(curves), sources)


def gaussians(names: tuple[str, ...], bands: Bands) -> Bandpass:
    """Returns Gaussian responses of bands of which only centre and width are known."""
    centres, widths = np.array(bands.centres)[:, None], np.array(bands.widths)[:, None]
    first, last = (centres - 2 * widths).min(), (centres + 2 * widths).max()
    at = np.arange(first, last + _STEP, _STEP)
    curves = 2.0 ** -((2 * (at - centres) / widths) ** 2)
    kept = np.where(curves < _FAINT, 0, curves)
    return Bandpass(names, bands, at, kept, (_GAUSSIANS,) * len(names))


def measured(
    names: Sequence[str], wavelengths: NDArray[np.number], curves: NDArray[np.number], name: str
) -> Bandpass:
    """Returns responses given by measured curves.

    The centre of a band is its mean wavelength weighted by the response; its width is the distance
    between the outermost half maxima.

    Args:
        names: Names of the bands.
        wavelengths: (n,) in nm, ascending.
        curves: (bands, n) in any positive scale; NaN counts as no response.
        name: Name of the sensor.

    Raises:
        InvalidData: A curve is nowhere positive, or two curves have the same centre.
    """
    at = np.asarray(wavelengths, np.float64)
    values = np.nan_to_num(np.asarray(curves, np.float64), nan=0.0)
    if zero := [label for label, curve in zip(names, values) if not curve.max() > 0]:
        raise InvalidData(f"{name}: the response of {zero[0]!r} is zero everywhere; remove it")
    values /= values.max(1, keepdims=True)
    area = np.asarray(np.trapezoid(values, at, axis=1))
    centres = np.asarray(np.trapezoid(values * at, at, axis=1)) / area
    order = np.argsort(centres)
    if (np.diff(centres[order]) <= 0).any():
        raise InvalidData(f"{name} has two bands with the same centre; remove one")
    widths = [_width(at, values[i]) for i in order]
    bands = Bands(tuple(centres[order].tolist()), tuple(widths))
    sources = (f"curves of {name}",) * len(names)
    return Bandpass(tuple(names[i] for i in order), bands, at, values[order], sources)


def weights(sensor: Bandpass, own: Bands) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Computes the weights of a cube's bands in the bands of a sensor.

    A spectrum of the cube is taken as linear between band centres and constant for half a width
    beyond the outer ones; the integral of response times spectrum is then exact.

    Args:
        sensor: Responses of the sensor.
        own: Bands of the cube.

    Returns:
        (sensor bands, cube bands) weights with rows that sum to 1, and (sensor bands,) the
        fraction of each response within the range of the cube.
    """
    low, high = own.extent
    ends = sensor.wavelengths[0] - _SHARP, sensor.wavelengths[-1] + _SHARP
    at = np.unique([*sensor.wavelengths, *ends, *own.centres, low, high])
    response = np.array(
        [np.interp(at, sensor.wavelengths, c, left=0, right=0) for c in sensor.curves]
    )
    basis = np.array([np.interp(at, own.centres, one) for one in np.eye(len(own))])
    inside = (at >= low) & (at <= high)
    integrals = _integrate_products(response[:, inside], basis[:, inside], at[inside])
    total = integrals.sum(1, keepdims=True)
    covered = total[:, 0] / np.trapezoid(response, at, axis=1)
    return integrals / np.where(total > 0, total, np.nan), covered


def _integrate_products(
    f: NDArray[np.float64], g: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Integrates all products of f (m, n) and g (k, n), both piecewise linear, to (m, k)."""
    step = np.diff(at) / 6
    left, right = f[:, :-1] * step, f[:, 1:] * step
    return (2 * left + right) @ g[:, :-1].T + (left + 2 * right) @ g[:, 1:].T


def _width(at: NDArray[np.float64], curve: NDArray[np.float64]) -> float:
    """Returns the distance between the outermost points where a curve of maximum 1 crosses 0.5."""
    over = np.flatnonzero(curve >= 0.5)
    first, last = over[0], over[-1]
    rise = np.interp(0.5, curve[[first - 1, first]], at[[first - 1, first]]) if first else at[0]
    last_one = last == len(at) - 1
    fall = at[-1] if last_one else np.interp(0.5, curve[[last + 1, last]], at[[last + 1, last]])
    return float(fall - rise)
