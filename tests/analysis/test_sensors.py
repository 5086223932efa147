"""What other sensors see of a cube: averages that invent nothing."""

import numpy as np
import pytest

import hsi_xr
from hsi_xr.errors import BandMismatch, UnknownName
from hsi_xr.spectra import Bands
from tests.analysis.cubes import shuffled
from tests.calibration.ground import CENTRES, cube

SENSORS = hsi_xr.sensors()


@pytest.mark.parametrize("sensor", SENSORS)
def test_a_flat_spectrum_is_flat_to_every_sensor(sensor):
    flat = cube()
    level = np.linspace(0.1, 0.6, flat.sizes["x"], dtype="float32")
    flat["reflectance"] = flat["reflectance"] * 0 + level
    found = flat.hsi.to_sensor(sensor)["reflectance"]
    expected = flat["reflectance"].isel(band=0, drop=True).broadcast_like(found)
    np.testing.assert_allclose(found, expected.transpose(*found.dims), rtol=1e-6)


@pytest.mark.parametrize("sensor", SENSORS)
def test_a_band_that_the_cube_does_not_hold_as_a_whole_is_named_and_not_there(sensor):
    found = cube().hsi.to_sensor(sensor)
    low, high = found["wavelength"] - found["fwhm"] / 2, found["wavelength"] + found["fwhm"] / 2
    assert (low >= CENTRES[0] - 5).all() and (high <= CENTRES[-1] + 5).all()
    left_out = found.attrs["hsi_xr_sensor_left_out"].split(", ")
    assert left_out and not {*left_out} & {*found["band"].values.tolist()}
    assert "not measured curves" in found.attrs["hsi_xr_sensor_response"]


def test_sentinel_2_sees_its_blue_green_and_red_of_the_visible():
    found = cube().hsi.to_sensor("sentinel-2a")
    assert found["band"].values.tolist() == ["B1", "B2", "B3", "B4"]
    assert found.sel(band="B3")["wavelength"] == 559.8
    assert found.attrs["hsi_xr_sensor_left_out"].startswith("B5, B6, ")


def test_a_line_keeps_its_value_at_the_centre_of_a_band():
    """The mean of a straight line under a symmetric response is its value in the middle."""
    line = cube()
    slope = (0.05 + (CENTRES - 400) / 1000)[:, None, None].astype("float32")
    line["reflectance"] = line["reflectance"] * 0 + slope
    found = line.hsi.to_sensor("planetscope-superdove")["reflectance"].isel(y=3, x=70)
    np.testing.assert_allclose(found, 0.05 + (found["wavelength"] - 400) / 1000, atol=1.5e-4)


def test_lazy_is_eager_whatever_the_chunks():
    eager = cube().hsi.to_sensor("landsat-8-oli")
    for chunks in ({"y": 17, "x": 40}, {"band": 4, "y": 50}):
        lazy = cube(chunks=chunks).hsi.to_sensor("landsat-8-oli")
        assert lazy["reflectance"].chunks is not None
        np.testing.assert_allclose(lazy["reflectance"], eager["reflectance"], rtol=1e-6)


def test_the_order_of_bands_and_whether_it_is_an_array_change_nothing():
    dataset = cube()
    expected = dataset.hsi.to_sensor("sentinel-2b")["reflectance"]
    for other in (shuffled(dataset), dataset["reflectance"]):
        found = other.hsi.to_sensor("sentinel-2b")["reflectance"]
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_it_is_written_and_read_with_what_was_done(tmp_path):
    found = cube().hsi.to_sensor("sentinel-2a")
    again = hsi_xr.open(hsi_xr.write(found, tmp_path / "s2.tif"))
    np.testing.assert_allclose(again, found["reflectance"], atol=6e-5)
    np.testing.assert_allclose(again["fwhm"], found["fwhm"])
    assert again.attrs["hsi_xr_sensor_bands"] == "B1, B2, B3, B4"
    assert again.attrs["comment"] == "model estimate, not a measurement"
    assert again.attrs["hsi_xr_model"] == "r2h_base"


def test_what_a_cube_does_not_resolve_is_no_band_of_it():
    coarse = cube().isel(band=slice(None, None, 4))
    assert {"B2"} == {*coarse.hsi.to_sensor("sentinel-2a")["band"].values.tolist()}
    with pytest.raises(BandMismatch, match="in steps of 100"):
        cube().isel(band=slice(None, None, 10)).hsi.to_sensor("dji-mavic-3m")


def test_an_unknown_sensor_is_told_the_known():
    with pytest.raises(UnknownName, match=r"did you mean 'sentinel-2[ab]'.*landsat-9-oli-2"):
        cube().hsi.to_sensor("Sentinel 2")


def test_the_table_is_ascending_and_its_visible_bands_are_where_their_names_say():
    for sensor in SENSORS:
        found = cube().hsi.to_sensor(sensor)
        assert Bands(tuple(found["wavelength"].values.tolist())), sensor
    rgb = {"B4": 660, "B3": 560, "B2": 490}
    for sensor in SENSORS:
        bands = cube().hsi.to_sensor(sensor)["wavelength"]
        for name, nm in rgb.items():
            if name in bands["band"]:
                assert abs(bands.sel(band=name) - nm) < 10
