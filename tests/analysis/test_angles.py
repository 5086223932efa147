"""Spectral angles: laws, and two other implementations."""

import numpy as np
import pytest
import xarray as xr

import hsi_xr
from hsi_xr.errors import BandMismatch, InvalidData
from hsi_xr.evaluation.metrics import spectral_angle
from tests.analysis.cubes import shuffled
from tests.calibration.ground import CENTRES, cube, spectrum


def table(count: int = 21, centres: np.ndarray = CENTRES) -> xr.DataArray:
    """Smooth spectra with names."""
    rng = np.random.default_rng(count)
    waves = [np.cos(k * (centres - 400) / 95) for k in range(4)]
    values = 0.3 + rng.uniform(-0.06, 0.06, (count, 4)) @ waves
    names = [f"ground {i}" for i in range(count)]
    coords = {"spectrum": names, "wavelength": centres}
    return xr.DataArray(values, coords, ("spectrum", "wavelength"))


def test_brightness_of_cube_and_spectra_changes_no_angle():
    dataset, known = cube(), table()
    expected = dataset.hsi.sam(known)
    light = dataset.copy()
    light["reflectance"] = light["reflectance"] * np.linspace(0.2, 5, dataset.sizes["x"])
    scales = xr.DataArray(np.geomspace(0.01, 300, 21), dims="spectrum")
    np.testing.assert_allclose(light.hsi.sam(known * scales), expected, atol=3e-7)


def test_a_pixel_has_no_angle_to_itself():
    dataset = cube()
    own = dataset["reflectance"].isel(y=3, x=70)
    assert dataset.hsi.sam(own).isel(y=3, x=70) < 1e-7
    place = dataset.hsi.spectrum(float(dataset["x"][70]), float(dataset["y"][3]))
    np.testing.assert_array_equal(dataset.hsi.sam(place["reflectance"]), dataset.hsi.sam(own))
    np.testing.assert_array_equal(dataset.hsi.sam(place), dataset.hsi.sam(own))


def test_bands_that_float32_cannot_hold_are_themselves():
    seen = cube().hsi.to_sensor("sentinel-2a")  # 442.7 and 664.6 nm at the ends
    found = seen.hsi.sam(seen["reflectance"].isel(y=3, x=70))
    assert found.attrs["bands"] == "4 of 4" and found.isel(y=3, x=70) < 1e-7


def test_spectra_of_places_are_spectra_to_compare_with():
    dataset = cube()
    places = [(float(dataset["x"][j]), float(dataset["y"][i])) for i, j in ((3, 70), (40, 66))]
    known = [dataset.hsi.spectrum(*place)["reflectance"] for place in places]
    found = dataset.hsi.sam(xr.concat(known, "point"))
    assert found.dims == ("spectrum", "y", "x") and found["x"].dims == ("x",)
    assert max(found[0, 3, 70], found[1, 40, 66]) < 1e-7 < found[0, 40, 66]


def test_angles_are_those_of_the_half_angle_form():
    dataset, known = cube(), table(5)
    found = dataset.hsi.sam(known)
    values = dataset["reflectance"].values
    for name in known["spectrum"].values:
        truth = np.broadcast_to(known.sel(spectrum=name).values[:, None, None], values.shape)
        np.testing.assert_allclose(
            found.sel(spectrum=name), spectral_angle(values, truth), atol=2e-7
        )
    assert found.dims == ("spectrum", "y", "x") and found.attrs["units"] == "radian"


def test_angles_are_those_of_spectral_python():
    spectral = pytest.importorskip("spectral", reason="compares with Spectral Python")
    dataset, known = cube(), table(4)
    theirs = spectral.spectral_angles(dataset.hsi.to_spectral(), known.values)
    ours = dataset.hsi.sam(known).transpose("y", "x", "spectrum")
    np.testing.assert_allclose(ours, theirs, atol=1e-5)  # theirs are of float32


def test_degrees_are_radians_in_other_units():
    dataset, known = cube(), table(2)
    found = dataset.hsi.sam(known, degrees=True)
    np.testing.assert_allclose(found, np.degrees(dataset.hsi.sam(known)), rtol=1e-6)
    assert found.attrs["units"] == "degree"


def test_lazy_is_eager_and_the_order_of_bands_is_nothing():
    known = table()
    expected = cube().hsi.sam(known)
    lazy = cube(chunks={"band": 7, "y": 23, "x": 30}).hsi.sam(known)
    assert lazy.chunks is not None
    np.testing.assert_allclose(lazy, expected, atol=1e-7)
    np.testing.assert_allclose(shuffled(cube()).hsi.sam(known), expected, atol=1e-7)
    backwards = known.isel(wavelength=slice(None, None, -1))
    np.testing.assert_allclose(cube().hsi.sam(backwards), expected, atol=1e-7)


def test_finer_spectra_are_averaged_and_coarser_ones_interpolated():
    expected = cube().hsi.sam(table(3))
    for step in (2.0, 20.0):
        found = cube().hsi.sam(table(3, np.arange(360.0, 761, step)))
        np.testing.assert_allclose(found, expected, atol=0.02)


def test_where_there_is_nothing_there_is_no_angle():
    dataset = cube()
    dataset["reflectance"][:, 5, 60] = 0
    dataset["reflectance"][4, 6, 61] = np.nan
    found = dataset.hsi.sam(table(2))
    assert found.isel(y=5, x=60).isnull().all() and found.isel(y=6, x=61).isnull().all()
    assert found.isnull().sum() == 2 * (dataset["reflectance"].isnull().any("band").sum() + 1)


def test_spectra_that_end_within_the_cube_are_compared_where_they_are():
    known = table(3)
    short = known.where(known["wavelength"] >= 450)
    with pytest.warns(UserWarning, match="400, 410, .* 440 nm; .* 26 bands"):
        found = cube().hsi.sam(short)
    np.testing.assert_allclose(found, cube().hsi.bands(450, 700).hsi.sam(known), atol=1e-7)
    assert found.attrs["bands"] == "26 of 31"


def test_it_says_of_what_it_is():
    found = cube().hsi.sam(table(1))
    assert found.attrs["comment"] == "from a model estimate, not a measurement"
    assert found.attrs["hsi_xr_model"] == "r2h_base"
    assert found.rio.crs == cube().rio.crs


@pytest.mark.parametrize(
    ("spectra", "error", "words"),
    [
        (spectrum([0.2, 0.3], [1600, 2200]), BandMismatch, "0 of the cube's 31"),
        (xr.DataArray(np.ones(31), dims="band"), InvalidData, "hsi_xr.library"),
        (xr.DataArray(0.3), InvalidData, "got dimensions"),
        (np.ones(31), InvalidData, "dimensions none"),
        (spectrum([0.2, 0.3], [0.4, 0.7]), InvalidData, "in nm"),
    ],
)
def test_what_is_no_spectrum_of_the_cube_is_refused(spectra, error, words):
    with pytest.raises(error, match=words):
        hsi_xr.sam(cube(), spectra)
