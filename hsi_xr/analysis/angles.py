"""Spectral angles between the pixels of a cube and known spectra."""

import warnings
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.band_grid import Bands, resample
from hsi_xr.errors import BandMismatch, InvalidData
from hsi_xr.io.cube import Cube, bands_of, cube_of, making, refuse_deviation, sorted_bands

_TOGETHER = 16
"""Spectra of a lazy answer that are one chunk: a large library need not fit into memory."""


def sam(obj: Cube, spectra: Cube, *, degrees: bool = False) -> xr.DataArray:
    """Angle between every pixel and one or many spectra: sees their shape, not their brightness.

    Finer spectra are averaged by the Gaussians of the cube's bands, coarser ones lie between two of
    their own numbers. Angles are over the bands of the cube that all the spectra tell of, so that
    they can be compared; attribute `bands` tells how many.

    Args:
        obj: A cube, as a Dataset with `reflectance` or as an array (band, y, x).
        spectra: Over dimension `wavelength` in nm (or `band`, with that coordinate), in any
            positive scale, and perhaps along one more: what `hsi_xr.library` and `spectrum` give
            (of a dataset, its `reflectance`).
        degrees: Instead of radians; attribute `units` tells.

    Returns:
        (spectrum, y, x) float32 in [0, pi], lazy if the cube is; (y, x) for one spectrum. NaN where
        a number is NaN, or all of a spectrum is zero.

    Raises:
        InvalidData: The spectra are no such array.
        BandMismatch: They tell of less than two bands of the cube.
        UsageError: The cube is a deviation alone.

    Source:
        Kruse et al. 1993, Remote Sensing of Environment 44, 145-163.
    """
    refuse_deviation(obj)
    cube = cube_of(obj)
    bands, order = bands_of(cube)
    if isinstance(spectra, xr.Dataset) and "reflectance" in spectra:
        spectra = spectra["reflectance"]
    table, others = _on_bands(spectra, bands)
    known = np.asarray(np.isfinite(table).all(0))
    _check(known, table, bands)
    directions = _directions(table[:, known].T).T
    pixels = cube.isel(band=order[known])
    angles = _angles_of(pixels, directions, degrees)
    kept = {name: each for name, each in cube.coords.items() if "band" not in each.dims}
    about = {
        **making(cube),
        **making(obj),
        "long_name": "spectral angle",
        "units": "degree" if degrees else "radian",
        "bands": f"{known.sum()} of {len(known)}",
        **({"comment": f"of a {cube.attrs['comment']}"} if "comment" in cube.attrs else {}),
    }
    dims = ("spectrum", "y", "x")
    found = xr.DataArray(angles, dims=dims, coords=kept, attrs=about, name="spectral_angle")
    found.encoding = {"grid_mapping": cube.encoding.get("grid_mapping", "spatial_ref")}
    if spectra.ndim < 2:
        return found.isel(spectrum=0)
    return found.assign_coords({name: each for name, each in others.items() if name not in kept})


def _on_bands(spectra: Any, bands: Bands) -> tuple[NDArray[np.float64], dict[str, xr.Variable]]:
    """(spectra, bands), and the coordinates along the first axis."""
    dims = spectra.dims if isinstance(spectra, xr.DataArray) else ()
    axis = next((dim for dim in ("wavelength", "band") if dim in dims), None)
    if axis is None or "wavelength" not in spectra.coords or len(dims) > 2:
        raise InvalidData(
            f"spectra are an array over `wavelength` in nm, and perhaps one dimension more; this "
            f"one has {', '.join(map(str, dims)) or 'none'}. Give what `hsi_xr.library` "
            "gave, or xr.DataArray(values, {'wavelength': nm}, 'wavelength')"
        )
    own, order = sorted_bands(spectra, "the spectra")
    values = spectra.transpose(axis, ...).values[order].astype("float32")
    table = resample(values.reshape(len(own), -1), own, bands).T.astype("float64")
    others = {
        str(name): xr.Variable("spectrum", each.variable)
        for name, each in spectra.coords.items()
        if each.ndim == 1 and axis not in each.dims
    }
    (dim,) = {*spectra.dims} - {axis} or {"spectrum"}
    return table, {("spectrum" if name == dim else name): each for name, each in others.items()}


def _check(known: NDArray[np.bool_], table: NDArray[np.float64], bands: Bands) -> None:
    """All spectra tell of two bands, and better of all."""
    missing = [f"{nm:g}" for nm, there in zip(bands.centres, known) if not there]
    if known.sum() < 2:
        least = int(np.isfinite(table).sum(1).argmin())
        raise BandMismatch(
            f"the spectra tell together of {known.sum()} of the cube's {len(known)} bands "
            f"({bands.centres[0]:g} to {bands.centres[-1]:g} nm), number {least} (from 0) of the "
            "fewest; angles need two. Leave out spectra of other wavelengths"
        )
    if missing:
        warnings.warn(
            f"not all the spectra tell of {', '.join(missing)} nm; the angles are over the other "
            f"{known.sum()} bands",
            stacklevel=3,
        )


def _angles_of(
    cube: xr.DataArray, directions: NDArray[np.float64], degrees: bool
) -> da.Array | NDArray[np.float32]:
    if cube.chunks is None:
        return _angles(directions, cube.values, degrees)
    lazy = da.from_array(directions, chunks=(_TOGETHER, -1))
    whole = cube.data.rechunk({0: -1})
    meta = np.empty((0, 0, 0), dtype="float32")
    return da.blockwise(
        _angles, "syx", lazy, "sb", whole, "byx", degrees, None, concatenate=True, meta=meta
    )


def _angles(
    directions: NDArray[np.float64], values: NDArray[Any], degrees: bool
) -> NDArray[np.float32]:
    """(spectra, bands) of length 1 and (bands, rows, columns) -> (spectra, rows, columns).

    By inner products, all spectra at once. In float64 they miss an angle by 2e-8 rad at most, which
    is less than float32 holds of the numbers that it is taken of.
    """
    cosines = np.tensordot(directions, _directions(values), 1)
    angles = np.arccos(cosines.clip(-1, 1, out=cosines), out=cosines)
    return (np.degrees(angles, out=angles) if degrees else angles).astype("float32")


def _directions(values: NDArray[Any]) -> NDArray[np.float64]:
    """(bands, ...) as spectra of length 1; NaN where all is zero."""
    numbers = values.astype("float64")
    length = np.sqrt(np.square(numbers).sum(0))
    return np.asarray(numbers / np.where(length > 0, length, np.nan))
