"""The outline of a raster in longitude and latitude, and its pixel size on the ground."""

import warnings
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hsi_xr.errors import InvalidData
from hsi_xr.io import grid

if TYPE_CHECKING:
    from affine import Affine
    from pyproj import CRS

Ring = list[tuple[float, float]]

_POINTS = 21
"""Points per curved edge. An edge as wide as a UTM zone bends by less than a metre between two."""
_STRAIGHT = 1e-7
"""Degrees (about a centimetre): an edge that bends less is reduced to its two corners."""
_DIGITS = 8
"""Decimals of a degree that are kept, about a millimetre."""


def footprint(
    transform: "Affine", shape: tuple[int, int], crs: "CRS"
) -> tuple[dict[str, Any], list[float]]:
    """Returns the outline of a raster grid as a GeoJSON geometry, and its bounding box.

    The outline follows rotated grids, and edges that are curved in longitude and latitude.

    Args:
        transform: Maps (column, row) of pixel corners to x, y.
        shape: Rows, columns.
        crs: Coordinate reference system of x and y.

    Returns:
        A counter-clockwise Polygon, or a MultiPolygon of the two parts if the grid crosses the
        antimeridian; and its bbox west, south, east, north in degrees, with west > east across the
        antimeridian (RFC 7946, section 5.2). A grid that contains a pole is outlined from
        antimeridian to antimeridian, and along the pole.

    Raises:
        InvalidData: The grid has no longitude and latitude, or cannot be outlined in them.
    """
    ring = _outline(transform, shape, crs)
    if abs(ring[-1, 0] - ring[0, 0]) > 180:
        ring = _around_pole(ring)
    else:
        ring = _simplified(_recentre(ring))
    ring = ring if _signed_area(ring) > 0 else ring[::-1]
    (west, south), (east, north) = ring.min(axis=0), ring.max(axis=0)
    if west >= -180 and east <= 180:
        return (
            {"type": "Polygon", "coordinates": [_close(ring)]},
            _round((west, south, east, north)),
        )
    meridian = 180.0 if east > 180 else -180.0
    parts = [_recentre(_clip(ring, meridian, west=west_part)) for west_part in (True, False)]
    ends = (_wrap(west), _wrap(east)) if east - west < 360 else (-180.0, 180.0)
    return (
        {"type": "MultiPolygon", "coordinates": [[_close(part)] for part in parts]},
        _round((ends[0], south, ends[1], north)),
    )


def geometry_or_none(
    transform: "Affine", shape: tuple[int, int], crs: "CRS | None"
) -> tuple[dict[str, Any] | None, list[float] | None]:
    """Returns `footprint`, or None twice if there is none, as STAC describes such items."""
    try:
        return (None, None) if crs is None else footprint(transform, shape, crs)
    except InvalidData:
        return None, None


def warn_without_geometry(transform: "Affine", shape: tuple[int, int], wkt: str) -> None:
    """Warn that the item of a georeferenced scene will have no geometry, if so."""
    from pyproj import CRS

    try:
        footprint(transform, shape, CRS.from_wkt(wkt))
    except InvalidData as error:
        warnings.warn(
            f"the STAC item will have no geometry ({error}); to write no item, pass stac=False "
            "(--no-stac)",
            stacklevel=3,
        )


def ground_resolution(transform: "Affine", shape: tuple[int, int], crs: "CRS") -> float:
    """Returns the pixel size on the ground, in metres, to three significant digits.

    It is the side of a square with the area of the centre pixel. CRS units are not metres on the
    ground everywhere: at 45 degrees of latitude a metre of World Mercator measures 0.7 m.
    """
    from pyproj import Geod

    rows, columns = shape
    column, row = columns // 2, rows // 2
    corners = np.array([(column, row), (column + 1, row), (column, row + 1)], dtype=float)
    corner, right, below = _geographic(corners, transform, crs)
    width, height = (Geod(ellps="WGS84").inv(*corner, *end)[2] for end in (right, below))
    return float(f"{np.sqrt(width * height):.3g}")


def _outline(transform: "Affine", shape: tuple[int, int], crs: "CRS") -> NDArray[np.float64]:
    """Returns points along all edges, (n, 2); the last is the first again.

    Longitudes are continuous: they exceed 180 degrees rather than jump at the antimeridian, and
    increase or decrease by 360 degrees around a pole.
    """
    rows, columns = shape
    corners = np.array([[0, 0], [0, rows], [columns, rows], [columns, 0], [0, 0]], dtype=float)
    share = np.linspace(0, 1, _POINTS)[:, None]
    pixels = np.concatenate([(a + share * (b - a))[:-1] for a, b in pairwise(corners)])
    ring = _geographic(np.vstack([pixels, corners[:1]]), transform, crs)
    ring[:, 0] = np.unwrap(ring[:, 0], period=360)
    return ring


def _around_pole(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns a ring around a pole as one that follows the antimeridian to the pole and back."""
    ring = ring if ring[-1, 0] > ring[0, 0] else ring[::-1]  # eastwards
    pole = 90.0 if ring[:, 1].mean() > 0 else -90.0
    if (np.diff(ring[:, 0]) <= 0).any():
        raise InvalidData(
            "the scene contains a pole, and its edge turns back on itself in longitude; describe "
            "it in parts without the pole"
        )
    start = 360 * np.ceil((ring[0, 0] + 180) / 360) - 180  # the antimeridian within the ring
    cut = np.interp(start, *ring.T)
    twice = np.vstack([ring, ring[1:] + np.array([360.0, 0.0])])
    within = twice[(twice[:, 0] > start) & (twice[:, 0] < start + 360)]
    west, east = [(start, pole), (start, cut)], [(start + 360, cut), (start + 360, pole)]
    return np.asarray(np.vstack([west, within, east]) - np.array([start + 180, 0.0]))


def _simplified(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns a closed ring as an open one, without the points on straight edges."""
    edges = (ring[at : at + _POINTS] for at in range(0, len(ring) - 1, _POINTS - 1))
    return np.concatenate([_simplify(edge)[:-1] for edge in edges])


def _geographic(
    pixels: NDArray[np.float64], transform: "Affine", crs: "CRS"
) -> NDArray[np.float64]:
    """(n, 2) of column, row -> (n, 2) of longitude, latitude."""
    from pyproj import Transformer
    from pyproj.exceptions import ProjError

    xy = grid.points(transform, pixels)
    if crs.is_geocentric:
        raise InvalidData(
            f"{crs.name!r} is geocentric: x and y do not locate a pixel on the ground"
        )
    try:
        to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
        degrees = np.stack(to_degrees.transform(xy[:, 0], xy[:, 1], errcheck=True), axis=1)
    except ProjError as error:
        raise InvalidData(
            f"the corners of the scene have no longitude and latitude in {crs.name!r} ({error}); "
            "check its CRS and transform, e.g. with `rio info`"
        ) from error
    return degrees.astype(np.float64)


def _simplify(edge: NDArray[np.float64]) -> NDArray[np.float64]:
    """Drops the points between the corners of an edge that is straight."""
    chord = edge[-1] - edge[0]
    normal = np.array([-chord[1], chord[0]]) / max(np.hypot(*chord), _STRAIGHT)
    return edge if np.abs((edge - edge[0]) @ normal).max() > _STRAIGHT else edge[[0, -1]]


def _signed_area(ring: NDArray[np.float64]) -> float:
    """Returns twice the area, positive if the ring is counter-clockwise."""
    x, y = (ring - ring[0]).T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def _clip(ring: NDArray[np.float64], meridian: float, *, west: bool) -> NDArray[np.float64]:
    """Returns the part of a ring on one side of a meridian (Sutherland and Hodgman 1974).

    The antimeridian package splits by the length of edges, and returns the complement of a ring
    with an edge longer than 180 degrees, such as that of a global raster.
    """
    beyond = ring[:, 0] - meridian if west else meridian - ring[:, 0]
    kept: list[NDArray[np.float64]] = []
    for at, point in enumerate(ring):
        before, here = beyond[at - 1], beyond[at]
        if (before > 0) != (here > 0):
            kept.append(ring[at - 1] + (point - ring[at - 1]) * before / (before - here))
        if here <= 0:
            kept.append(point)
    return np.array(kept)


def _recentre(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shifts a ring by full turns so that its middle is within [-180, 180] degrees."""
    turns = np.round((ring[:, 0].min() + ring[:, 0].max()) / 720)
    return np.asarray(ring - np.array([360.0 * turns, 0.0]))


def _wrap(longitude: float) -> float:
    return (longitude + 180) % 360 - 180


def _close(ring: NDArray[np.float64]) -> Ring:
    points = [(round(float(x), _DIGITS), round(float(y), _DIGITS)) for x, y in ring]
    return [*points, points[0]]


def _round(values: Iterable[float]) -> list[float]:
    return [round(float(value), _DIGITS) for value in values]
