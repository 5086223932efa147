"""Spectral indices of a cube, by the formulas of spyndex (Awesome Spectral Indices)."""

import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from hsi_xr.errors import BandMismatch, UnknownName, UsageError
from hsi_xr.extras import require
from hsi_xr.raster.cube import Cube, bands_of, cube_of, making
from hsi_xr.spectra import Bands

_LEAST = 2
"""Bands of a cube that must lie in the range of a letter: indices are of broad bands."""


def indices(obj: Cube, names: str | Sequence[str]) -> xr.DataArray:
    """Spectral indices by name, of those that need nothing but what the cube has.

    Formulas, the ranges of their bands and default constants are those of spyndex. A band of a
    formula (B, G, R, ...) is the mean of the cube's bands in its range; if the cube does not cover
    the range, the index is refused.

    Args:
        obj: A cube, as a Dataset with `reflectance` or as an array (band, y, x).
        names: Such as "NGRDI", or several.

    Returns:
        (y, x) for one name, (index, y, x) for several, lazy if the cube is. Formula and bands are
        in the attributes.

    Raises:
        UsageError: spyndex is not installed, or no name is given.
        UnknownName: No index of that name.
        BandMismatch: It needs what the cube has not.
    """
    require("spyndex")
    import spyndex

    cube = cube_of(obj)
    bands, order = bands_of(cube)
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


def _check(spyndex: Any, name: str, bands: Bands) -> None:
    if name not in spyndex.indices:
        close = difflib.get_close_matches(name.upper(), spyndex.indices)
        asked = f"; did you mean {' or '.join(map(repr, close))}?" if close else "."
        raise UnknownName(
            f"no index is called {name!r}{asked} This cube has the bands of "
            f"{', '.join(_possible(spyndex, bands)) or 'none'}"
        )
    lacking = _lacking(spyndex, name, bands)
    if lacking:
        first, last = bands.centres[0], bands.centres[-1]
        raise BandMismatch(
            f"{name} needs {', '.join(lacking)}, and the cube has {first:g} to {last:g} nm in "
            f"steps of {bands.step:g}. It has the bands of "
            f"{', '.join(_possible(spyndex, bands)) or 'no index'}"
        )


def _possible(spyndex: Any, bands: Bands) -> list[str]:
    return [name for name in spyndex.indices if not _lacking(spyndex, name, bands)]


def _lacking(spyndex: Any, name: str, bands: Bands) -> list[str]:
    """What a formula needs beside constants, and a cube has not."""
    needed = [each for each in spyndex.indices[name].bands if each not in spyndex.constants]
    unknown = [each for each in needed if each not in spyndex.bands]
    ranges = {each: _range(spyndex, each) for each in needed if each in spyndex.bands}
    return unknown + [
        f"{letter} ({low:g} to {high:g} nm)"
        for letter, (low, high) in ranges.items()
        if not _covers(bands, low, high)
    ]


def _range(spyndex: Any, letter: str) -> tuple[float, float]:
    band = spyndex.bands[letter]
    return float(band.min_wavelength), float(band.max_wavelength)


def _covers(bands: Bands, low: float, high: float) -> bool:
    first, last = bands.extent
    inside = sum(low <= nm <= high for nm in bands.centres)
    return first <= low and high <= last and inside >= _LEAST


def _index(spyndex: Any, name: str, cube: xr.DataArray, bands: Bands) -> xr.DataArray:
    about = spyndex.indices[name]
    constants = {each for each in about.bands if each in spyndex.constants}
    numbers: dict[str, Any] = {each: spyndex.constants[each].default for each in constants}
    used = []
    for letter in (each for each in about.bands if each not in constants):
        low, high = _range(spyndex, letter)
        inside = np.flatnonzero([low <= nm <= high for nm in bands.centres])
        numbers[letter] = cube.isel(band=inside).mean("band", skipna=False)
        used.append(f"{letter} {bands.centres[inside[0]]:g} to {bands.centres[inside[-1]]:g} nm")
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
