"""Grids of uneven, non-square shape, all over the Earth."""

import numpy as np
import pytest
from affine import Affine
from pyproj import CRS, Geod, Transformer

from hsi_xr.errors import InvalidData
from hsi_xr.io import grid
from hsi_xr.stac.footprint import footprint, ground_resolution

SHAPE = (517, 300)
NORTH_UP = Affine(0.5, 0, 500_000, 0, -0.5, 5_200_000)
ROTATED = Affine.translation(500_000, 5_200_000) @ Affine.rotation(30) @ Affine.scale(0.5, -0.5)
UTM = CRS("EPSG:32633")


def signed_area(ring) -> float:
    x, y = np.array(ring[:-1]).T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2


def flipped(transform: Affine) -> Affine:
    """The same ground, with the first row in the south."""
    return transform @ Affine.translation(0, SHAPE[0]) @ Affine.scale(1, -1)


@pytest.mark.parametrize("transform", [NORTH_UP, ROTATED, flipped(NORTH_UP), flipped(ROTATED)])
def test_the_ring_is_closed_counter_clockwise_and_passes_every_corner(transform):
    geometry, bbox = footprint(transform, SHAPE, UTM)
    (ring,) = geometry["coordinates"]
    assert geometry["type"] == "Polygon"
    assert ring[0] == ring[-1]
    assert signed_area(ring) > 0
    rows, columns = SHAPE
    corners = grid.points(transform, [(0, 0), (0, rows), (columns, 0), (columns, rows)])
    to_degrees = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)
    for corner in zip(*to_degrees.transform(*corners.T)):
        assert min(np.hypot(*(np.array(ring) - corner).T)) < 1e-8
    assert bbox == [*np.min(ring, axis=0), *np.max(ring, axis=0)]


@pytest.mark.parametrize("transform", [NORTH_UP, ROTATED])
def test_the_footprint_has_the_area_of_the_pixels(transform):
    geometry, _ = footprint(transform, SHAPE, UTM)
    area, _ = Geod(ellps="WGS84").polygon_area_perimeter(*zip(*geometry["coordinates"][0]))
    # the scale of a UTM zone's middle is 0.9996 by definition
    assert area == pytest.approx(SHAPE[0] * SHAPE[1] * 0.25 / 0.9996**2, rel=1e-5)


def test_an_edge_that_bends_is_followed():
    """A parallel far from the middle of a wide conic map: its chord misses it by kilometres."""
    albers = CRS("+proj=aea +lat_1=29.5 +lat_2=45.5 +lon_0=-96 +ellps=GRS80")
    geometry, _ = footprint(Affine(5000, 0, -2e6, 0, -5000, 3e6), (400, 800), albers)
    to_map = Transformer.from_crs("EPSG:4326", albers, always_xy=True)
    ring = np.array(geometry["coordinates"][0])
    middles = (ring[1:] + ring[:-1]) / 2
    x, y = to_map.transform(*middles.T)
    off = np.min([np.abs(x + 2e6), np.abs(x - 2e6), np.abs(y - 3e6), np.abs(y - 1e6)], axis=0)
    assert off.max() < 2000  # a 21st of an edge's bend; the chord alone is off by 400 km


def test_a_straight_edge_has_only_its_corners():
    geometry, _ = footprint(NORTH_UP, SHAPE, UTM)
    assert len(geometry["coordinates"][0]) == 5


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        (CRS("EPSG:32601"), Affine(1000, 0, 2e5, 0, -1000, 7e6)),
        (CRS("EPSG:4326"), Affine(0.1, 0, 170, 0, -0.1, 10)),
        (CRS("EPSG:4326"), Affine(0.1, 0, -190, 0, -0.1, 10)),
    ],
)
def test_across_the_antimeridian_both_sides_are_outlined(crs, transform):
    geometry, (west, south, east, north) = footprint(transform, SHAPE, crs)
    assert geometry["type"] == "MultiPolygon"
    assert west > east  # as RFC 7946 requires
    rings = [np.array(part[0]) for part in geometry["coordinates"]]
    assert sorted(ring[:, 0].mean() > 0 for ring in rings) == [False, True]
    for ring in rings:
        assert signed_area(ring) > 0
        assert np.abs(ring[:, 0]).max() == 180
        assert south <= ring[:, 1].min() < ring[:, 1].max() <= north


@pytest.mark.parametrize("west", [-100, 0])
def test_a_grid_wider_than_a_hemisphere_is_outlined(west):
    transform = Affine(1, 0, west, 0, -1, 60)
    geometry, bbox = footprint(transform, (90, 270), CRS("EPSG:4326"))
    parts = geometry["coordinates"]
    rings = [part[0] for part in parts] if geometry["type"] == "MultiPolygon" else parts
    assert sum(map(signed_area, rings)) == pytest.approx(90 * 270)
    assert (bbox[2] - bbox[0]) % 360 == 270


def test_a_scene_that_ends_on_the_antimeridian_is_not_split():
    geometry, bbox = footprint(Affine(0.1, 0, 150, 0, -0.1, 10), SHAPE, CRS("EPSG:4326"))
    assert geometry["type"] == "Polygon"
    assert bbox == [150, -41.7, 180, 10]


@pytest.mark.parametrize("code", ["EPSG:3413", "EPSG:3031"])
@pytest.mark.parametrize(("west", "turned"), [(-1e5, 0), (-1e3, 0), (-1e5, 33), (-2.9e5, 33)])
def test_around_a_pole_the_outline_follows_the_antimeridian(code, west, turned):
    from shapely import contains_xy
    from shapely.geometry import Polygon

    transform = Affine(1000, 0, west, 0, -1000, 2e5) @ Affine.rotation(turned, (150, 258))
    geometry, bbox = footprint(transform, SHAPE, CRS(code))
    pole = 90 if code == "EPSG:3413" else -90
    (ring,) = geometry["coordinates"]
    shape = Polygon(ring)
    assert geometry["type"] == "Polygon" and shape.is_valid and signed_area(ring) > 0
    assert [bbox[0], bbox[2]] == [-180, 180] and pole in (bbox[1], bbox[3])
    to_map = Transformer.from_crs("EPSG:4326", CRS(code), always_xy=True)
    edge = [point for point in ring if abs(point[1]) < 90]
    # every point is on an edge of the grid, except where the antimeridian cuts a segment
    columns, rows = grid.points(~transform, np.transpose(to_map.transform(*np.transpose(edge)))).T
    off = np.min(np.abs([columns, columns - SHAPE[1], rows, rows - SHAPE[0]]), axis=0)
    assert np.sort(off)[-3] < 1e-3
    inside = grid.points(transform, np.argwhere(np.ones((15, 25))) * 20 + 5)
    to_degrees = Transformer.from_crs(CRS(code), "EPSG:4326", always_xy=True)
    # all but a few, which are between the edge and the chord of a long segment
    assert contains_xy(shape, *to_degrees.transform(*inside.T)).mean() > 0.98


def test_a_location_off_the_earth_is_refused():
    with pytest.raises(InvalidData, match="no longitude and latitude"):
        footprint(Affine(1, 0, 1e9, 0, -1, 1e9), SHAPE, UTM)


@pytest.mark.parametrize(
    ("crs", "transform", "metres"),
    [
        (UTM, NORTH_UP, 0.5),
        (UTM, ROTATED, 0.5),
        (CRS("EPSG:3395"), Affine(0.1, 0, 1e6, 0, -0.1, 6e6), 0.0676),  # cos(47.5 deg)
        (CRS("EPSG:4326"), Affine(1e-5, 0, 0, 0, -1e-5, 0), 1.11),
    ],
)
def test_resolution_is_metres_on_the_ground_not_units_of_the_crs(crs, transform, metres):
    assert ground_resolution(transform, SHAPE, crs) == metres
