"""`gains` and `calibrate`: match an estimated cube to spectra that are known on the ground."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from hsi_xr.band_grid import Bands
from hsi_xr.calibration.apply import as_dataset, multiply, record
from hsi_xr.calibration.gains import (
    SMOOTH,
    Gains,
    PointResidual,
    applied_gains,
    gains_at,
    round_gains,
)
from hsi_xr.calibration.robust import Comparison, Vector, fit_log_gains
from hsi_xr.calibration.sites import Site, box_means
from hsi_xr.calibration.sites_from_points import Point, read_table, sites_from_points
from hsi_xr.calibration.sites_from_raster import sites_from_raster
from hsi_xr.errors import BandMismatch, InvalidData, UsageError
from hsi_xr.io.cube import Cube, bands_of, cube_of
from hsi_xr.io.open import open as open_raster
from hsi_xr.io.remote import without_query

Row = Point | tuple[float, float, xr.DataArray]
Known = str | os.PathLike[str] | Sequence[Row] | xr.Dataset | xr.DataArray

_TABLE = ".csv"
_WORSE = 0.01
"""Increase of the mean relative error that is tolerated; points disagree a little."""


def gains(
    obj: Cube,
    known: Known,
    *,
    crs: str | None = None,
    scale: float = 1.0,
    smooth: float = SMOOTH,
) -> Gains:
    """Estimates the gain of each band that best matches an estimated cube to known spectra.

    Computes the pixels of the cube where spectra are known, and no others. Gains refer to the
    model's estimate, even if the cube is calibrated already.

    Args:
        obj: Cube from `reconstruct` or `open`.
        known: Known spectra; see `calibrate`.
        crs: CRS of points; see `calibrate`.
        scale: Factor from known values to reflectance in [0, 1].
        smooth: Length in nm over which the gain changes; `math.inf` for one gain for all bands.

    Returns:
        The gains, with the residual of each point.

    Raises:
        HsiError: See `calibrate`.
    """
    _check_options(scale, smooth)
    cube = cube_of(obj)
    bands, order = bands_of(cube)
    sites, source = _find_sites(cube, bands, known, crs, scale)
    applied = applied_gains({**cube.attrs, **obj.attrs}, bands.centres)
    compared = _compare(cube.isel(band=order), bands, sites, applied)
    logs, weights = fit_log_gains([pair for _, pair in compared], np.array(bands.centres), smooth)
    values = round_gains(np.exp(logs))
    result = Gains(
        wavelengths=bands.centres,
        values=values,
        points=_residuals(compared, np.log(values), weights),
        method=f"gain per band over {smooth:g} nm" if np.isfinite(smooth) else "one gain",
        source=source,
    )
    if result.after > result.before + _WORSE:
        warnings.warn(
            f"calibration increases the error at the known spectra ({result.before:.1%} -> "
            f"{result.after:.1%}): they contradict each other; check the location and scale of "
            "each point with `print(hsi_xr.gains(...))` (--dry-run)",
            stacklevel=2,
        )
    return result


def calibrate(
    obj: Cube,
    known: Known | Gains,
    *,
    crs: str | None = None,
    scale: float = 1.0,
    smooth: float = SMOOTH,
) -> xr.Dataset:
    """Multiplies an estimated cube by a gain per band so that it matches known spectra.

    An RGB image does not determine the absolute brightness of the ground; one reference panel
    does. Gains are estimated immediately, from the pixels where spectra are known, and applied
    lazily. A few points determine little more than a level, many points a gain for each band.
    A point that disagrees with all others gets no weight. Calibration always starts from the
    model's estimate, so repeating it with the same spectra changes nothing.

    Args:
        obj: Cube from `reconstruct` or `open`: Dataset with `reflectance`, or DataArray.
        known: One of
            - points: a sequence of (x, y, spectrum), where the spectrum is a DataArray of
              reflectance over `wavelength` in nm; or of (x, y, spectrum, size), where the
              spectrum is the mean of a square of ground with sides of that size;
            - the path of a CSV file with the columns x, y, optionally size and name, and a
              column for each wavelength;
            - another product of the same ground in the same CRS, such as three Sentinel-2 bands:
              a DataArray (band, y, x) with the coordinates `wavelength` and `fwhm` in nm, or a
              path. The cube is averaged over the pixels of that product, and over its bands as
              Gaussians;
            - the result of `gains`, from another scene of the same flight.
        crs: CRS of points whose x and y are not in the cube's CRS, such as "EPSG:4326".
        scale: Factor from known values to reflectance in [0, 1]: 0.01 for percent, 1e-4 for
            stored integers.
        smooth: Length in nm over which the gain changes; `math.inf` for one gain for all bands.

    Returns:
        Dataset with `reflectance`, and `reflectance_std` if the cube has it. Its attributes
        (`hsi_xr_calibration...`) record gains, points, and errors before and after, and are
        written to files. `rgb_residual` is dropped: it describes the values before calibration.

    Raises:
        HsiError: No point is within the valid data of the cube, no wavelength is in both, or the
            known values are not reflectance in [0, 1]; see `hsi_xr.errors`.
    """
    fitted = (
        known
        if isinstance(known, Gains)
        else gains(obj, known, crs=crs, scale=scale, smooth=smooth)
    )
    cube = cube_of(obj)
    bands, order = bands_of(cube)
    factors = np.empty(len(bands), np.float32)
    factors[order] = gains_at(bands.centres, fitted.wavelengths, fitted.values) / applied_gains(
        {**cube.attrs, **obj.attrs}, bands.centres
    )
    return record(multiply(as_dataset(obj), factors), fitted)


def _check_options(scale: float, smooth: float) -> None:
    if not 0 < scale < np.inf:
        raise UsageError(f"scale must be a positive number; got {scale!r}")
    if not smooth > 0:
        raise UsageError(
            f"smooth must be a positive number of nm, or infinite for one gain; got {smooth!r}"
        )


def _find_sites(
    cube: xr.DataArray, bands: Bands, known: Known, crs: str | None, scale: float
) -> tuple[list[Site], str]:
    """Returns the sites with known spectra, and the name of their source."""
    source = "points"
    if isinstance(known, str | os.PathLike):
        source = Path(without_query(str(known))).name
        is_table = source.lower().endswith(_TABLE)
        known = read_table(Path(known)) if is_table else open_raster(known)
    if not isinstance(known, xr.Dataset | xr.DataArray):
        return sites_from_points(_as_points(known), cube, crs=crs, scale=scale), source
    if crs is not None:
        raise UsageError("`crs` is for points; a raster has its own CRS. Omit `crs`")
    product = _as_array(known)
    origin = str(product.encoding.get("source", product.name or "a product"))
    source = Path(without_query(origin)).name
    return sites_from_raster(product, cube, bands, scale), source


def _as_points(known: Sequence[Row]) -> list[Point]:
    if any(not 3 <= len(row) <= len(Point._fields) for row in known):
        raise InvalidData("a point must be (x, y, spectrum) with an optional size and name")
    return [Point(*row) for row in known]


def _as_array(known: Cube) -> xr.DataArray:
    if isinstance(known, xr.DataArray):
        return known
    images = [v for v in known.data_vars.values() if {*v.dims} == {"band", "y", "x"}]
    if len(images) != 1:
        raise UsageError(
            f"a product must be one array (band, y, x), but this dataset has {len(images)}; "
            "select one, or stack the bands, e.g. `ds[['B2', 'B3', 'B4']].to_dataarray('band')`"
        )
    return images[0]


def _compare(
    cube: xr.DataArray, bands: Bands, sites: Sequence[Site], applied: Vector
) -> list[tuple[Site, Comparison]]:
    """Pairs known with estimated spectra at the sites where the cube has data.

    Args:
        cube: Cube with bands by ascending wavelength.
        bands: Bands of the cube.
        sites: Sites within the cube.
        applied: (bands,) gains that the cube was multiplied by.
    """
    known = [site.spectrum.compare_with(bands) for site in sites]
    if not any(len(values) for values, _ in known):
        centres = [nm for site in sites for nm in site.spectrum.bands.centres]
        raise BandMismatch(
            f"the known spectra cover {min(centres):g} to {max(centres):g} nm, but none of the "
            f"cube's bands from {bands.centres[0]:g} to {bands.centres[-1]:g} nm; give spectra in "
            "that range"
        )
    estimates = box_means(cube, [site.box for site in sites]) / applied
    pairs = [_comparison(*each, estimate) for each, estimate in zip(known, estimates)]
    compared = [(site, pair) for site, pair in zip(sites, pairs) if pair is not None]
    if not compared:
        raise InvalidData(
            f"the cube has valid data at none of the {len(sites)} points on it; give other points"
        )
    return compared


def _comparison(values: Vector, mixing: Vector, estimate: Vector) -> Comparison | None:
    """Returns the comparison at a site; None if the cube has no data there, or only zeros."""
    if np.isnan(estimate).any():
        return None
    estimated = np.maximum(estimate, 0)
    positive = mixing @ estimated > 0
    if not positive.any():
        return None
    return Comparison(values[positive], estimated, mixing[positive])


def _residuals(
    compared: Sequence[tuple[Site, Comparison]], logs: Vector, weights: Vector
) -> tuple[PointResidual, ...]:
    return tuple(
        PointResidual(
            name=site.name,
            x=site.x,
            y=site.y,
            before=pair.error(np.zeros(len(logs))),
            after=pair.error(logs),
            weight=float(weight),
        )
        for (site, pair), weight in zip(compared, weights)
    )
