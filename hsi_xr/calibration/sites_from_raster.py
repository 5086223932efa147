"""Spectra known from another product of the same ground, with larger pixels and wider bands."""

from itertools import count
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.band_grid import Bands
from hsi_xr.calibration.known_spectrum import BRIGHT, Spectrum
from hsi_xr.calibration.sites import Box, Site
from hsi_xr.errors import BandMismatch, InvalidData, MissingFact, NotGeoreferenced, UsageError
from hsi_xr.io import grid
from hsi_xr.io.cube import sorted_bands
from hsi_xr.io.georef import crs_of, transform_of

if TYPE_CHECKING:
    from affine import Affine

Edges = tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]
"""Low and high ends of the product's rows or columns, in pixels of the cube."""

_MOST = 100
"""Pixels that are looked at: more tell nothing new, and each has a part of the cube computed."""
_GLINTS = 0.01
"""Share of numbers that may be brighter than ground."""
_SMALLER = 0.99
"""Ratio of areas below which pixels are smaller than those of the cube."""


def sites_of_product(
    product: xr.DataArray, cube: xr.DataArray, own: Bands, scale: float
) -> list[Site]:
    """Pixels of a product that lie on a cube as a whole, spread over it.

    A pixel counts where all bands near the cube's wavelengths are known and positive.

    Args:
        product: (band, y, x) in the CRS of the cube, with `wavelength` and `fwhm` of its bands.
        cube: (band, y, x) with its transform.
        own: Its bands.
        scale: What brings its numbers to reflectance in [0, 1].

    Raises:
        InvalidData: It has another CRS, turned axes, smaller pixels, or no reflectance.
        MissingFact: It does not tell the wavelengths, or the widths of bands that are wide.
        BandMismatch: It has no band at the wavelengths of the cube.
        UsageError: No pixel of it lies on the cube.
    """
    array, bands = _near(_ordered(product), own)
    edges = _edges(array, cube)
    inside = [
        np.flatnonzero((low >= -1e-6) & (high <= cube.sizes[dim] + 1e-6))
        for dim, (low, high) in zip(("y", "x"), edges)
    ]
    if not all(len(found) for found in inside):
        raise UsageError(
            "no pixel of the product lies on the cube as a whole; give a product of the same "
            "ground, whose pixels are smaller than the cube"
        )
    rows, columns = _spread(*inside)
    values = np.asarray(array.isel(y=rows, x=columns).values, np.float64) * scale
    usable = _usable(values)
    found = []
    for i, j in np.argwhere(usable):
        row, column = int(rows[i]), int(columns[j])
        box = _box(edges, row, column)
        centre = [(box.left + box.columns / 2, box.top + box.rows / 2)]
        ((x, y),) = grid.points(_transform(cube, "cube"), centre).tolist()
        found.append(Site(f"pixel {row}, {column}", x, y, box, Spectrum(bands, values[:, i, j])))
    return found


def _ordered(product: xr.DataArray) -> xr.DataArray:
    if {*product.dims} != {"band", "y", "x"}:
        raise InvalidData(
            f"a product has the axes band, y, x; this one has {', '.join(map(str, product.dims))}. "
            "Rename them, e.g. `product.rename(latitude='y', longitude='x')`"
        )
    if "wavelength" not in product.coords:
        raise MissingFact(
            "the product does not tell the wavelengths of its bands; assign centres and widths in "
            "nm, e.g. `product.assign_coords(wavelength=('band', [492, 560, 665]), "
            "fwhm=('band', [66, 36, 31]))` (--known-bands 492/66,560/36,665/31)"
        )
    return product.transpose("band", "y", "x")


def _near(product: xr.DataArray, cube: Bands) -> tuple[xr.DataArray, Bands]:
    """Its bands that are about those of the cube, by wavelength."""
    bands, order = sorted_bands(product, "the product")
    centres, own = np.array(bands.centres), cube.centres
    step = np.median(np.diff(own))
    near = (centres >= own[0] - step) & (centres <= own[-1] + step)
    if not near.any():
        raise BandMismatch(
            f"the product has {centres[0]:g} to {centres[-1]:g} nm and the cube {own[0]:g} to "
            f"{own[-1]:g} nm; give a product with bands there"
        )
    widths = np.array(bands.widths)[near]
    if np.isnan(widths).any() and not (np.diff(centres[near]) < 2 * step).all():
        raise MissingFact(
            "the product's bands are further apart than the cube's, and it does not tell their "
            "widths; assign them in nm, e.g. `product.assign_coords(fwhm=('band', [66, 36, 31]))` "
            "(--known-bands 492/66,560/36,665/31)"
        )
    return product.isel(band=order[near]), Bands(
        tuple(centres[near].tolist()), tuple(widths.tolist())
    )


def _edges(product: xr.DataArray, cube: xr.DataArray) -> tuple[Edges, Edges]:
    far, near, crs = _transform(product, "product"), _transform(cube, "cube"), crs_of(cube)
    if crs_of(product) != crs or any(t.b or t.d for t in (far, near)):
        raise InvalidData(
            f"the product has another CRS than the cube, {crs}, or turned axes; bring it to those "
            "of the cube first, e.g. `product.rio.reproject(cube.rio.crs)`"
        )
    if abs(far.determinant) < _SMALLER * abs(near.determinant):
        raise InvalidData(
            "the product has smaller pixels than the cube; average them first, e.g. "
            "`product.coarsen(y=10, x=10, boundary='trim').mean()`"
        )
    rows = (far.f + far.e * np.arange(product.sizes["y"] + 1) - near.f) / near.e
    columns = (far.c + far.a * np.arange(product.sizes["x"] + 1) - near.c) / near.a
    return _ends(rows), _ends(columns)


def _transform(array: xr.DataArray, name: str) -> "Affine":
    transform = transform_of(array)
    if transform is None:
        raise NotGeoreferenced(
            f"the {name} has no transform, so pixels of product and cube cannot be compared"
        )
    return transform


def _spread(*inside: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Every n-th row and column, so that there are few enough pixels."""
    apart = next(
        step for step in count(1) if prod(-(-len(found) // step) for found in inside) <= _MOST
    )
    return [found[(len(found) - 1) % apart // 2 :: apart] for found in inside]


def _ends(edges: NDArray[np.floating[Any]]) -> Edges:
    return np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])


def _box(edges: tuple[Edges, Edges], row: int, column: int) -> Box:
    (top, bottom), (left, right) = edges
    return Box(top[row], left[column], bottom[row] - top[row], right[column] - left[column])


def _usable(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(rows, columns), where all bands are known."""
    usable = np.asarray((np.isfinite(values) & (values > 0)).all(0))
    known = values[:, usable]
    if not known.size:
        raise InvalidData(
            "no pixel of the product that lies on the cube is known and positive in all bands; "
            "give another one, or one without its clouds"
        )
    if (known > BRIGHT).mean() > _GLINTS:
        raise InvalidData(
            f"the product's numbers reach {known.max():g}, and a white reflector is 1; give the "
            "scale that brings them to [0, 1], e.g. scale=1e-4 (--known-scale 1e-4)"
        )
    return usable
