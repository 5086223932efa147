"""Bounds in a CRS are converted to rows and columns, on grids that are not square."""

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from rasterio.crs import CRS

from hsi_xr.errors import NotGeoreferenced, UsageError
from hsi_xr.io import georef, grid
from hsi_xr.io.clip import window

SHAPE = (61, 83)
NORTH_UP = Affine(0.5, 0, 500_000, 0, -0.5, 5_200_000)
TRANSFORMS = [
    NORTH_UP,
    NORTH_UP @ Affine.rotation(30),
    NORTH_UP @ Affine.translation(0, SHAPE[0]) @ Affine.scale(1, -1),
]


def scene(transform: Affine) -> xr.Dataset:
    values = np.arange(SHAPE[0] * SHAPE[1], dtype="float32").reshape(1, *SHAPE)
    coords = georef.coordinates(transform, CRS.from_epsg(32633), SHAPE)
    return xr.Dataset({"reflectance": xr.DataArray(values, dims=("band", "y", "x"), coords=coords)})


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_window_covers_its_bounds_with_the_pixels_of_the_scene(transform):
    whole = scene(transform)
    bounds = grid.bounds(transform @ Affine.translation(20, 11), (13, 17))
    part = window(whole, bounds)
    cut = part.crop(whole)
    rows, columns = np.meshgrid(
        np.arange(SHAPE[0])[part.rows], np.arange(SHAPE[1])[part.columns], indexing="ij"
    )
    np.testing.assert_array_equal(cut["reflectance"][0], rows * SHAPE[1] + columns)
    assert rows.min() <= 11
    assert rows.max() >= 11 + 13 - 1
    assert columns.min() <= 20
    assert columns.max() >= 20 + 17 - 1
    first = transform @ Affine.translation(part.columns.start, part.rows.start)
    assert georef.transform_of(cut).almost_equals(first, 1e-6)


@pytest.mark.parametrize("transform", [TRANSFORMS[0], TRANSFORMS[2]])
def test_bounds_on_pixel_edges_select_exactly_those_pixels(transform):
    bounds = grid.bounds(transform @ Affine.translation(20, 11), (13, 17))
    part = window(scene(transform), bounds)
    assert (part.rows, part.columns) == (slice(11, 24), slice(20, 37))


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_the_bounds_of_a_scene_select_all_of_it(transform):
    part = window(scene(transform), grid.bounds(transform, SHAPE))
    assert (part.rows, part.columns) == (slice(0, SHAPE[0]), slice(0, SHAPE[1]))


def test_bounds_beyond_the_edge_are_clipped_to_the_scene():
    part = window(scene(NORTH_UP), (499_000, 5_199_990, 500_005, 5_201_000))
    assert (part.rows, part.columns) == (slice(0, 20), slice(0, 10))


def test_bounds_within_a_pixel_select_that_pixel():
    part = window(scene(NORTH_UP), (500_001.1, 5_199_998.1, 500_001.2, 5_199_998.2))
    assert (part.rows, part.columns) == (slice(3, 4), slice(2, 3))


def test_the_error_for_bounds_outside_the_scene_states_those_of_the_scene():
    with pytest.raises(UsageError, match=r"outside.*500000 5199969\.5 500041\.5 5200000"):
        window(scene(NORTH_UP), (15.0, 46.9, 15.1, 47.0))


def test_reversed_bounds_are_refused():
    with pytest.raises(UsageError, match="min x, min y, max x, max y"):
        window(scene(NORTH_UP), (500_005, 5_199_990, 500_000, 5_200_000))


def test_a_scene_without_a_transform_is_refused():
    with pytest.raises(NotGeoreferenced):
        window(scene(NORTH_UP).drop_vars(["y", "x", "spatial_ref"]), (0, 0, 1, 1))
