"""Spectral indices by the formulas of spyndex (Awesome Spectral Indices)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.band_grid import Bands
from hsi_xr.errors import BandMismatch, UnknownName, UsageError
from hsi_xr.extras import require
from hsi_xr.io.cube import (
    Cube,
    bands_of,
    cube_of,
    derived_comment,
    refuse_deviation,
    shared_attributes,
)
from hsi_xr.suggestions import did_you_mean

_LEAST = 2
"""Cube bands required within the range of a formula's band: indices are for broad bands."""


def indices(obj: Cube, names: str | Sequence[str]) -> xr.DataArray:
    """Computes spectral indices by name.

    Formulas, band ranges and default constants are those of spyndex. A band of a formula (B, G,
    R, ...) is the mean of the cube's bands within its range; if the cube does not cover the range,
    the index is refused. For the result of `to_sensor`, it is the sensor's band that is entirely
    within the range and nearest to its middle.

    Args:
        obj: Cube: Dataset with `reflectance`, or DataArray ([sample,] band, y, x).
        names: Name of an index, such as "NGRDI", or a sequence of names.

    Returns:
        ([sample,] y, x) for one name, ([sample,] index, y, x) for a sequence; lazy if the cube is.
        Not finite where a formula divides by 0. The attributes state formula and bands. If the
        level of the scene is estimated, only ratios such as NDVI do not depend on it.

    Raises:
        UsageError: spyndex is not installed, `names` is empty, or `obj` is an uncertainty.
        UnknownName: There is no index of that name.
        BandMismatch: The index needs a band that the cube does not cover.
    """
    require("spyndex")
    import spyndex

    refuse_deviation(obj)
    cube = cube_of(obj, draws=True)
    own, order = bands_of(cube)
    bands = _Available(own, broad="hsi_xr_sensor" in shared_attributes(cube, obj))
    requested = [names] if isinstance(names, str) else list(names)
    if not requested:
        raise UsageError("no index was given; name one or several: 'NGRDI' or ['GLI', 'VARI']")
    for name in requested:
        _check(spyndex, name, bands)
    ascending = cube.isel(band=order)
    maps = [_index(spyndex, name, ascending, bands) for name in requested]
    for index in maps:
        index.attrs |= shared_attributes(cube, obj)
    if isinstance(names, str):
        return maps[0]
    attrs = {key: "; ".join(index.attrs[key] for index in maps) for key in ("formula", "bands")}
    stacked = xr.concat(maps, xr.Variable("index", requested), combine_attrs="drop_conflicts")
    return stacked.transpose(..., "index", "y", "x").rename("indices").assign_attrs(attrs)


@dataclass(frozen=True)
class _Available:
    """The bands of a cube.

    Attributes:
        bands: Centres and widths.
        broad: True for bands of a sensor, which indices are defined for.
    """

    bands: Bands
    broad: bool

    def within(self, low: float, high: float) -> NDArray[np.intp]:
        """Returns the indices of the bands that form a formula's band; empty if none do."""
        own = self.bands
        centres, widths = np.array(own.centres), np.array(own.widths)
        if self.broad:
            entirely = (low <= centres - widths / 2) & (centres + widths / 2 <= high)
            candidates = np.flatnonzero(entirely)
            return candidates[np.argsort(abs(centres[candidates] - (low + high) / 2))[:1]]
        candidates = np.flatnonzero((low <= centres) & (centres <= high))
        covered = own.extent[0] <= low and high <= own.extent[1]
        return candidates if covered and len(candidates) >= _LEAST else candidates[:0]

    def __str__(self) -> str:
        own = self.bands
        if self.broad:
            pairs = zip(own.centres, own.widths or ())
            return (
                "bands at " + ", ".join(f"{nm:g} (± {width / 2:g})" for nm, width in pairs) + " nm"
            )
        return f"{own.centres[0]:g} to {own.centres[-1]:g} nm in steps of {own.step:g}"


def _check(spyndex: Any, name: str, bands: _Available) -> None:
    if name not in spyndex.indices:
        raise UnknownName(
            f"no index is called {name!r}; {did_you_mean(name, spyndex.indices, closest=3)}this "
            f"cube has the bands for {', '.join(_possible(spyndex, bands)) or 'none'}"
        )
    if missing := _missing(spyndex, name, bands):
        raise BandMismatch(
            f"{name} needs {', '.join(missing)}, but the cube has {bands}. It has the bands for "
            f"{', '.join(_possible(spyndex, bands)) or 'no index'}"
        )


def _possible(spyndex: Any, bands: _Available) -> list[str]:
    return [name for name in spyndex.indices if not _missing(spyndex, name, bands)]


def _missing(spyndex: Any, name: str, bands: _Available) -> list[str]:
    """Returns the variables of a formula that are neither constants nor bands of the cube."""
    needed = [letter for letter in spyndex.indices[name].bands if letter not in spyndex.constants]
    unknown = [letter for letter in needed if letter not in spyndex.bands]
    ranges = {letter: _range(spyndex, letter) for letter in needed if letter in spyndex.bands}
    return unknown + [
        f"{letter} ({low:g} to {high:g} nm)"
        for letter, (low, high) in ranges.items()
        if not bands.within(low, high).size
    ]


def _range(spyndex: Any, letter: str) -> tuple[float, float]:
    band = spyndex.bands[letter]
    return float(band.min_wavelength), float(band.max_wavelength)


def _index(spyndex: Any, name: str, cube: xr.DataArray, bands: _Available) -> xr.DataArray:
    index = spyndex.indices[name]
    constants = {letter for letter in index.bands if letter in spyndex.constants}
    values: dict[str, Any] = {letter: spyndex.constants[letter].default for letter in constants}
    used = []
    for letter in (letter for letter in index.bands if letter not in constants):
        low, high = _range(spyndex, letter)
        inside = bands.within(low, high)
        values[letter] = cube.isel(band=inside).mean("band", skipna=False)
        first, last = (bands.bands.centres[at] for at in (inside[0], inside[-1]))
        used.append(
            f"{letter} {first:g} to {last:g} nm" if last > first else f"{letter} {first:g} nm"
        )
    result: xr.DataArray = spyndex.computeIndex(name, values)
    result = result.rename(name)
    result.attrs = {
        "long_name": str(index.long_name),
        "units": "1",
        "formula": str(index.formula),
        "references": str(index.reference),
        "bands": ", ".join(used),
        **derived_comment(cube),
    }
    result.encoding = {"grid_mapping": cube.encoding.get("grid_mapping", "spatial_ref")}
    return result
