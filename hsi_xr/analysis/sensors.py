"""Simulates the bands of satellite sensors and multispectral cameras from a cube."""

import os
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.analysis.library import library
from hsi_xr.band_grid import Bands, nearest
from hsi_xr.camera.bandpass import LEAST, Bandpass, measured, published, sensors, weights
from hsi_xr.errors import BandMismatch, UnknownName, UsageError
from hsi_xr.io.cube import Cube, bands_of, cube_of, refuse_deviation, shared_attributes
from hsi_xr.io.wavelengths import COORDINATE_ATTRS
from hsi_xr.output_variables import SAMPLE, companions_among, probability_of
from hsi_xr.suggestions import did_you_mean

Sensor = str | os.PathLike[str] | xr.DataArray
"""A name in `sensors()`, or responses as a file or as a DataArray (spectrum, wavelength)."""

_BOUND = {
    "long_name": "bound of the standard deviation of reflectance",
    "units": "1",
    "comment": "mean of the deviations over the band: exact if the errors of neighbouring "
    "wavelengths are fully correlated, too large otherwise",
}
_MEAN_OF_QUANTILES = (
    "mean of the quantiles over the band, for the stated level of the scene: exact if the errors "
    "of neighbouring wavelengths are fully correlated"
)


def to_sensor(obj: Cube, sensor: Sensor) -> xr.Dataset:
    """Averages a cube over the bands of a sensor.

    The spectrum of each pixel is interpolated linearly and integrated with the response of each
    band. Named sensors have measured responses where they may be redistributed, and Gaussians
    with published centres and widths elsewhere; responses from a file are used as they are. A band
    is returned if nine tenths of its response are within the range of the cube, and if it is not
    narrower than the cube's own bands; nothing is extrapolated. Optics, noise and atmosphere are
    not simulated.

    Args:
        obj: Cube: Dataset with `reflectance`, or DataArray ([sample,] band, y, x).
        sensor: A name in `hsi_xr.sensors()`; or relative responses, one per band: the path of a
            file that `hsi_xr.library` reads (a CSV table with a column `wavelength` in nm and one
            per band, or an ENVI library), or the result of `hsi_xr.library`.

    Returns:
        Dataset with `reflectance` ([sample,] band, y, x) float32, lazy if the cube is; `band` has
        the names of the sensor's bands, `wavelength` and `fwhm` are in nm. If the cube has
        `reflectance_std`, so has the result: the mean over each band, an upper bound that is
        reached where the errors of neighbouring wavelengths are fully correlated. Quantiles are
        means as well, exact in the same case; there are none for responses with negative values.
        Variables without bands, such as `out_of_domain` and the scalars of the level, are those of
        the cube. The attributes `hsi_xr_sensor...` state the responses and the bands that were left
        out. NaN where a band with positive weight is NaN.

    Raises:
        UnknownName: There is no sensor of that name.
        UnreadableFile: The file of responses cannot be read.
        InvalidData: The file contains no responses.
        BandMismatch: The cube covers none of the sensor's bands.
        UsageError: `obj` is an uncertainty, or `sensor` has another type.
    """
    refuse_deviation(obj)
    name, responses = _find_responses(sensor)
    cube = cube_of(obj, draws=True)
    own, order = bands_of(cube)
    table, covered = weights(responses, own)
    kept, left_out = _usable_bands(responses, own, covered)
    if not kept:
        raise BandMismatch(
            f"the cube has bands from {own.centres[0]:g} to {own.centres[-1]:g} nm in steps of "
            f"{own.step:g}, which covers no band of {name}; `hsi_xr.sensors()` lists other sensors"
        )
    simulated, used = responses.select(kept), table[kept].astype("float32")
    variables = {"reflectance": _average(cube.isel(band=order), used, simulated)}
    if isinstance(obj, xr.Dataset):
        variables |= _companions(obj, order, used, simulated)
        if names := companions_among(variables):
            variables["reflectance"].attrs["ancillary_variables"] = " ".join(names)
        variables |= {str(k): v for k, v in obj.data_vars.items() if {*v.dims} <= {SAMPLE}}
    provenance = {
        "hsi_xr_sensor": name,
        "hsi_xr_sensor_bands": ", ".join(simulated.names),
        "hsi_xr_sensor_response": responses.source,
        "hsi_xr_sensor_sha256": responses.sha256,
        "hsi_xr_sensor_left_out": left_out,
    }
    return xr.Dataset(variables, attrs={**shared_attributes(cube, obj), **provenance})


def _companions(
    obj: xr.Dataset, order: NDArray[np.intp], table: NDArray[np.float32], sensor: Bandpass
) -> dict[str, xr.DataArray]:
    """Returns the companions of a cube, averaged over the bands of a sensor if they have bands.

    Args:
        obj: The cube.
        order: Indices of its bands by ascending wavelength.
        table: Their weights in the bands of the sensor, (sensor bands, bands).
        sensor: The bands of the sensor.
    """
    found: dict[str, xr.DataArray] = {}
    for name in companions_among(obj.data_vars):
        is_quantile = probability_of(name) is not None
        if "band" not in obj[name].dims:
            found[name] = obj[name]
        elif not is_quantile or (table >= 0).all():
            cube = obj[name].transpose(..., "band", "y", "x").isel(band=order)
            found[name] = _average(cube, abs(table), sensor)
            found[name].attrs |= {"comment": _MEAN_OF_QUANTILES} if is_quantile else _BOUND
    return found


def _usable_bands(
    responses: Bandpass, own: Bands, covered: NDArray[np.float64]
) -> tuple[list[int], str]:
    """Returns the indices of the sensor's bands that a cube covers, and text on the others."""
    low, high = own.extent
    kept, beyond, narrow = [], [], []
    for band, (name, centre) in enumerate(zip(responses.names, responses.bands.centres)):
        if covered[band] < LEAST:
            beyond.append(name)
        elif (responses.bands.widths or ())[band] < _resolution(own, centre):
            narrow.append(name)
        else:
            kept.append(band)
    groups = {
        f"not within {low:g} to {high:g} nm": beyond,
        "narrower than the bands of the cube": narrow,
    }
    reasons = [f"{', '.join(names)} ({why})" for why, names in groups.items() if names]
    return kept, "; ".join(reasons) or "none"


def _resolution(own: Bands, wavelength: float) -> float:
    """Returns the width or the spacing of a cube's bands near a wavelength, whichever is larger."""
    at = nearest(own.centres, wavelength)
    gaps = np.diff(own.centres)[max(at - 1, 0) : at + 1]
    return max(float(gaps.max()), (own.widths or (0.0,) * len(own))[at])


def _average(cube: xr.DataArray, table: NDArray[np.float32], sensor: Bandpass) -> xr.DataArray:
    values: da.Array | NDArray[np.float32]
    cube = cube.transpose("band", ...)
    if cube.chunks is None:
        values = _mix(cube.values, table)
    else:
        spectra = cube.data.rechunk({0: -1})
        values = da.map_blocks(
            _mix,
            spectra,
            table,
            chunks=((len(table),), *spectra.chunks[1:]),
            meta=np.empty((0,) * cube.ndim, dtype="float32"),
        )
    coords = {name: coord for name, coord in cube.coords.items() if "band" not in coord.dims}
    array = xr.DataArray(values, dims=cube.dims, coords=coords, attrs=cube.attrs)
    array = array.transpose(..., "band", "y", "x")
    array.attrs.pop("ancillary_variables", None)
    array.encoding = {"grid_mapping": cube.encoding.get("grid_mapping", "spatial_ref")}
    nm = {"wavelength": sensor.bands.centres, "fwhm": sensor.bands.widths}
    labels: dict[str, Any] = {
        name: ("band", list(values or ()), COORDINATE_ATTRS[name]) for name, values in nm.items()
    }
    return array.assign_coords(labels | {"band": list(sensor.names)})


def _mix(cube: NDArray[Any], table: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, ...) and weights (bands, n) -> (bands, ...).

    Bands of weight 0 may be NaN.
    """
    mixed = np.empty((len(table), *cube.shape[1:]), dtype="float32")
    for band, row in enumerate(table):
        used = np.flatnonzero(row)
        mixed[band] = np.tensordot(row[used], cube[used], 1)
    return mixed


def _find_responses(sensor: Sensor) -> tuple[str, Bandpass]:
    if isinstance(sensor, xr.DataArray):
        return _parse_curves(sensor)
    if isinstance(sensor, os.PathLike) or (isinstance(sensor, str) and _is_path(sensor)):
        return _parse_curves(library(sensor))
    if not isinstance(sensor, str):
        raise UsageError(
            "a sensor must be a name in `hsi_xr.sensors()`, or responses as a file or DataArray; "
            f"got {sensor!r}"
        )
    if sensor in published():
        return sensor, published()[sensor]
    raise UnknownName(
        f"no sensor is called {sensor!r}; {did_you_mean(sensor, sensors(), closest=3)}known: "
        f"{', '.join(sensors())}; the path of a CSV file of responses works as well"
    )


def _parse_curves(curves: xr.DataArray) -> tuple[str, Bandpass]:
    if {*curves.dims} != {"spectrum", "wavelength"}:
        raise UsageError(
            "responses must be a DataArray (spectrum, wavelength), as `hsi_xr.library` returns; "
            f"got dimensions {', '.join(map(str, curves.dims)) or 'none'}"
        )
    name = str(curves.attrs.get("source", "an array"))
    table = curves.transpose("spectrum", "wavelength").sortby("wavelength")
    names = [str(label) for label in table["spectrum"].values]
    return name, measured(names, table["wavelength"].values, table.values, name)


def _is_path(sensor: str) -> bool:
    return sensor.lower().endswith((".csv", ".sli", ".hdr", ".txt")) or os.sep in sensor
