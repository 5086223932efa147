"""Known spectra from another product of the same ground, with larger pixels and wider bands."""

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
"""Lower and upper edges of the product's rows or columns, in pixels of the cube."""

_MOST_PIXELS = 100
"""Most pixels to compare: more add little, and for each a part of the cube must be computed."""
_GLINTS = 0.01
"""Share of values that may be brighter than ground."""
_SMALLER = 0.99
"""Ratio of pixel areas below which the product's pixels count as smaller than the cube's."""


def sites_from_raster(
    product: xr.DataArray, cube: xr.DataArray, own: Bands, scale: float
) -> list[Site]:
    """Returns pixels of a product that are entirely on a cube, spread over it, as sites.

    A pixel is used if all bands near the cube's wavelengths are known and positive.

    Args:
        product: (band, y, x) in the CRS of the cube, with the coordinates `wavelength` and `fwhm`.
        cube: (band, y, x) with its transform.
        own: Bands of the cube.
        scale: Factor from the product's values to reflectance in [0, 1].

    Raises:
        InvalidData: The product has another CRS, rotated axes, smaller pixels, or values that are
            not reflectance.
        MissingFact: The product lacks wavelengths, or widths of wide bands.
        BandMismatch: The product has no band at the wavelengths of the cube.
        UsageError: No pixel of the product is entirely on the cube.
    """
    array, bands = _bands_near(_transpose(product), own)
    edges = _edges(array, cube)
    inside = [
        np.flatnonzero((low >= -1e-6) & (high <= cube.sizes[dim] + 1e-6))
        for dim, (low, high) in zip(("y", "x"), edges)
    ]
    if not all(len(indices) for indices in inside):
        raise UsageError(
            "no pixel of the product is entirely on the cube; give a product of the same ground "
            "with pixels smaller than the cube"
        )
    rows, columns = _thin(*inside)
    values = np.asarray(array.isel(y=rows, x=columns).values, np.float64) * scale
    usable = _usable(values)
    sites = []
    for i, j in np.argwhere(usable):
        row, column = int(rows[i]), int(columns[j])
        box = _box(edges, row, column)
        centre = [(box.left + box.columns / 2, box.top + box.rows / 2)]
        ((x, y),) = grid.points(_transform(cube, "cube"), centre).tolist()
        sites.append(Site(f"pixel {row}, {column}", x, y, box, Spectrum(bands, values[:, i, j])))
    return sites


def _transpose(product: xr.DataArray) -> xr.DataArray:
    if {*product.dims} != {"band", "y", "x"}:
        raise InvalidData(
            f"a product must have the dimensions band, y, x; this one has "
            f"{', '.join(map(str, product.dims))}. Rename them, e.g. "
            "`product.rename(latitude='y', longitude='x')`"
        )
    if "wavelength" not in product.coords:
        raise MissingFact(
            "the product has no wavelengths; assign band centres and widths in nm, e.g. "
            "`product.assign_coords(wavelength=('band', [492, 560, 665]), "
            "fwhm=('band', [66, 36, 31]))` (--known-bands 492/66,560/36,665/31)"
        )
    return product.transpose("band", "y", "x")


def _bands_near(product: xr.DataArray, cube: Bands) -> tuple[xr.DataArray, Bands]:
    """Selects the bands near those of the cube, by ascending wavelength."""
    bands, order = sorted_bands(product, "the product")
    centres, own = np.array(bands.centres), cube.centres
    step = np.median(np.diff(own))
    near = (centres >= own[0] - step) & (centres <= own[-1] + step)
    if not near.any():
        raise BandMismatch(
            f"the product covers {centres[0]:g} to {centres[-1]:g} nm, the cube {own[0]:g} to "
            f"{own[-1]:g} nm; give a product with bands in that range"
        )
    widths = np.array(bands.widths)[near]
    if np.isnan(widths).any() and not (np.diff(centres[near]) < 2 * step).all():
        raise MissingFact(
            "the product's bands are farther apart than the cube's, but have no widths; assign "
            "them in nm, e.g. `product.assign_coords(fwhm=('band', [66, 36, 31]))` "
            "(--known-bands 492/66,560/36,665/31)"
        )
    return product.isel(band=order[near]), Bands(
        tuple(centres[near].tolist()), tuple(widths.tolist())
    )


def _edges(product: xr.DataArray, cube: xr.DataArray) -> tuple[Edges, Edges]:
    coarse, fine, crs = _transform(product, "product"), _transform(cube, "cube"), crs_of(cube)
    if crs_of(product) != crs or any(t.b or t.d for t in (coarse, fine)):
        raise InvalidData(
            f"the product is not in the CRS of the cube, {crs}, or has rotated axes; reproject it "
            "first, e.g. `product.rio.reproject(cube.rio.crs)`"
        )
    if abs(coarse.determinant) < _SMALLER * abs(fine.determinant):
        raise InvalidData(
            "the product has smaller pixels than the cube; average them first, e.g. "
            "`product.coarsen(y=10, x=10, boundary='trim').mean()`"
        )
    rows = (coarse.f + coarse.e * np.arange(product.sizes["y"] + 1) - fine.f) / fine.e
    columns = (coarse.c + coarse.a * np.arange(product.sizes["x"] + 1) - fine.c) / fine.a
    return _ascending(rows), _ascending(columns)


def _transform(array: xr.DataArray, name: str) -> "Affine":
    transform = transform_of(array)
    if transform is None:
        raise NotGeoreferenced(
            f"the {name} has no transform, so its pixels cannot be located; assign it, e.g. "
            f"`{name}.rio.write_transform(affine)`"
        )
    return transform


def _thin(*inside: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Selects every n-th row and column so that at most `_MOST_PIXELS` pixels remain."""
    step = next(n for n in count(1) if prod(-(-len(axis) // n) for axis in inside) <= _MOST_PIXELS)
    return [axis[(len(axis) - 1) % step // 2 :: step] for axis in inside]


def _ascending(edges: NDArray[np.floating[Any]]) -> Edges:
    return np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])


def _box(edges: tuple[Edges, Edges], row: int, column: int) -> Box:
    (top, bottom), (left, right) = edges
    return Box(top[row], left[column], bottom[row] - top[row], right[column] - left[column])


def _usable(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Returns where all bands are known and positive, (rows, columns)."""
    usable = np.asarray((np.isfinite(values) & (values > 0)).all(0))
    known = values[:, usable]
    if not known.size:
        raise InvalidData(
            "no pixel of the product on the cube is known and positive in all bands; give another "
            "product, or mask its clouds differently"
        )
    if (known > BRIGHT).mean() > _GLINTS:
        raise InvalidData(
            f"the product's values reach {known.max():g}, but a white reflector is 1; give the "
            "factor to [0, 1], e.g. scale=1e-4 (--known-scale 1e-4)"
        )
    return usable
