"""`gains` and `calibrate`: a cube and known spectra in, a calibrated cube out."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from hsi_xr.band_grid import Bands
from hsi_xr.calibration.apply import dataset_of, labelled, multiplied
from hsi_xr.calibration.gains import Gains, PointResidual, applied, gains_at, rounded
from hsi_xr.calibration.robust import Comparison, Vector, log_gains
from hsi_xr.calibration.sites import Site, means
from hsi_xr.calibration.sites_from_points import Point, read_table, sites_of_points
from hsi_xr.calibration.sites_from_raster import sites_of_product
from hsi_xr.errors import BandMismatch, InvalidData, UsageError
from hsi_xr.io.cube import Cube, bands_of, cube_of
from hsi_xr.io.open import open as open_raster
from hsi_xr.io.remote import without_query

Row = Point | tuple[float, float, xr.DataArray]
Known = str | os.PathLike[str] | Sequence[Row] | xr.Dataset | xr.DataArray

_TABLE = ".csv"
_WORSE = 0.01
"""Relative error by which points may be further off than before; they disagree a little."""


def gains(
    obj: Cube,
    known: Known,
    *,
    crs: str | None = None,
    scale: float = 1.0,
    smooth: float = 60.0,
) -> Gains:
    """The factor of each band that brings an estimated cube to known spectra.

    Computes those pixels of the cube at once where something is known, and no others. The factors
    are of what the model estimated, also where the cube is calibrated already. See `calibrate`.
    """
    _check(scale, smooth)
    cube = cube_of(obj)
    bands, order = bands_of(cube)
    sites, source = _sites(cube, bands, known, crs, scale)
    already = applied({**cube.attrs, **obj.attrs}, bands.centres)
    compared = _compared(cube.isel(band=order), bands, sites, already)
    logs, counts = log_gains([pair for _, pair in compared], np.array(bands.centres), smooth)
    values = rounded(np.exp(logs))
    found = Gains(
        wavelengths=bands.centres,
        values=values,
        points=_judged(compared, np.log(values), counts),
        method=f"gain per band over {smooth:g} nm" if np.isfinite(smooth) else "one gain",
        source=source,
    )
    if found.after > found.before + _WORSE:
        warnings.warn(
            f"calibration brings the estimate further from the known spectra "
            f"({found.before:.1%} -> {found.after:.1%}), so they contradict each other; "
            "check their places and their scale, point by point: `print(hsi_xr.gains(...))` "
            "(--dry-run)",
            stacklevel=2,
        )
    return found


def calibrate(
    obj: Cube,
    known: Known | Gains,
    *,
    crs: str | None = None,
    scale: float = 1.0,
    smooth: float = 60.0,
) -> xr.Dataset:
    """Brings an estimated cube to spectra that are known on its ground, by a gain for each band.

    A picture does not tell how bright its ground is; one panel does. The gains are estimated now,
    from the pixels where something is known, and multiplied lazily. A few points give about a
    level; many a factor for each band. A point that disagrees with all others counts nothing.
    Calibrating again starts from the model's estimate: with the same spectra it changes nothing.

    Args:
        obj: A cube that `reconstruct` or `open` gave: Dataset with `reflectance`, or an array.
        known: One of
            - points, a sequence of (x, y, spectrum) where a spectrum is an array of reflectance
              over `wavelength` in nm; or (x, y, spectrum, size) where it is the mean of a square
              of ground with that side;
            - the path of a CSV file with columns x, y, perhaps size and name, and wavelengths;
            - another product of this ground in the same CRS, such as three bands of Sentinel-2:
              an array (band, y, x) with coordinates `wavelength` and `fwhm` in nm, or a path. The
              cube is averaged over its pixels, and over its bands by their Gaussians;
            - what `gains` gave, for another scene of the same flight.
        crs: Of points whose x, y are not in the cube's CRS, such as "EPSG:4326".
        scale: What brings known numbers to [0, 1]: 0.01 for percent, 1e-4 for stored integers.
        smooth: nm over which the gain changes; `math.inf` for one gain of all bands.

    Returns:
        Dataset with `reflectance`, and `reflectance_std` where there was one. Gains, points and
        errors before and after are in its attributes (`hsi_xr_calibration...`) and stay in files.
        `rgb_residual`, which is about the numbers before, is left out.

    Raises:
        HsiError: No point lies on the cube or on its data, no wavelength is in both, or what is
            known is no reflectance in [0, 1]; see `hsi_xr.errors`.
    """
    found = (
        known
        if isinstance(known, Gains)
        else gains(obj, known, crs=crs, scale=scale, smooth=smooth)
    )
    cube = cube_of(obj)
    bands, order = bands_of(cube)
    factors = np.empty(len(bands), np.float32)
    factors[order] = gains_at(bands.centres, found.wavelengths, found.values) / applied(
        {**cube.attrs, **obj.attrs}, bands.centres
    )
    return labelled(multiplied(dataset_of(obj), factors), found)


def _check(scale: float, smooth: float) -> None:
    if not 0 < scale < np.inf:
        raise UsageError(f"the scale is a positive number; got {scale!r}")
    if not smooth > 0:
        raise UsageError(
            f"smooth is a positive number of nm, or infinite for one gain; got {smooth!r}"
        )


def _sites(
    cube: xr.DataArray, bands: Bands, known: Known, crs: str | None, scale: float
) -> tuple[list[Site], str]:
    """Where something is known, and by what."""
    source = "points"
    if isinstance(known, str | os.PathLike):
        source = Path(without_query(str(known))).name
        is_table = source.lower().endswith(_TABLE)
        known = read_table(Path(known)) if is_table else open_raster(known)
    if not isinstance(known, xr.Dataset | xr.DataArray):
        return sites_of_points(_points(known), cube, crs=crs, scale=scale), source
    if crs is not None:
        raise UsageError("a product tells its own CRS; `crs` is that of points")
    product = _image(known)
    origin = str(product.encoding.get("source", product.name or "a product"))
    source = Path(without_query(origin)).name
    return sites_of_product(product, cube, bands, scale), source


def _points(known: Sequence[Row]) -> list[Point]:
    if any(not 3 <= len(row) <= len(Point._fields) for row in known):
        raise InvalidData("a point is x, y, spectrum, and perhaps size and name, in this order")
    return [Point(*row) for row in known]


def _image(known: Cube) -> xr.DataArray:
    if isinstance(known, xr.DataArray):
        return known
    images = [v for v in known.data_vars.values() if {*v.dims} == {"band", "y", "x"}]
    if len(images) != 1:
        raise UsageError(
            f"a product is one array (band, y, x); this dataset has {len(images)} of them. Give "
            "it, or stack its bands, e.g. `ds[['B2', 'B3', 'B4']].to_dataarray('band')`"
        )
    return images[0]


def _compared(
    cube: xr.DataArray, bands: Bands, sites: Sequence[Site], already: Vector
) -> list[tuple[Site, Comparison]]:
    """What is known beside what the model estimated, where both are.

    Args:
        cube: With bands by ascending wavelength.
        bands: Of the cube.
        sites: Within it.
        already: Gains that are in its numbers.
    """
    told = [site.spectrum.beside(bands) for site in sites]
    if not any(len(numbers) for numbers, _ in told):
        centres = [nm for site in sites for nm in site.spectrum.bands.centres]
        raise BandMismatch(
            f"the known spectra have {min(centres):g} to {max(centres):g} nm, and nothing at the "
            f"cube's {bands.centres[0]:g} to {bands.centres[-1]:g} nm; give spectra there"
        )
    estimates = means(cube, [site.box for site in sites]) / already
    pairs = [_comparison(*each, estimate) for each, estimate in zip(told, estimates)]
    compared = [(site, pair) for site, pair in zip(sites, pairs) if pair is not None]
    if not compared:
        raise InvalidData(
            f"of {len(sites)} points on the cube not one lies where it has data; give others"
        )
    return compared


def _comparison(numbers: Vector, mixing: Vector, estimate: Vector) -> Comparison | None:
    """None where the cube has no data, or nothing that a factor could change."""
    if np.isnan(estimate).any():
        return None
    estimated = np.maximum(estimate, 0)
    seen = mixing @ estimated > 0
    return Comparison(numbers[seen], estimated, mixing[seen]) if seen.any() else None


def _judged(
    compared: Sequence[tuple[Site, Comparison]], logs: Vector, counts: Vector
) -> tuple[PointResidual, ...]:
    return tuple(
        PointResidual(
            name=site.name,
            x=site.x,
            y=site.y,
            before=pair.error(np.zeros(len(logs))),
            after=pair.error(logs),
            count=float(count),
        )
        for (site, pair), count in zip(compared, counts)
    )
