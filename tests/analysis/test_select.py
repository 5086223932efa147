"""Selection of spectra by position and of bands by wavelength."""

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer

import hsi_xr
from hsi_xr.calibration.sites import box_means
from hsi_xr.calibration.sites_from_points import box_around
from hsi_xr.errors import InvalidData, NotGeoreferenced, UsageError
from hsi_xr.level_interval import LEVEL_VARIABLES
from tests.analysis.cubes import shuffled
from tests.calibration.ground import CENTRES, GRID, cube

ROTATED_GRID = (
    Affine.translation(500_000, 4_650_000) @ Affine.rotation(30) @ Affine.scale(0.5, -0.4)
)
UPRIGHT, ROTATED = cube(), cube(transform=ROTATED_GRID)


@given(row=st.integers(0, 60), column=st.integers(0, 82), right=st.floats(0.01, 0.99))
@pytest.mark.parametrize(("dataset", "grid"), [(UPRIGHT, GRID), (ROTATED, ROTATED_GRID)])
def test_every_position_within_a_pixel_has_its_spectrum(dataset, grid, row, column, right):
    x, y = grid @ (column + right, row + 1 - right)
    pixel = dataset.hsi.spectrum(x, y)
    expected = dataset["reflectance"].isel(y=row, x=column)
    np.testing.assert_array_equal(pixel["reflectance"], expected)
    np.testing.assert_allclose((pixel["x"], pixel["y"]), grid @ (column + 0.5, row + 0.5))
    assert pixel["reflectance"].dims == ("wavelength",)


def test_corners_are_on_the_cube_and_positions_beyond_are_not():
    for column, row in ((0, 0), (83, 0), (0, 61), (83, 61)):
        x, y = GRID @ (column, row)
        hsi_xr.spectrum(UPRIGHT, x, y)
        away = (0.1 if column else -0.1), (-0.1 if row else 0.1)
        with pytest.raises(UsageError, match=r"x 500000\.25 to 500041\.75, y 4649976\.3 to"):
            hsi_xr.spectrum(UPRIGHT, x + away[0], y + away[1])
    with pytest.raises(UsageError, match="not on the cube"):
        hsi_xr.spectrum(UPRIGHT, float("nan"), 4_650_000)


def test_a_slice_has_the_same_spectra_at_the_same_positions():
    x, y = GRID @ (40.5, 30.5)
    part = UPRIGHT.isel(y=slice(20, 50), x=slice(33, 80))
    np.testing.assert_array_equal(
        part.hsi.spectrum(x, y)["reflectance"], UPRIGHT.hsi.spectrum(x, y)["reflectance"]
    )


def test_a_spectrum_can_be_used_for_calibration():
    x, y = GRID @ (70.5, 3.5)
    known = UPRIGHT.hsi.spectrum(x, y)["reflectance"] * 2
    np.testing.assert_allclose(hsi_xr.gains(UPRIGHT, [(x, y, known)]).values, 2, rtol=1e-3)


def test_a_lazy_cube_gives_a_lazy_spectrum_with_its_deviation():
    dataset = cube(chunks={"y": 20})
    dataset["reflectance_std"] = dataset["reflectance"] / 10
    pixel = dataset.hsi.spectrum(*(GRID @ (70.5, 3.5)))
    assert pixel["reflectance"].chunks is not None
    np.testing.assert_allclose(pixel["reflectance_std"] * 10, pixel["reflectance"])


def test_a_square_keeps_the_level_of_the_scene():
    gain = xr.Variable((), np.float64(1) / 3, {"units": "1"})
    levels = dict.fromkeys(LEVEL_VARIABLES, gain)
    x, y = GRID @ (40.2, 30.7)
    pixel = UPRIGHT.assign(levels).hsi.spectrum(x, y, size=3)
    for name in levels:
        xr.testing.assert_identical(pixel[name].variable, gain)
    xr.testing.assert_identical(pixel.drop_vars(levels), UPRIGHT.hsi.spectrum(x, y, size=3))


@given(x=st.floats(0.1, 0.9), y=st.floats(0.1, 0.9), size=st.floats(0.05, 3), rotated=st.booleans())
def test_a_square_is_the_area_mean_that_calibration_uses(x, y, size, rotated):
    dataset, transform = (ROTATED, ROTATED_GRID) if rotated else (UPRIGHT, GRID)
    place = transform @ (10 + 60 * x, 9 + 43 * y)
    pixel = dataset.hsi.spectrum(*place, size=size)
    np.testing.assert_allclose((pixel["x"], pixel["y"]), place)
    steps = (np.hypot(transform.b, transform.e), np.hypot(transform.a, transform.d))
    box = box_around(10 + 60 * x, 9 + 43 * y, size, steps)
    (expected,) = box_means(dataset["reflectance"], [box])
    np.testing.assert_allclose(pixel["reflectance"], expected, rtol=2e-6)
    assert pixel["reflectance"].attrs == dataset["reflectance"].attrs


def test_a_square_with_its_deviation_is_lazy_and_within_the_cube():
    dataset = cube(chunks={"y": 20})
    dataset["reflectance_std"] = dataset["reflectance"] / 10
    dataset["out_of_domain"] = dataset["reflectance"].isel(band=0, drop=True)
    x, y = GRID @ (70.5, 20.5)
    pixel = dataset.hsi.spectrum(x, y, size=3)
    assert pixel["reflectance"].chunks is not None and pixel["out_of_domain"].dims == ()
    np.testing.assert_allclose(pixel["reflectance_std"] * 10, pixel["reflectance"], rtol=1e-5)
    for size, words in (
        (40, "square of size 40 .* is not entirely"),
        (0, "positive"),
        (-1, "positive"),
    ):
        with pytest.raises(UsageError, match=words):
            dataset.hsi.spectrum(x, y, size=size)


def test_a_position_may_be_given_in_degrees():
    x, y = GRID @ (70.5, 3.5)
    lon, lat = Transformer.from_crs(32633, 4326, always_xy=True).transform(x, y)
    pixel = UPRIGHT.hsi.spectrum(lon, lat, crs="EPSG:4326")
    xr.testing.assert_identical(pixel, UPRIGHT.hsi.spectrum(x, y))
    with pytest.raises(UsageError, match="'earth' is not a CRS"):
        UPRIGHT.hsi.spectrum(lon, lat, crs="earth")
    with pytest.raises(UsageError, match="crs='EPSG:4326'"):
        UPRIGHT.hsi.spectrum(lon, lat)


def test_a_cube_with_one_band_supports_selection():
    one = UPRIGHT.isel(band=[7])
    pixel = one.hsi.spectrum(*(GRID @ (70.5, 3.5)))["reflectance"]
    assert pixel.item() == UPRIGHT["reflectance"].values[7, 3, 70]
    assert one.hsi.nearest_band(470) == 8 and one.hsi.bands(460, 480).sizes["band"] == 1


def test_a_cube_without_bands_is_refused():
    none = UPRIGHT.isel(band=[])
    for verb in (lambda: none.hsi.bands(400, 700), lambda: none.hsi.to_sensor("sentinel-2a")):
        with pytest.raises(InvalidData, match="the cube has no bands"):
            verb()


def test_a_cube_without_a_georeference_is_refused():
    bare = UPRIGHT.drop_vars(["x", "y", "spatial_ref"])
    with pytest.raises(NotGeoreferenced, match="isel"):
        bare.hsi.spectrum(500_000, 4_650_000)


@given(nm=st.floats(392, 708))
def test_no_band_is_nearer_than_the_nearest_band(nm):
    for dataset in (UPRIGHT, shuffled(UPRIGHT)):
        band = dataset.hsi.nearest_band(nm)
        away = abs(dataset["wavelength"] - nm)
        assert away.sel(band=band) == away.min()


def test_the_tolerance_limits_the_distance_of_a_band():
    assert UPRIGHT.hsi.nearest_band(553, tolerance=3) == 16
    with pytest.raises(UsageError, match="nearest to 553 nm is 550 nm"):
        UPRIGHT.hsi.nearest_band(553, tolerance=2.9)
    assert UPRIGHT.hsi.nearest_band(800, tolerance=100) == 31


def test_other_units_and_descending_ranges_are_refused_with_a_repair():
    with pytest.raises(UsageError, match=r"550 for 0\.55 um"):
        UPRIGHT.hsi.nearest_band(0.55)
    with pytest.raises(UsageError, match=r"520 for 0\.52 um"):
        UPRIGHT.hsi.bands(0.45, 0.52)
    with pytest.raises(UsageError, match="shorter wavelength first"):
        UPRIGHT.hsi.bands(520, 450)


@pytest.mark.parametrize("nm", [0.55, 380, 721, float("nan")])
def test_wavelengths_outside_the_cube_have_no_nearest_band(nm):
    with pytest.raises(UsageError, match="400 to 700 nm"):
        UPRIGHT.hsi.nearest_band(nm)


@given(ends=st.tuples(st.floats(395, 705), st.floats(395, 705)).map(sorted))
def test_bands_are_those_in_the_range_in_their_order(ends):
    first, last = ends
    inside = (first <= CENTRES) & (last >= CENTRES)
    if not inside.any():
        with pytest.raises(UsageError, match="no band is between"):
            UPRIGHT.hsi.bands(first, last)
        return
    np.testing.assert_array_equal(UPRIGHT.hsi.bands(first, last)["wavelength"], CENTRES[inside])
    mixed = shuffled(UPRIGHT)
    selected = mixed.hsi.bands(first, last)["band"].values.tolist()
    kept = UPRIGHT["band"].values[inside].tolist()
    assert selected == [band for band in mixed["band"].values.tolist() if band in kept]
