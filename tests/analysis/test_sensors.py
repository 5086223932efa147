"""Cubes averaged to the bands of other sensors."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import hsi_xr
from hsi_xr.band_grid import Bands
from hsi_xr.camera.bandpass import TABLE, measured, published, weights
from hsi_xr.errors import BandMismatch, InvalidData, UnknownName, UnreadableFile, UsageError
from hsi_xr.level_interval import LEVEL_VARIABLES
from tests.analysis.cubes import shuffled
from tests.calibration.ground import CENTRES, cube
from tests.scenes import scene as rendered

SENSORS = hsi_xr.sensors()
NM = np.arange(420.0, 741, 2)


def curves(nm: np.ndarray = NM, **shapes: np.ndarray) -> xr.DataArray:
    """Responses as in a file: a box, two humps, and one beyond the range of the cube."""
    humps = np.exp(-(((nm - 520) / 18) ** 2)) + 0.6 * np.exp(-(((nm - 575) / 9) ** 2))
    known = {"box": 1.0 * (abs(nm - 640) < 21), "humps": 7 * humps, "edge": 1.0 * (nm > 690)}
    known |= shapes
    coords = {"spectrum": [*known], "wavelength": nm}
    values = np.array([*known.values()])
    return xr.DataArray(values, coords, ("spectrum", "wavelength"), attrs={"source": "c.csv"})


@pytest.mark.parametrize("sensor", SENSORS)
def test_a_flat_spectrum_is_flat_for_every_sensor(sensor):
    flat = cube()
    level = np.linspace(0.1, 0.6, flat.sizes["x"], dtype="float32")
    flat["reflectance"] = flat["reflectance"] * 0 + level
    sensor_cube = flat.hsi.to_sensor(sensor)["reflectance"]
    expected = flat["reflectance"].isel(band=0, drop=True).broadcast_like(sensor_cube)
    np.testing.assert_allclose(sensor_cube, expected.transpose(*sensor_cube.dims), rtol=1e-6)


@pytest.mark.parametrize("sensor", SENSORS)
def test_bands_that_are_not_fully_covered_are_omitted_and_named(sensor):
    sensor_cube = cube().hsi.to_sensor(sensor)
    centres = sensor_cube["wavelength"]
    assert (centres >= CENTRES[0]).all() and (centres <= CENTRES[-1]).all()
    left_out = sensor_cube.attrs["hsi_xr_sensor_left_out"]
    assert "(not within 395 to 705 nm)" in left_out
    named = {*left_out.replace("; ", ", ").split(", ")}
    assert not named & {*sensor_cube["band"].values.tolist()}
    assert sensor_cube.attrs["hsi_xr_sensor_response"] == published()[sensor].source


def test_sentinel_2_has_its_visible_bands():
    sensor_cube = cube().hsi.to_sensor("sentinel-2a")
    assert sensor_cube["band"].values.tolist() == ["B1", "B2", "B3", "B4"]
    assert sensor_cube.sel(band="B3")["wavelength"] == 559.8
    assert sensor_cube.attrs["hsi_xr_sensor_left_out"].startswith("B5, B6, ")


def test_a_linear_spectrum_has_its_value_at_the_centre_of_each_band():
    """The mean of a linear function under a symmetric response is its value at the centre."""
    line = cube()
    slope = (0.05 + (CENTRES - 400) / 1000)[:, None, None].astype("float32")
    line["reflectance"] = line["reflectance"] * 0 + slope
    sensor_cube = line.hsi.to_sensor("planetscope-superdove")["reflectance"].isel(y=3, x=70)
    np.testing.assert_allclose(
        sensor_cube, 0.05 + (sensor_cube["wavelength"] - 400) / 1000, atol=5e-5
    )  # red ends at 705 nm


def test_a_band_is_the_integral_of_its_response_and_the_spectrum():
    dataset, known = cube(), curves()
    fine = np.arange(395, 705.005, 0.01)
    sensor_cube = dataset.hsi.to_sensor(known)
    assert sensor_cube["band"].values.tolist() == ["humps", "box"]
    for name in ("humps", "box"):
        response = np.interp(fine, NM, known.sel(spectrum=name), left=0, right=0)
        for row, column in ((3, 70), (50, 40)):
            pixel = dataset["reflectance"].isel(y=row, x=column).values
            expected = np.trapezoid(response * np.interp(fine, CENTRES, pixel), fine)
            expected /= np.trapezoid(response, fine)
            value = sensor_cube["reflectance"].sel(band=name).isel(y=row, x=column)
            np.testing.assert_allclose(value, expected, rtol=2e-6)
    assert sensor_cube.attrs["hsi_xr_sensor_left_out"] == "edge (not within 395 to 705 nm)"
    assert sensor_cube.attrs["hsi_xr_sensor_response"] == "curves of c.csv"


@settings(max_examples=30)
@given(
    st.lists(st.floats(0, 1), min_size=8, max_size=20),
    st.lists(st.floats(3, 40), min_size=3, max_size=12),
)
def test_weights_sum_to_one_on_any_grid(heights, gaps):
    """A constant is preserved, and a response within the cube is covered completely."""
    nm = np.linspace(450, 600, len(heights) + 2)
    values = np.array([0, *heights, 0]) + 0.1 * ((nm > 500) & (nm < 560))
    own = Bands(tuple(np.cumsum([420.0, *gaps, 200.0]).tolist()))
    known = curves(nm, one=values).sel(spectrum=["one"])
    table, share = weights(measured(["c"], known["wavelength"].values, known.values, "c"), own)
    np.testing.assert_allclose(table.sum(1), 1)
    assert (table >= 0).all()
    np.testing.assert_allclose(share, 1)


def test_a_file_of_the_same_curves_gives_the_result_of_the_name(tmp_path):
    dataset, known = cube(), published()["sentinel-2b"].select([0, 1, 2, 3])
    table = curves(known.wavelengths, **dict(zip(known.names, known.curves)))
    table = table.sel(spectrum=["B4", "B2", "B1", "B3"])
    table.to_pandas().T.to_csv(tmp_path / "s2b.csv")
    expected = dataset.hsi.to_sensor("sentinel-2b")
    for sensor in (tmp_path / "s2b.csv", str(tmp_path / "s2b.csv"), table):
        sensor_cube = dataset.hsi.to_sensor(sensor)
        assert sensor_cube["band"].values.tolist() == ["B1", "B2", "B3", "B4"]
        np.testing.assert_allclose(sensor_cube["reflectance"], expected["reflectance"], rtol=1e-5)
        np.testing.assert_allclose(sensor_cube["wavelength"], expected["wavelength"], atol=0.1)
        np.testing.assert_allclose(sensor_cube["fwhm"], expected["fwhm"], atol=2)
    assert dataset.hsi.to_sensor(tmp_path / "s2b.csv").attrs["hsi_xr_sensor"] == "s2b.csv"


@pytest.mark.parametrize(
    ("sensor", "error", "words"),
    [
        (curves(dark=0 * NM), InvalidData, "response of 'dark' is zero everywhere"),
        (curves(twin=1.0 * (abs(NM - 640) < 21)), InvalidData, "same centre"),
        (curves().sel(spectrum=["edge"]), BandMismatch, "covers no band of c.csv"),
        (curves().isel(spectrum=0), UsageError, r"\(spectrum, wavelength\)"),
        ("nowhere.csv", UnreadableFile, "nowhere.csv"),
        (None, UsageError, "got None"),
    ],
)
def test_invalid_responses_are_refused(sensor, error, words):
    with pytest.raises(error, match=words):
        cube().hsi.to_sensor(sensor)


def test_nan_outside_the_response_of_a_band_does_not_matter():
    dataset = cube()
    dataset["reflectance"][-1] = np.nan
    sensor_cube = dataset.hsi.to_sensor("sentinel-2c")["reflectance"].isel(y=3, x=70)
    assert np.isnan(sensor_cube).values.tolist() == [False, False, True]


@pytest.mark.parametrize("chunks", [None, {"band": 5, "y": 20}])
def test_the_deviation_is_an_upper_bound_that_correlated_errors_reach(chunks):
    dataset = cube()
    rng = np.random.default_rng(4)
    deviation = rng.uniform(0.01, 0.03, dataset["reflectance"].shape).astype("float32")
    dataset["reflectance_std"] = dataset["reflectance"].copy(data=deviation)
    sensor_cube = shuffled(dataset.chunk(chunks) if chunks else dataset).hsi.to_sensor(
        "landsat-8-oli"
    )
    assert (sensor_cube["reflectance_std"].chunks is None) == (chunks is None)
    assert "bound" in sensor_cube["reflectance_std"].attrs["long_name"]
    assert sensor_cube["reflectance"].attrs["ancillary_variables"] == "reflectance_std"
    shifted = (dataset["reflectance"] + dataset["reflectance_std"]).to_dataset(name="reflectance")
    difference = shifted.hsi.to_sensor("landsat-8-oli")["reflectance"] - sensor_cube["reflectance"]
    np.testing.assert_allclose(
        sensor_cube["reflectance_std"].where(difference.notnull()), difference, rtol=1e-3
    )
    draws = rng.choice([-1, 1], (40, 31, 1, 1)) * deviation[:, 3:4, 70:71]
    table, _ = weights(published()["landsat-8-oli"].select([0, 1, 2]), Bands.regular(400, 700, 10))
    spread = np.einsum("bn,dnyx->dbyx", table, draws).std(0)[:, 0, 0]
    assert (spread < sensor_cube["reflectance_std"].isel(band=[0, 1, 2], y=3, x=70)).all()


@pytest.mark.parametrize("chunks", [None, {"band": 5, "y": 20}])
def test_quantiles_of_correlated_errors_are_those_of_the_average(chunks):
    """Every band is an increasing function of one random number for each pixel."""
    dataset = cube()
    low = dataset["reflectance"]
    draws = np.random.default_rng(6).beta(1.3, 4, 41).astype("float32")
    ensemble = [(low + 0.4 * low * draw + draw**2).to_dataset(name="reflectance") for draw in draws]
    probabilities = {"reflectance_q05": 0.05, "reflectance_q50": 0.5, "reflectance_q95": 0.95}

    def quantiles(members):
        values = np.array([member["reflectance"].values for member in members])
        return np.quantile(values, [*probabilities.values()], axis=0, method="inverted_cdf")

    for name, values in zip(probabilities, quantiles(ensemble)):
        dataset[name] = low.copy(data=values.astype("float32"))
    dataset = shuffled(dataset.chunk(chunks) if chunks else dataset)
    sensor_cube = dataset.hsi.to_sensor("landsat-8-oli")
    expected = quantiles([member.hsi.to_sensor("landsat-8-oli") for member in ensemble])
    for name, values in zip(probabilities, expected):
        assert (sensor_cube[name].chunks is None) == (chunks is None)
        np.testing.assert_allclose(sensor_cube[name], values, rtol=1e-5)
        assert "fully correlated" in sensor_cube[name].attrs["comment"]
    ancillary = sensor_cube["reflectance"].attrs["ancillary_variables"]
    assert ancillary.split() == [*probabilities]
    negative = curves(tail=np.where(abs(NM - 560) < 30, 1.0, 0) - 0.2 * (abs(NM - 620) < 20))
    assert not {*probabilities} & {*dataset.hsi.to_sensor(negative)}


def test_what_has_no_bands_is_kept(tmp_path):
    """A factor that all bands share is the factor of every average of them."""
    scene = hsi_xr.reconstruct(rendered(40, 53), samples=2, out_of_domain=True)
    sensor_cube = scene.hsi.to_sensor("sentinel-2a")
    assert [*sensor_cube] == [*scene]
    assert all(sensor_cube[name].chunks is not None for name in sensor_cube)
    computed = scene.compute()
    for name in ("out_of_domain", *LEVEL_VARIABLES):
        xr.testing.assert_identical(sensor_cube[name].compute().variable, computed[name].variable)
    path = hsi_xr.write(sensor_cube, tmp_path / "sensor.tif")
    stated = hsi_xr.open(path).attrs["hsi_xr_level_factor_low"]
    assert stated == pytest.approx(float(computed.level_factor_low), rel=1e-3)


def test_a_deviation_without_reflectance_is_refused():
    alone = cube()["reflectance"].rename("reflectance_std")
    alone.attrs["long_name"] = "standard deviation of reflectance about its estimate"
    for verb in (
        lambda: alone.hsi.to_sensor("sentinel-2a"),
        lambda: alone.hsi.sam(alone.isel(y=3, x=70)),
        lambda: alone.hsi.indices("GLI"),
    ):
        with pytest.raises(UsageError, match=r"assign\(reflectance_std=deviation\)"):
            verb()


def test_chunks_do_not_change_the_result():
    eager = cube().hsi.to_sensor("landsat-8-oli")
    for chunks in ({"y": 17, "x": 40}, {"band": 4, "y": 50}):
        lazy = cube(chunks=chunks).hsi.to_sensor("landsat-8-oli")
        assert lazy["reflectance"].chunks is not None
        np.testing.assert_allclose(lazy["reflectance"], eager["reflectance"], rtol=1e-6)


def test_order_of_bands_and_container_do_not_change_the_result():
    dataset = cube()
    expected = dataset.hsi.to_sensor("sentinel-2b")["reflectance"]
    for other in (shuffled(dataset), dataset["reflectance"]):
        sensor_cube = other.hsi.to_sensor("sentinel-2b")["reflectance"]
        np.testing.assert_allclose(sensor_cube, expected, rtol=1e-6)


def test_the_result_is_written_and_read_with_its_metadata(tmp_path):
    dataset = cube()
    dataset["reflectance_std"] = dataset["reflectance"] / 10
    sensor_cube = dataset.hsi.to_sensor("sentinel-2a")
    again = hsi_xr.open(hsi_xr.write(sensor_cube, tmp_path / "s2.tif"))
    np.testing.assert_allclose(again, sensor_cube["reflectance"], atol=6e-5)
    spread = hsi_xr.open(tmp_path / "s2.tif", variable="reflectance_std")
    np.testing.assert_allclose(spread, sensor_cube["reflectance_std"], atol=6e-5)
    assert "too large otherwise" in spread.attrs["comment"]
    np.testing.assert_allclose(again["fwhm"], sensor_cube["fwhm"])
    assert again.attrs["hsi_xr_sensor_bands"] == "B1, B2, B3, B4"
    assert again.attrs["comment"] == "model estimate, not a measurement"
    assert again.attrs["hsi_xr_model"] == "r2h_base"


def test_a_datatree_of_cubes_is_converted_node_by_node():
    tree = xr.DataTree.from_dict({"/a": cube(), "/b/c": cube(rows=20)})
    sensor_cube = tree.map_over_datasets(lambda ds: ds.hsi.to_sensor("sentinel-2a") if ds else ds)
    assert sensor_cube["/b/c/reflectance"].shape == (4, 20, 83)


def test_bands_that_the_cube_does_not_resolve_are_omitted():
    coarse = cube().isel(band=slice(None, None, 4))
    assert {"B2"} == {*coarse.hsi.to_sensor("sentinel-2a")["band"].values.tolist()}
    with pytest.raises(BandMismatch, match="in steps of 100"):
        cube().isel(band=slice(None, None, 10)).hsi.to_sensor("dji-mavic-3m")


def test_an_unknown_sensor_is_refused_with_the_known_ones():
    with pytest.raises(UnknownName, match=r"did you mean 'sentinel-2[abc]'.*landsat-9-oli-2"):
        cube().hsi.to_sensor("Sentinel 2")


def test_every_sensor_has_a_source():
    readme = TABLE.with_name("sensors.md").read_text()
    assert all(f"`{sensor}`" in readme for sensor in SENSORS)


@pytest.mark.parametrize("sensor", ["sentinel-2a", "sentinel-2b", "planetscope-superdove"])
def test_the_table_agrees_with_spyndex(sensor):
    spyndex = pytest.importorskip("spyndex", reason="compares with its bands")
    own = published()[sensor]
    platform = sensor.replace("-", "").replace("superdove", "")
    theirs = [getattr(spyndex.bands[name], platform, None) for name in spyndex.bands]
    pairs = {(band.wavelength, band.bandwidth): band.band for band in theirs if band is not None}
    bands = {"B10"} & {*own.names}  # the cirrus band is in no index
    ours = dict(zip(zip(own.bands.centres, own.bands.widths), own.names))
    assert {pair for pair, name in ours.items() if name not in bands} == {*pairs}
    if sensor.startswith("sentinel"):
        assert all(ours[pair] == name for pair, name in pairs.items())


def test_the_table_is_ascending_and_its_visible_bands_match_their_names():
    for sensor in SENSORS:
        sensor_cube = cube().hsi.to_sensor(sensor)
        assert Bands(tuple(sensor_cube["wavelength"].values.tolist())), sensor
    rgb = {"B4": 660, "B3": 560, "B2": 490}
    for sensor in (
        each for each in SENSORS if each.startswith(("sentinel", "landsat-8", "landsat-9"))
    ):
        bands = cube().hsi.to_sensor(sensor)["wavelength"]
        for name, nm in rgb.items():
            if name in bands["band"]:
                assert abs(bands.sel(band=name) - nm) < 10
