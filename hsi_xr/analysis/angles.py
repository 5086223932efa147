"""Spectral angles between the pixels of a cube and known spectra."""

import warnings
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.band_grid import Bands, resample
from hsi_xr.errors import BandMismatch, InvalidData
from hsi_xr.io.cube import (
    Cube,
    bands_of,
    cube_of,
    derived_comment,
    refuse_deviation,
    shared_attributes,
    sorted_bands,
)

_CHUNK = 16
"""Spectra per chunk of a lazy result, so that a large library need not fit into memory."""


def sam(obj: Cube, spectra: Cube, *, degrees: bool = False) -> xr.DataArray:
    """Computes the spectral angle between every pixel and one or many spectra.

    The angle compares the shape of spectra and ignores their brightness. Spectra finer than the
    cube are averaged with the Gaussians of its bands; coarser ones are interpolated linearly. All
    angles use the same bands, those that every spectrum covers, so that they can be compared; the
    attribute `bands` states how many.

    Args:
        obj: Cube: Dataset with `reflectance`, or DataArray ([sample,] band, y, x).
        spectra: Spectra over the dimension `wavelength` in nm (or over `band` with that
            coordinate), in any positive scale, with at most one more dimension: the result of
            `hsi_xr.library` or `spectrum`. Of a Dataset, `reflectance` is used.
        degrees: Return degrees instead of radians.

    Returns:
        ([sample,] spectrum, y, x) float32 in [0, pi], without `spectrum` for a single one; lazy if
        the cube is. NaN where a value is NaN or a spectrum is zero in all bands.

    Raises:
        InvalidData: `spectra` is not such an array.
        BandMismatch: The spectra cover fewer than two bands of the cube.
        UsageError: `obj` is an uncertainty, not reflectance.

    Source:
        Kruse et al. 1993, Remote Sensing of Environment 44, 145-163.
    """
    refuse_deviation(obj)
    cube = cube_of(obj, draws=True)
    bands, order = bands_of(cube)
    if isinstance(spectra, xr.Dataset) and "reflectance" in spectra:
        spectra = spectra["reflectance"]
    table, labels = _resample(spectra, bands)
    known = np.asarray(np.isfinite(table).all(0))
    _check_coverage(known, table, bands)
    directions = _directions(table[:, known].T).T
    pixels = cube.isel(band=order[known]).transpose("band", ...)
    angles = _lazy_angles(pixels, directions, degrees)
    coords = {name: coord for name, coord in cube.coords.items() if "band" not in coord.dims}
    attrs = {
        **shared_attributes(cube, obj),
        "long_name": "spectral angle",
        "units": "degree" if degrees else "radian",
        "bands": f"{known.sum()} of {len(known)}",
        **derived_comment(cube),
    }
    dims = ("spectrum", *pixels.dims[1:])
    result = xr.DataArray(angles, dims=dims, coords=coords, attrs=attrs, name="spectral_angle")
    result = result.transpose(..., "spectrum", "y", "x")
    result.encoding = {"grid_mapping": cube.encoding.get("grid_mapping", "spatial_ref")}
    if spectra.ndim < 2:
        return result.isel(spectrum=0)
    return result.assign_coords({k: label for k, label in labels.items() if k not in coords})


def _resample(spectra: Any, bands: Bands) -> tuple[NDArray[np.float64], dict[str, xr.Variable]]:
    """Returns values (spectra, bands), and the coordinates along the first axis."""
    dims = spectra.dims if isinstance(spectra, xr.DataArray) else ()
    axis = next((dim for dim in ("wavelength", "band") if dim in dims), None)
    if axis is None or "wavelength" not in spectra.coords or len(dims) > 2:
        raise InvalidData(
            "spectra must be a DataArray over `wavelength` in nm with at most one more dimension; "
            f"got dimensions {', '.join(map(str, dims)) or 'none'}. Pass the result of "
            "`hsi_xr.library`, or xr.DataArray(values, {'wavelength': nm}, 'wavelength')"
        )
    own, order = sorted_bands(spectra, "the spectra")
    values = spectra.transpose(axis, ...).values[order].astype("float32")
    table = resample(values.reshape(len(own), -1), own, bands).T.astype("float64")
    labels = {
        str(name): xr.Variable("spectrum", coord.variable)
        for name, coord in spectra.coords.items()
        if coord.ndim == 1 and axis not in coord.dims
    }
    (dim,) = {*spectra.dims} - {axis} or {"spectrum"}
    return table, {("spectrum" if name == dim else name): x for name, x in labels.items()}


def _check_coverage(known: NDArray[np.bool_], table: NDArray[np.float64], bands: Bands) -> None:
    """Checks that all spectra cover at least two bands in common; warns if any band is missing."""
    missing = [f"{nm:g}" for nm, is_known in zip(bands.centres, known) if not is_known]
    if known.sum() < 2:
        least = int(np.isfinite(table).sum(1).argmin())
        raise BandMismatch(
            f"only {known.sum()} of the cube's {len(known)} bands ({bands.centres[0]:g} to "
            f"{bands.centres[-1]:g} nm) are covered by every spectrum, but angles need two; "
            f"spectrum {least} (counted from 0) covers the fewest. Remove spectra of other "
            "wavelengths"
        )
    if missing:
        warnings.warn(
            f"not all spectra cover {', '.join(missing)} nm; angles use the other "
            f"{known.sum()} bands",
            stacklevel=3,
        )


def _lazy_angles(
    cube: xr.DataArray, directions: NDArray[np.float64], degrees: bool
) -> da.Array | NDArray[np.float32]:
    if cube.chunks is None:
        return _angles(directions, cube.values, degrees)
    lazy = da.from_array(directions, chunks=(_CHUNK, -1))
    whole = cube.data.rechunk({0: -1})
    spectrum, band, *others = range(cube.ndim + 1)
    return da.blockwise(
        _angles,
        (spectrum, *others),
        lazy,
        (spectrum, band),
        whole,
        (band, *others),
        degrees,
        None,
        concatenate=True,
        meta=np.empty((0,) * cube.ndim, dtype="float32"),
    )


def _angles(
    directions: NDArray[np.float64], values: NDArray[Any], degrees: bool
) -> NDArray[np.float32]:
    """(spectra, bands) of length 1 and (bands, ...) -> (spectra, ...).

    Inner products in float64 serve all spectra at once; their arccos is off by 2e-8 rad at most,
    less than the rounding of the float32 input.
    """
    cosines = np.tensordot(directions, _directions(values), 1)
    angles = np.arccos(cosines.clip(-1, 1, out=cosines), out=cosines)
    return (np.degrees(angles, out=angles) if degrees else angles).astype("float32")


def _directions(values: NDArray[Any]) -> NDArray[np.float64]:
    """Scales spectra (bands, ...) to length 1; NaN where a spectrum is zero in all bands."""
    values = values.astype("float64")
    length = np.sqrt(np.square(values).sum(0))
    return np.asarray(values / np.where(length > 0, length, np.nan))
