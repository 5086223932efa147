import numpy as np
import pytest
from affine import Affine
from pyproj import Transformer

from hsi_xr.calibration.sites import Box, box_means
from hsi_xr.calibration.sites_from_points import Point, read_table, sites_from_points
from hsi_xr.errors import InvalidData, NotGeoreferenced, UnreadableFile, UsageError
from tests.calibration.ground import GRID, cube, spectrum

GREY = spectrum(np.full(31, 0.3))


def boxes(points, array, **options) -> list[Box]:
    return [
        s.box for s in sites_from_points(points, array, **{"crs": None, "scale": 1.0, **options})
    ]


def test_a_point_stands_for_the_pixel_that_contains_it():
    array = cube()["reflectance"]
    x, y = GRID @ (30.9, 10.1)
    (box,) = boxes([Point(x, y, GREY)], array)
    assert box == Box(10, 30, 1, 1)
    np.testing.assert_array_equal(box_means(array, [box])[0], array[:, 10, 30])


def test_points_are_located_in_a_slice():
    array = cube()["reflectance"].isel(y=slice(5, 50), x=slice(20, 80))
    assert boxes([Point(*(GRID @ (30.5, 10.5)), GREY)], array) == [Box(5, 10, 1, 1)]


def test_a_size_stands_for_a_square_around_the_point():
    """2 m are 4 columns of 0.5 m and 5 rows of 0.4 m."""
    array = cube()["reflectance"]
    (box,) = boxes([Point(*(GRID @ (40, 20.5)), GREY, 2.0)], array)
    assert (box.top, box.left, box.rows, box.columns) == pytest.approx((18, 38, 5, 4))
    expected = array[:, 18:23, 38:42].mean(("y", "x"))
    np.testing.assert_allclose(box_means(array, [box])[0], expected, rtol=1e-5)


def test_pixels_are_weighted_by_their_covered_area():
    array = cube()["reflectance"]
    mean = box_means(array, [Box(10.5, 40, 1, 1.25)])[0]
    weights = np.array([[0.5, 0.125], [0.5, 0.125]])
    part = array[:, 10:12, 40:42].values
    np.testing.assert_allclose(mean, (part * weights).sum((1, 2)) / 1.25, rtol=1e-5)


def test_points_are_located_on_a_rotated_grid():
    rotated = Affine.translation(5e5, 4e6) @ Affine.rotation(30) @ Affine.scale(0.5, -0.4)
    array = cube(transform=rotated)["reflectance"]
    assert boxes([Point(*(rotated @ (30.5, 10.5)), GREY)], array) == [Box(10, 30, 1, 1)]


def test_points_of_another_crs_are_transformed():
    array = cube()["reflectance"]
    to_degrees = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(*(GRID @ (30.5, 10.5)))
    assert boxes([Point(lon, lat, GREY)], array, crs="EPSG:4326") == [Box(10, 30, 1, 1)]


def test_points_outside_the_cube_are_omitted():
    array = cube()["reflectance"]
    far = Point(*(GRID @ (-3, 10)), GREY)
    over_the_edge = Point(*(GRID @ (1, 10)), GREY, 2.0)
    near = Point(*(GRID @ (30.5, 10.5)), GREY)
    assert boxes([far, near, over_the_edge], array) == [Box(10, 30, 1, 1)]


def test_without_a_point_on_the_cube_the_error_gives_both_extents():
    with pytest.raises(UsageError, match=r"500000\.25 .* 16\.5 to 16\.5.*EPSG:4326"):
        boxes([Point(16.5, 42, GREY)], cube()["reflectance"])


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ([Point(1, 2, GREY, name="a"), Point(1, 2, GREY, name="b")], "a, b .*one point"),
        ([], "no points"),
        ([Point(float("nan"), 2, GREY)], "point 1 is at nan"),
        ([Point(1, 2, GREY, -1.0)], "size"),
        ([Point(1, 2, [0.1, 0.2])], "point 1 is a list"),
    ],
)
def test_invalid_points_are_refused(points, words):
    with pytest.raises(InvalidData, match=words):
        boxes(points, cube()["reflectance"])


def test_a_cube_without_a_georeference_is_refused():
    array = cube(crs=None)["reflectance"]
    with pytest.raises(NotGeoreferenced, match="CRS"):
        boxes([Point(1, 2, GREY)], array, crs="EPSG:4326")
    with pytest.raises(NotGeoreferenced, match="transform"):
        boxes([Point(1, 2, GREY)], array.drop_vars(["x", "y", "spatial_ref"]))


def test_an_unknown_crs_is_refused():
    with pytest.raises(UsageError, match="EPSG:1"):
        boxes([Point(1, 2, GREY)], cube()["reflectance"], crs="EPSG:1")


def test_a_table_contains_positions_and_wavelengths(tmp_path):
    path = tmp_path / "panels.csv"
    path.write_text(
        "# measured at noon\n"
        "name,x,size,y,450,550 nm,664.6/31\n"
        "grey panel,10.5,2,20,0.2,0.21,0.22\n"
        ",11,,21,0.3,,0.32\n"
    )
    first, second = read_table(path)
    assert (first.name, first.x, first.y, first.size) == ("grey panel", 10.5, 20, 2)
    assert first.spectrum["wavelength"].values.tolist() == [450, 550, 664.6]
    np.testing.assert_array_equal(first.spectrum["fwhm"], [np.nan, np.nan, 31])
    assert (second.size, second.name) == (None, "panels.csv, point 2")
    np.testing.assert_array_equal(second.spectrum, [0.3, np.nan, 0.32])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column x, y"),
        ("x,450\n1,0.2\n", "no column y"),
        ("x,y\n1,2\n", "there is no wavelength"),
        ("x,y,B2\n1,2,0.2\n", "'B2' is not a wavelength"),
        ("x,y,450\n1,2,dark\n", "point 1: 'dark' is not a number"),
        ("x,y,450\n1,2\n", "point 1 has 2 cells, but the first line has 3"),
        ("x,y,450,450\n1,2,0.1,0.2\n", "twice"),
    ],
)
def test_an_invalid_table_is_refused(tmp_path, text, words):
    path = tmp_path / "panels.csv"
    path.write_text(text)
    with pytest.raises(InvalidData, match=words):
        read_table(path)


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(UnreadableFile, match=r"panels\.csv"):
        read_table(tmp_path / "panels.csv")
