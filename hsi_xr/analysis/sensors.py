"""What a satellite or a multispectral camera would see of a cube."""

import os
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.analysis.bandpass import Bandpass, measured, published, weights
from hsi_xr.analysis.library import library
from hsi_xr.band_grid import Bands, nearest
from hsi_xr.errors import BandMismatch, UnknownName, UsageError
from hsi_xr.io.cube import Cube, bands_of, cube_of, making, refuse_deviation
from hsi_xr.io.wavelengths import COORDINATE_ATTRS
from hsi_xr.suggestions import did_you_mean

Sensor = str | os.PathLike[str] | xr.DataArray
"""A name of `sensors()`, or responses as a file or as an array (spectrum, wavelength)."""

_LEAST = 0.9
"""Share of a band's response that must lie within a cube."""
_BOUND = {
    "long_name": "bound of the standard deviation of reflectance",
    "units": "1",
    "comment": "mean of the deviations over the band: right if errors of neighbouring wavelengths "
    "go together, too large if not",
}


def sensors() -> list[str]:
    """Names of the sensors whose bands come with the package."""
    return sorted(published())


def to_sensor(obj: Cube, sensor: Sensor) -> xr.Dataset:
    """What a sensor would measure of a cube: averages over its bands.

    The spectrum is taken as lines between the cube's wavelengths, and integrated with the response
    of each band. Responses of named sensors are Gaussians of published centres and widths, since
    not all measured curves may be passed on; those of a file are as they stand there. A band is
    there if nine tenths of its response lie within the cube, and if it is not narrower than what
    the cube resolves; nothing is extrapolated. Neither the optics, the noise nor the atmosphere of
    the sensor are in the numbers.

    Args:
        obj: A cube, as a Dataset with `reflectance` or as an array (band, y, x).
        sensor: A name of `hsi_xr.sensors()`; or relative responses, one for each band: as the path
            of a file that `hsi_xr.library` reads (a CSV file with a column `wavelength` in nm and
            one for each band, or an ENVI library), or as what it gave.

    Returns:
        Dataset with `reflectance` (band, y, x) float32, lazy if the cube is; `band` holds the
        sensor's own names, `wavelength` and `fwhm` are in nm. A cube with `reflectance_std` gives
        one here, too: the mean over each band, a bound that is met where errors of neighbouring
        wavelengths go together. What was done, and which bands are left out, is in the attributes
        `hsi_xr_sensor...`. NaN where a number that counts is NaN.

    Raises:
        UnknownName: No sensor of that name.
        UnreadableFile: There is no such file.
        InvalidData: It holds no responses.
        BandMismatch: The cube has none of its bands as a whole.
        UsageError: The cube is a deviation alone, or the sensor is none of these.
    """
    refuse_deviation(obj)
    name, known = _responses(sensor)
    cube = cube_of(obj)
    own, order = bands_of(cube)
    table, share = weights(known, own)
    kept, left_out = _seen(known, own, share)
    if not kept:
        raise BandMismatch(
            f"the cube has {own.centres[0]:g} to {own.centres[-1]:g} nm in steps of {own.step:g}, "
            f"and not one band of {name} as a whole; `hsi_xr.sensors()` lists others"
        )
    seen, used = known.only(kept), table[kept].astype("float32")
    variables = {"reflectance": _averaged(cube.isel(band=order), used, seen)}
    if isinstance(obj, xr.Dataset) and "reflectance_std" in obj:
        spread = obj["reflectance_std"].transpose("band", "y", "x").isel(band=order)
        variables["reflectance_std"] = _averaged(spread, abs(used), seen)
        variables["reflectance_std"].attrs |= _BOUND
        variables["reflectance"].attrs["ancillary_variables"] = "reflectance_std"
    about = {
        "hsi_xr_sensor": name,
        "hsi_xr_sensor_bands": ", ".join(seen.names),
        "hsi_xr_sensor_response": known.source,
        "hsi_xr_sensor_sha256": known.sha256,
        "hsi_xr_sensor_left_out": left_out,
    }
    return xr.Dataset(variables, attrs={**making(cube), **making(obj), **about})


def _seen(known: Bandpass, own: Bands, share: NDArray[np.float64]) -> tuple[list[int], str]:
    """The bands of a sensor that a cube holds, and in words those that it does not."""
    low, high = own.extent
    kept, beyond, narrow = [], [], []
    for band, (name, centre) in enumerate(zip(known.names, known.bands.centres)):
        if share[band] < _LEAST:
            beyond.append(name)
        elif (known.bands.widths or ())[band] < _fine(own, centre):
            narrow.append(name)
        else:
            kept.append(band)
    groups = {
        f"not within {low:g} to {high:g} nm": beyond,
        "narrower than the bands of the cube": narrow,
    }
    told = [f"{', '.join(names)} ({why})" for why, names in groups.items() if names]
    return kept, "; ".join(told) or "none"


def _fine(own: Bands, wavelength: float) -> float:
    """What a cube resolves there, in nm: its bands are that wide, or that far apart."""
    at = nearest(own.centres, wavelength)
    gaps = np.diff(own.centres)[max(at - 1, 0) : at + 1]
    return max(float(gaps.max()), (own.widths or (0.0,) * len(own))[at])


def _averaged(cube: xr.DataArray, table: NDArray[np.float32], sensor: Bandpass) -> xr.DataArray:
    found: da.Array | NDArray[Any]
    if cube.chunks is None:
        found = _mixed(cube.values, table)
    else:
        whole = cube.data.rechunk({0: -1})
        found = da.map_blocks(
            _mixed,
            whole,
            table,
            chunks=((len(table),), *whole.chunks[1:]),
            meta=np.empty((0, 0, 0), dtype="float32"),
        )
    kept = {name: each for name, each in cube.coords.items() if "band" not in each.dims}
    array = xr.DataArray(found, dims=("band", "y", "x"), coords=kept, attrs=cube.attrs)
    array.attrs.pop("ancillary_variables", None)
    array.encoding = {"grid_mapping": cube.encoding.get("grid_mapping", "spatial_ref")}
    numbers = {"wavelength": sensor.bands.centres, "fwhm": sensor.bands.widths}
    labels: dict[str, Any] = {
        name: ("band", list(each or ()), COORDINATE_ATTRS[name]) for name, each in numbers.items()
    }
    return array.assign_coords(labels | {"band": list(sensor.names)})


def _mixed(cube: NDArray[Any], table: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, rows, columns) and (bands, n) -> (bands, rows, columns); what counts 0 may be NaN."""
    found = np.empty((len(table), *cube.shape[1:]), dtype="float32")
    for band, row in enumerate(table):
        used = np.flatnonzero(row)
        found[band] = np.tensordot(row[used], cube[used], 1)
    return found


def _responses(sensor: Sensor) -> tuple[str, Bandpass]:
    if isinstance(sensor, xr.DataArray):
        return _of_array(sensor)
    if isinstance(sensor, os.PathLike) or (isinstance(sensor, str) and _is_path(sensor)):
        return _of_array(library(sensor))
    if not isinstance(sensor, str):
        raise UsageError(
            "a sensor is a name of `hsi_xr.sensors()`, or responses as a file or an array; got "
            f"{sensor!r}"
        )
    if sensor in published():
        return sensor, published()[sensor]
    raise UnknownName(
        f"no sensor is called {sensor!r}; {did_you_mean(sensor, sensors(), closest=3)}known: "
        f"{', '.join(sensors())}; the path of a CSV file of responses is accepted, too"
    )


def _of_array(curves: xr.DataArray) -> tuple[str, Bandpass]:
    if {*curves.dims} != {"spectrum", "wavelength"}:
        raise UsageError(
            "responses are an array (spectrum, wavelength) as `hsi_xr.library` gives; this one has "
            f"{', '.join(map(str, curves.dims)) or 'no axes'}"
        )
    name = str(curves.attrs.get("source", "an array"))
    return name, measured(curves.transpose("spectrum", "wavelength").sortby("wavelength"), name)


def _is_path(sensor: str) -> bool:
    return sensor.lower().endswith((".csv", ".sli", ".hdr", ".txt")) or os.sep in sensor
