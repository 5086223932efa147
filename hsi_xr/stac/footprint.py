"""Where a grid lies on Earth, in longitude and latitude."""

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
"""Points per curved edge: a UTM zone's width bends by less than a metre between two of them."""
_STRAIGHT = 1e-7
"""Degrees (a centimetre): an edge that bends less is told by its two corners."""
_DIGITS = 8
"""Decimals of a degree that are kept: a millimetre."""


def footprint(
    transform: "Affine", shape: tuple[int, int], crs: "CRS"
) -> tuple[dict[str, Any], list[float]]:
    """The outline of a grid as GeoJSON, however it is rotated.

    Args:
        transform: (column, row) of pixel corners to x, y.
        shape: Rows, columns.
        crs: What x and y are.

    Returns:
        Polygon (counter-clockwise) or, across the antimeridian, the MultiPolygon of its two sides;
        and its bbox west, south, east, north in degrees (west > east across the antimeridian).

    Raises:
        InvalidData: The grid has no longitude and latitude there, or it holds a pole.
    """
    ring = _outline(transform, shape, crs)
    west, east = ring[:, 0].min(), ring[:, 0].max()
    south, north = ring[:, 1].min(), ring[:, 1].max()
    if east <= 180 and west >= -180:
        return {"type": "Polygon", "coordinates": [_closed(ring)]}, _rounded(
            (west, south, east, north)
        )
    limit = 180.0 if east > 180 else -180.0
    sides = (_clip(ring, limit, below=below) for below in (True, False))
    parts = [[_closed(_wrapped(side))] for side in sides]
    ends = (_wrap(west), _wrap(east)) if east - west < 360 else (-180.0, 180.0)
    box = _rounded((ends[0], south, ends[1], north))
    return {"type": "MultiPolygon", "coordinates": parts}, box


def ground_resolution(transform: "Affine", shape: tuple[int, int], crs: "CRS") -> float:
    """Side in metres on the ground of the square that is as large as the middle pixel.

    A CRS unit is not a metre everywhere: at 45 degrees of latitude a metre of the World Mercator
    is 0.7 m. Three digits are kept.
    """
    rows, columns = shape
    from pyproj import Geod

    column, row = columns // 2, rows // 2
    middle = np.array([(column, row), (column + 1, row), (column, row + 1)], dtype=float)
    here, right, down = _geographic(middle, transform, crs)
    sides = [Geod(ellps="WGS84").inv(*here, *there)[2] for there in (right, down)]
    return float(f"{np.sqrt(sides[0] * sides[1]):.3g}")


def _outline(transform: "Affine", shape: tuple[int, int], crs: "CRS") -> NDArray[np.float64]:
    """Counter-clockwise, not closed (n, 2); longitudes run on beyond 180 rather than jump."""
    rows, columns = shape
    corners = np.array([[0, 0], [0, rows], [columns, rows], [columns, 0], [0, 0]], dtype=float)
    share = np.linspace(0, 1, _POINTS)[:, None]
    pixels = np.concatenate([(a + share * (b - a))[:-1] for a, b in pairwise(corners)])
    ring = _geographic(np.vstack([pixels, corners[:1]]), transform, crs)
    ring[:, 0] = np.unwrap(ring[:, 0], period=360)
    if abs(ring[-1, 0] - ring[0, 0]) > 180:
        raise InvalidData(
            "the scene holds a pole, so no polygon in longitude and latitude outlines it; "
            "describe it in parts that leave the pole out"
        )
    ring[:, 0] -= 360 * np.round((ring[:, 0].min() + ring[:, 0].max()) / 720)
    edges = (ring[at : at + _POINTS] for at in range(0, len(ring) - 1, _POINTS - 1))
    outline = np.concatenate([_straightened(edge)[:-1] for edge in edges])
    return outline if _area(outline) > 0 else outline[::-1]


def _geographic(
    pixels: NDArray[np.float64], transform: "Affine", crs: "CRS"
) -> NDArray[np.float64]:
    """(n, 2) of column, row to (n, 2) of longitude, latitude."""
    from pyproj import Transformer
    from pyproj.exceptions import ProjError

    xy = grid.points(transform, pixels)
    try:
        to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
        degrees = np.stack(to_degrees.transform(xy[:, 0], xy[:, 1], errcheck=True), axis=1)
    except ProjError as error:
        raise InvalidData(
            f"the corners of the scene have no longitude and latitude in {crs.name!r} ({error}); "
            "check its CRS and transform, e.g. with `rio info`"
        ) from error
    return degrees.astype(np.float64)


def _straightened(edge: NDArray[np.float64]) -> NDArray[np.float64]:
    chord = edge[-1] - edge[0]
    across = np.array([-chord[1], chord[0]]) / max(np.hypot(*chord), _STRAIGHT)
    return edge if np.abs((edge - edge[0]) @ across).max() > _STRAIGHT else edge[[0, -1]]


def _area(ring: NDArray[np.float64]) -> float:
    """Twice the signed area, positive if counter-clockwise."""
    x, y = (ring - ring[0]).T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def _clip(ring: NDArray[np.float64], limit: float, *, below: bool) -> NDArray[np.float64]:
    """The part of a ring on one side of a meridian (Sutherland and Hodgman 1974)."""
    side = ring[:, 0] - limit if below else limit - ring[:, 0]
    kept: list[NDArray[np.float64]] = []
    for at, point in enumerate(ring):
        before, here = side[at - 1], side[at]
        if (before > 0) != (here > 0):
            kept.append(ring[at - 1] + (point - ring[at - 1]) * before / (before - here))
        if here <= 0:
            kept.append(point)
    return np.array(kept)


def _wrapped(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    """A ring on one side of the antimeridian, moved by whole turns into [-180, 180]."""
    turns = np.round((ring[:, 0].min() + ring[:, 0].max()) / 720)
    return np.asarray(ring - np.array([360.0 * turns, 0.0]))


def _wrap(longitude: float) -> float:
    return (longitude + 180) % 360 - 180


def _closed(ring: NDArray[np.float64]) -> Ring:
    points = [(round(float(x), _DIGITS), round(float(y), _DIGITS)) for x, y in ring]
    return [*points, points[0]]


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(float(value), _DIGITS) for value in values]
