"""Spectral indices of a cube, by the formulas of spyndex (Awesome Spectral Indices)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.band_grid import Bands
from hsi_xr.errors import BandMismatch, UnknownName, UsageError
from hsi_xr.extras import require
from hsi_xr.io.cube import Cube, bands_of, cube_of, making, refuse_deviation
from hsi_xr.suggestions import did_you_mean

_LEAST = 2
"""Bands of a cube that must lie in the range of a letter: indices are of broad bands."""


def indices(obj: Cube, names: str | Sequence[str]) -> xr.DataArray:
    """Spectral indices by name, of those that need nothing but what the cube has.

    Formulas, the ranges of their bands and default constants are those of spyndex. A band of a
    formula (B, G, R, ...) is the mean of the cube's bands in its range; if the cube does not cover
    the range, the index is refused. Of what `to_sensor` gave, it is the one band of the sensor that
    lies in the range as a whole, nearest to its middle.

    Args:
        obj: A cube, as a Dataset with `reflectance` or as an array (band, y, x).
        names: Such as "NGRDI", or several.

    Returns:
        (y, x) for one name, (index, y, x) for several, lazy if the cube is; not finite where a
        formula divides by 0. Formula and bands are in the attributes.

    Raises:
        UsageError: spyndex is not installed, no name is given, or the cube is a deviation alone.
        UnknownName: No index of that name.
        BandMismatch: It needs what the cube has not.
    """
    require("spyndex")
    import spyndex

    refuse_deviation(obj)
    cube = cube_of(obj)
    own, order = bands_of(cube)
    bands = _Had(own, broad="hsi_xr_sensor" in making(cube) | making(obj))
    asked = [names] if isinstance(names, str) else list(names)
    if not asked:
        raise UsageError("no index is named; give one or several, e.g. 'NGRDI' or ['GLI', 'VARI']")
    for name in asked:
        _check(spyndex, name, bands)
    ascending = cube.isel(band=order)
    found = [_index(spyndex, name, ascending, bands) for name in asked]
    for each in found:
        each.attrs |= making(cube) | making(obj)
    if isinstance(names, str):
        return found[0]
    about = {name: "; ".join(each.attrs[name] for each in found) for name in ("formula", "bands")}
    stacked = xr.concat(found, xr.Variable("index", asked), combine_attrs="drop_conflicts")
    return stacked.rename("indices").assign_attrs(about)


@dataclass(frozen=True)
class _Had:
    """The bands of a cube, and whether they are a sensor's, such as indices were made for."""

    bands: Bands
    broad: bool

    def inside(self, low: float, high: float) -> NDArray[np.intp]:
        """Which make up a band of a formula; none where that cannot be had."""
        own = self.bands
        centres, widths = np.array(own.centres), np.array(own.widths)
        if self.broad:
            whole = (low <= centres - widths / 2) & (centres + widths / 2 <= high)
            within = np.flatnonzero(whole)
            return within[np.argsort(abs(centres[within] - (low + high) / 2))[:1]]
        found = np.flatnonzero((low <= centres) & (centres <= high))
        covered = own.extent[0] <= low and high <= own.extent[1]
        return found if covered and len(found) >= _LEAST else found[:0]

    def __str__(self) -> str:
        own = self.bands
        if self.broad:
            pairs = zip(own.centres, own.widths or ())
            return (
                "bands at " + ", ".join(f"{nm:g} (± {width / 2:g})" for nm, width in pairs) + " nm"
            )
        return f"{own.centres[0]:g} to {own.centres[-1]:g} nm in steps of {own.step:g}"


def _check(spyndex: Any, name: str, bands: _Had) -> None:
    if name not in spyndex.indices:
        raise UnknownName(
            f"no index is called {name!r}; {did_you_mean(name, spyndex.indices, closest=3)}this "
            "cube has the bands of "
            f"{', '.join(_possible(spyndex, bands)) or 'none'}"
        )
    lacking = _lacking(spyndex, name, bands)
    if lacking:
        raise BandMismatch(
            f"{name} needs {', '.join(lacking)}, and the cube has {bands}. It has the bands of "
            f"{', '.join(_possible(spyndex, bands)) or 'no index'}"
        )


def _possible(spyndex: Any, bands: _Had) -> list[str]:
    return [name for name in spyndex.indices if not _lacking(spyndex, name, bands)]


def _lacking(spyndex: Any, name: str, bands: _Had) -> list[str]:
    """What a formula needs beside constants, and a cube has not."""
    needed = [each for each in spyndex.indices[name].bands if each not in spyndex.constants]
    unknown = [each for each in needed if each not in spyndex.bands]
    ranges = {each: _range(spyndex, each) for each in needed if each in spyndex.bands}
    return unknown + [
        f"{letter} ({low:g} to {high:g} nm)"
        for letter, (low, high) in ranges.items()
        if not bands.inside(low, high).size
    ]


def _range(spyndex: Any, letter: str) -> tuple[float, float]:
    band = spyndex.bands[letter]
    return float(band.min_wavelength), float(band.max_wavelength)


def _index(spyndex: Any, name: str, cube: xr.DataArray, bands: _Had) -> xr.DataArray:
    about = spyndex.indices[name]
    constants = {each for each in about.bands if each in spyndex.constants}
    numbers: dict[str, Any] = {each: spyndex.constants[each].default for each in constants}
    used = []
    for letter in (each for each in about.bands if each not in constants):
        low, high = _range(spyndex, letter)
        inside = bands.inside(low, high)
        numbers[letter] = cube.isel(band=inside).mean("band", skipna=False)
        first, last = (bands.bands.centres[at] for at in (inside[0], inside[-1]))
        used.append(
            f"{letter} {first:g} to {last:g} nm" if last > first else f"{letter} {first:g} nm"
        )
    found: xr.DataArray = spyndex.computeIndex(name, numbers)
    found = found.rename(name)
    found.attrs = {
        "long_name": str(about.long_name),
        "units": "1",
        "formula": str(about.formula),
        "references": str(about.reference),
        "bands": ", ".join(used),
        **({"comment": f"of a {cube.attrs['comment']}"} if "comment" in cube.attrs else {}),
    }
    found.encoding = {"grid_mapping": cube.encoding.get("grid_mapping", "spatial_ref")}
    return found
