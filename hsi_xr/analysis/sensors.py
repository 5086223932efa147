"""What a satellite or a multispectral camera would see of a cube, by its published bands."""

import csv
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.errors import BandMismatch, UnknownName
from hsi_xr.raster.cube import Cube, bands_of, cube_of, making
from hsi_xr.raster.wavelengths import COORDINATE_ATTRS
from hsi_xr.resampling import by_gaussians
from hsi_xr.spectra import Bands, nearest

TABLE = Path(__file__).with_name("sensors.csv")
RESPONSE = "Gaussians by published centre and width, not measured curves"


@dataclass(frozen=True)
class Sensor:
    """The bands of an instrument, by ascending wavelength."""

    names: tuple[str, ...]
    bands: Bands

    def only(self, kept: Sequence[int]) -> "Sensor":
        """Some of its bands, one at least."""
        widths = self.bands.widths or ()
        return Sensor(
            tuple(self.names[i] for i in kept),
            Bands(tuple(self.bands.centres[i] for i in kept), tuple(widths[i] for i in kept)),
        )


def sensors() -> list[str]:
    """Names of the sensors whose bands come with the package."""
    return sorted(_table())


def to_sensor(obj: Cube, sensor: str) -> xr.Dataset:
    """What a sensor would measure of a cube: averages over its bands.

    A band is a Gaussian of its published centre and width, since measured curves are not free of
    terms everywhere. It is there if all between its half maxima is within the cube, and if it is
    not narrower than what the cube resolves; nothing is extrapolated. Neither the optics, the
    noise nor the atmosphere of the sensor are in the numbers.

    Args:
        obj: A cube, as a Dataset with `reflectance` or as an array (band, y, x).
        sensor: A name of `hsi_xr.sensors()`.

    Returns:
        Dataset with `reflectance` (band, y, x) float32, lazy if the cube is; `band` holds the
        sensor's own names, `wavelength` and `fwhm` are in nm. What was done, and which bands
        are left out, is in the attributes `hsi_xr_sensor...`. There is no deviation: that of an
        average depends on how errors of neighbouring bands go together.

    Raises:
        UnknownName: No sensor of that name.
        BandMismatch: The cube has none of its bands as a whole.
    """
    known, cube = _sensor(sensor), cube_of(obj)
    own, order = bands_of(cube)
    seen = [i for i in range(len(known.names)) if _is_seen(known, i, own)]
    if not seen:
        raise BandMismatch(
            f"the cube has {own.centres[0]:g} to {own.centres[-1]:g} nm in steps of {own.step:g}, "
            f"and not one band of {sensor} as a whole; `hsi_xr.sensors()` lists others"
        )
    kept = known.only(seen)
    left_out = [name for name in known.names if name not in kept.names]
    attrs = {
        **making(cube),
        **making(obj),
        "hsi_xr_sensor": sensor,
        "hsi_xr_sensor_bands": ", ".join(kept.names),
        "hsi_xr_sensor_response": RESPONSE,
        "hsi_xr_sensor_left_out": ", ".join(left_out) or "none",
    }
    return xr.Dataset({"reflectance": _averaged(cube.isel(band=order), own, kept)}, attrs=attrs)


def _is_seen(sensor: Sensor, band: int, own: Bands) -> bool:
    centre, width = sensor.bands.centres[band], (sensor.bands.widths or ())[band]
    low, high = own.extent
    return low <= centre - width / 2 and centre + width / 2 <= high and width >= _fine(own, centre)


def _fine(own: Bands, wavelength: float) -> float:
    """What a cube resolves there, in nm: its bands are that wide, or that far apart."""
    at = nearest(own.centres, wavelength)
    gaps = np.diff(own.centres)[max(at - 1, 0) : at + 1]
    return max(float(gaps.max()), (own.widths or (0.0,) * len(own))[at])


def _averaged(cube: xr.DataArray, own: Bands, sensor: Sensor) -> xr.DataArray:
    at = np.array(own.centres, dtype="float32")
    found: da.Array | NDArray[Any]
    if cube.chunks is None:
        found = by_gaussians(cube.values, at, sensor.bands)
    else:
        whole = cube.data.rechunk({0: -1})
        found = da.map_blocks(
            by_gaussians,
            whole,
            at,
            sensor.bands,
            chunks=((len(sensor.names),), *whole.chunks[1:]),
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


def _sensor(name: str) -> Sensor:
    if name in _table():
        return _table()[name]
    close = difflib.get_close_matches(name.lower().replace(" ", "-").replace("_", "-"), sensors())
    asked = f"; did you mean {' or '.join(map(repr, close))}?" if close else "."
    raise UnknownName(f"no sensor is called {name!r}{asked} Known: {', '.join(sensors())}")


@cache
def _table() -> dict[str, Sensor]:
    with TABLE.open(newline="") as lines:
        rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    found = {}
    for name in {row["sensor"] for row in rows}:
        own = [row for row in rows if row["sensor"] == name]
        centres, widths = ([float(row[key]) for row in own] for key in ("centre", "fwhm"))
        names = tuple(row["band"] for row in own)
        found[name] = Sensor(names, Bands(tuple(centres), tuple(widths)))
    return found
