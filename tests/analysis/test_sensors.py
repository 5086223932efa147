"""What other sensors see of a cube: averages that invent nothing."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import hsi_xr
from hsi_xr.analysis.bandpass import TABLE, measured, published, weights
from hsi_xr.band_grid import Bands
from hsi_xr.errors import BandMismatch, InvalidData, UnknownName, UnreadableFile, UsageError
from tests.analysis.cubes import shuffled
from tests.calibration.ground import CENTRES, cube

SENSORS = hsi_xr.sensors()
NM = np.arange(420.0, 741, 2)


def curves(nm: np.ndarray = NM, **shapes: np.ndarray) -> xr.DataArray:
    """Responses as a file would hold them: one boxy, one with two humps, one beyond the cube."""
    humps = np.exp(-(((nm - 520) / 18) ** 2)) + 0.6 * np.exp(-(((nm - 575) / 9) ** 2))
    known = {"box": 1.0 * (abs(nm - 640) < 21), "humps": 7 * humps, "edge": 1.0 * (nm > 690)}
    known |= shapes
    coords = {"spectrum": [*known], "wavelength": nm}
    values = np.array([*known.values()])
    return xr.DataArray(values, coords, ("spectrum", "wavelength"), attrs={"source": "c.csv"})


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
    assert found.attrs["hsi_xr_sensor_left_out"].endswith("(not within 395 to 705 nm)")
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
    np.testing.assert_allclose(
        found, 0.05 + (found["wavelength"] - 400) / 1000, atol=5e-5
    )  # red ends at 705 nm


def test_a_band_is_the_integral_of_its_response_and_the_spectrum():
    dataset, known = cube(), curves()
    fine = np.arange(395, 705.005, 0.01)
    found = dataset.hsi.to_sensor(known)
    assert found["band"].values.tolist() == ["humps", "box"]
    for name in ("humps", "box"):
        response = np.interp(fine, NM, known.sel(spectrum=name), left=0, right=0)
        for row, column in ((3, 70), (50, 40)):
            pixel = dataset["reflectance"].isel(y=row, x=column).values
            expected = np.trapezoid(response * np.interp(fine, CENTRES, pixel), fine)
            expected /= np.trapezoid(response, fine)
            seen = found["reflectance"].sel(band=name).isel(y=row, x=column)
            np.testing.assert_allclose(seen, expected, rtol=2e-6)
    assert found.attrs["hsi_xr_sensor_left_out"] == "edge (not within 395 to 705 nm)"
    assert found.attrs["hsi_xr_sensor_response"] == "curves of c.csv"


@settings(max_examples=30)
@given(
    st.lists(st.floats(0, 1), min_size=8, max_size=20),
    st.lists(st.floats(3, 40), min_size=3, max_size=12),
)
def test_weights_are_shares_whatever_the_grids(heights, gaps):
    """Of a constant, the constant; of a response within the cube, all of it."""
    nm = np.linspace(450, 600, len(heights) + 2)
    values = np.array([0, *heights, 0]) + 0.1 * ((nm > 500) & (nm < 560))
    own = Bands(tuple(np.cumsum([420.0, *gaps, 200.0]).tolist()))
    known = curves(nm, one=values).sel(spectrum=["one"])
    table, share = weights(measured(known, "c"), own)
    np.testing.assert_allclose(table.sum(1), 1)
    assert (table >= 0).all()
    np.testing.assert_allclose(share, 1)


def test_a_file_is_its_curves_and_a_name_the_curves_of_its_gaussians(tmp_path):
    dataset, known = cube(), published()["sentinel-2b"].select([0, 1, 2, 3])
    table = curves(known.wavelengths, **dict(zip(known.names, known.curves)))
    table = table.sel(spectrum=["B4", "B2", "B1", "B3"])
    table.to_pandas().T.to_csv(tmp_path / "s2b.csv")
    expected = dataset.hsi.to_sensor("sentinel-2b")
    for sensor in (tmp_path / "s2b.csv", str(tmp_path / "s2b.csv"), table):
        found = dataset.hsi.to_sensor(sensor)
        assert found["band"].values.tolist() == ["B1", "B2", "B3", "B4"]
        np.testing.assert_allclose(found["reflectance"], expected["reflectance"], rtol=1e-5)
        np.testing.assert_allclose(found["wavelength"], expected["wavelength"], atol=0.01)
        np.testing.assert_allclose(found["fwhm"], expected["fwhm"], atol=0.02)
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
def test_what_is_no_response_is_refused(sensor, error, words):
    with pytest.raises(error, match=words):
        cube().hsi.to_sensor(sensor)


def test_what_a_band_does_not_see_may_be_unknown():
    dataset = cube()
    dataset["reflectance"][-1] = np.nan
    found = dataset.hsi.to_sensor("sentinel-2a")["reflectance"].isel(y=3, x=70)
    assert np.isnan(found).values.tolist() == [False, False, False, True]


@pytest.mark.parametrize("chunks", [None, {"band": 5, "y": 20}])
def test_the_deviation_of_a_band_is_bounded_and_met_where_errors_go_together(chunks):
    dataset = cube()
    rng = np.random.default_rng(4)
    together = rng.uniform(0.01, 0.03, dataset["reflectance"].shape).astype("float32")
    dataset["reflectance_std"] = dataset["reflectance"].copy(data=together)
    found = shuffled(dataset.chunk(chunks) if chunks else dataset).hsi.to_sensor("landsat-8-oli")
    assert (found["reflectance_std"].chunks is None) == (chunks is None)
    assert "bound" in found["reflectance_std"].attrs["long_name"]
    assert found["reflectance"].attrs["ancillary_variables"] == "reflectance_std"
    shifted = (dataset["reflectance"] + dataset["reflectance_std"]).to_dataset(name="reflectance")
    apart = shifted.hsi.to_sensor("landsat-8-oli")["reflectance"] - found["reflectance"]
    np.testing.assert_allclose(found["reflectance_std"].where(apart.notnull()), apart, rtol=1e-3)
    draws = rng.choice([-1, 1], (40, 31, 1, 1)) * together[:, 3:4, 70:71]
    table, _ = weights(published()["landsat-8-oli"].select([0, 1, 2]), Bands.regular(400, 700, 10))
    spread = np.einsum("bn,dnyx->dbyx", table, draws).std(0)[:, 0, 0]
    assert (spread < found["reflectance_std"].isel(band=[0, 1, 2], y=3, x=70)).all()


def test_a_deviation_alone_is_no_cube():
    alone = cube()["reflectance"].rename("reflectance_std")
    alone.attrs["long_name"] = "standard deviation of reflectance about its estimate"
    for verb in (
        lambda: alone.hsi.to_sensor("sentinel-2a"),
        lambda: alone.hsi.sam(alone.isel(y=3, x=70)),
        lambda: alone.hsi.indices("GLI"),
    ):
        with pytest.raises(UsageError, match=r"assign\(reflectance_std=deviation\)"):
            verb()


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
    dataset = cube()
    dataset["reflectance_std"] = dataset["reflectance"] / 10
    found = dataset.hsi.to_sensor("sentinel-2a")
    again = hsi_xr.open(hsi_xr.write(found, tmp_path / "s2.tif"))
    np.testing.assert_allclose(again, found["reflectance"], atol=6e-5)
    spread = hsi_xr.open(tmp_path / "s2.tif", variable="reflectance_std")
    np.testing.assert_allclose(spread, found["reflectance_std"], atol=6e-5)
    assert "too large otherwise" in spread.attrs["comment"]
    np.testing.assert_allclose(again["fwhm"], found["fwhm"])
    assert again.attrs["hsi_xr_sensor_bands"] == "B1, B2, B3, B4"
    assert again.attrs["comment"] == "model estimate, not a measurement"
    assert again.attrs["hsi_xr_model"] == "r2h_base"


def test_a_tree_of_cubes_is_a_tree_of_what_is_seen():
    tree = xr.DataTree.from_dict({"/a": cube(), "/b/c": cube(rows=20)})
    found = tree.map_over_datasets(lambda ds: ds.hsi.to_sensor("sentinel-2a") if ds else ds)
    assert found["/b/c/reflectance"].shape == (4, 20, 83)


def test_what_a_cube_does_not_resolve_is_no_band_of_it():
    coarse = cube().isel(band=slice(None, None, 4))
    assert {"B2"} == {*coarse.hsi.to_sensor("sentinel-2a")["band"].values.tolist()}
    with pytest.raises(BandMismatch, match="in steps of 100"):
        cube().isel(band=slice(None, None, 10)).hsi.to_sensor("dji-mavic-3m")


def test_an_unknown_sensor_is_told_the_known():
    with pytest.raises(UnknownName, match=r"did you mean 'sentinel-2[abc]'.*landsat-9-oli-2"):
        cube().hsi.to_sensor("Sentinel 2")


def test_every_sensor_has_its_source():
    told = TABLE.with_name("README.md").read_text()
    assert all(f"`{sensor}`" in told for sensor in SENSORS)


@pytest.mark.parametrize("sensor", ["sentinel-2a", "sentinel-2b", "planetscope-superdove"])
def test_the_table_is_that_of_spyndex(sensor):
    spyndex = pytest.importorskip("spyndex", reason="compares with its bands")
    own = published()[sensor]
    platform = sensor.replace("-", "").replace("superdove", "")
    theirs = [getattr(spyndex.bands[each], platform, None) for each in spyndex.bands]
    pairs = {(each.wavelength, each.bandwidth): each.band for each in theirs if each is not None}
    bands = {"B10"} & {*own.names}  # the cirrus band is in no index
    ours = dict(zip(zip(own.bands.centres, own.bands.widths), own.names))
    assert {pair for pair, name in ours.items() if name not in bands} == {*pairs}
    if sensor.startswith("sentinel"):
        assert all(ours[pair] == name for pair, name in pairs.items())


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
