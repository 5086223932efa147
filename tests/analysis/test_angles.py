"""Spectral angles: laws, and comparison with two other implementations."""

import numpy as np
import pytest
import xarray as xr

import hsi_xr
from hsi_xr.errors import BandMismatch, InvalidData
from hsi_xr.evaluation.metrics import spectral_angle
from tests.analysis.cubes import shuffled
from tests.calibration.ground import CENTRES, cube, spectrum


def table(count: int = 21, centres: np.ndarray = CENTRES) -> xr.DataArray:
    """Smooth named spectra."""
    rng = np.random.default_rng(count)
    waves = [np.cos(k * (centres - 400) / 95) for k in range(4)]
    values = 0.3 + rng.uniform(-0.06, 0.06, (count, 4)) @ waves
    names = [f"ground {i}" for i in range(count)]
    coords = {"spectrum": names, "wavelength": centres}
    return xr.DataArray(values, coords, ("spectrum", "wavelength"))


def test_brightness_of_cube_and_spectra_does_not_change_angles():
    dataset, known = cube(), table()
    expected = dataset.hsi.sam(known)
    scaled = dataset.copy()
    scaled["reflectance"] = scaled["reflectance"] * np.linspace(0.2, 5, dataset.sizes["x"])
    scales = xr.DataArray(np.geomspace(0.01, 300, 21), dims="spectrum")
    np.testing.assert_allclose(scaled.hsi.sam(known * scales), expected, atol=3e-7)


def test_the_angle_of_a_pixel_to_itself_is_zero():
    dataset = cube()
    own = dataset["reflectance"].isel(y=3, x=70)
    assert dataset.hsi.sam(own).isel(y=3, x=70) < 1e-7
    place = dataset.hsi.spectrum(float(dataset["x"][70]), float(dataset["y"][3]))
    np.testing.assert_array_equal(dataset.hsi.sam(place["reflectance"]), dataset.hsi.sam(own))
    np.testing.assert_array_equal(dataset.hsi.sam(place), dataset.hsi.sam(own))


def test_wavelengths_that_float32_cannot_represent_are_matched():
    sensor_cube = cube().hsi.to_sensor("sentinel-2a")  # 442.7 and 664.6 nm at the ends
    angles = sensor_cube.hsi.sam(sensor_cube["reflectance"].isel(y=3, x=70))
    assert angles.attrs["bands"] == "4 of 4" and angles.isel(y=3, x=70) < 1e-7


def test_spectra_of_positions_can_be_compared():
    dataset = cube()
    places = [(float(dataset["x"][j]), float(dataset["y"][i])) for i, j in ((3, 70), (40, 66))]
    known = [dataset.hsi.spectrum(*place)["reflectance"] for place in places]
    angles = dataset.hsi.sam(xr.concat(known, "point"))
    assert angles.dims == ("spectrum", "y", "x") and angles["x"].dims == ("x",)
    assert max(angles[0, 3, 70], angles[1, 40, 66]) < 1e-7 < angles[0, 40, 66]


def test_angles_equal_those_of_the_half_angle_formula():
    dataset, known = cube(), table(5)
    angles = dataset.hsi.sam(known)
    values = dataset["reflectance"].values
    for name in known["spectrum"].values:
        truth = np.broadcast_to(known.sel(spectrum=name).values[:, None, None], values.shape)
        np.testing.assert_allclose(
            angles.sel(spectrum=name), spectral_angle(values, truth), atol=2e-7
        )
    assert angles.dims == ("spectrum", "y", "x") and angles.attrs["units"] == "radian"


def test_angles_equal_those_of_spectral_python():
    spectral = pytest.importorskip("spectral", reason="compares with Spectral Python")
    dataset, known = cube(), table(4)
    expected = spectral.spectral_angles(dataset.hsi.to_spectral(), known.values)
    angles = dataset.hsi.sam(known).transpose("y", "x", "spectrum")
    np.testing.assert_allclose(angles, expected, atol=1e-5)  # Spectral Python computes in float32


def test_degrees_are_converted_from_radians():
    dataset, known = cube(), table(2)
    angles = dataset.hsi.sam(known, degrees=True)
    np.testing.assert_allclose(angles, np.degrees(dataset.hsi.sam(known)), rtol=1e-6)
    assert angles.attrs["units"] == "degree"


def test_chunks_and_the_order_of_bands_do_not_change_angles():
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
        angles = cube().hsi.sam(table(3, np.arange(360.0, 761, step)))
        np.testing.assert_allclose(angles, expected, atol=0.02)


def test_angles_are_nan_where_a_spectrum_is_zero_or_nan():
    dataset = cube()
    dataset["reflectance"][:, 5, 60] = 0
    dataset["reflectance"][4, 6, 61] = np.nan
    angles = dataset.hsi.sam(table(2))
    assert angles.isel(y=5, x=60).isnull().all() and angles.isel(y=6, x=61).isnull().all()
    assert angles.isnull().sum() == 2 * (dataset["reflectance"].isnull().any("band").sum() + 1)


def test_shorter_spectra_are_compared_over_their_own_range():
    known = table(3)
    short = known.where(known["wavelength"] >= 450)
    with pytest.warns(UserWarning, match="400, 410, .* 440 nm; .* 26 bands"):
        angles = cube().hsi.sam(short)
    np.testing.assert_allclose(angles, cube().hsi.bands(450, 700).hsi.sam(known), atol=1e-7)
    assert angles.attrs["bands"] == "26 of 31"


def test_angles_state_their_source():
    angles = cube().hsi.sam(table(1))
    assert angles.attrs["comment"] == "from a model estimate, not a measurement"
    assert angles.attrs["hsi_xr_model"] == "r2h_base"
    assert angles.rio.crs == cube().rio.crs


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
def test_invalid_spectra_are_refused(spectra, error, words):
    with pytest.raises(error, match=words):
        hsi_xr.sam(cube(), spectra)
